"""Passwords and keys of URIs, hidden wherever text is shown, logged or kept."""

from __future__ import annotations

import re
from itertools import groupby
from urllib.parse import unquote

MASK = "***"
SHORTEST = 4
"""Characters of the shortest part of a password that is also hidden where it stands alone."""

_USER = re.compile(r"(?P<before>\b(?:https?|ftp)://)[^\s\":/?#@]+@", re.IGNORECASE)
_PASSWORD = re.compile(
    r"(?P<before>\b[a-z][a-z0-9+.-]*://[^\s\":/?#@]*:)(?P<secret>[^\s\"]*)@", re.IGNORECASE
)
_OPTION = re.compile(
    r"(?P<before>[?&;][^\s=&;]*(?:pass|pwd|secret|token|key|sig|cred)[^\s=&;]*=)"
    r"(?P<secret>[^\s\"'&;)]+)",
    re.IGNORECASE,
)


def mask(text: str, *uris: str) -> str:
    """``text`` with `MASK` for the password of every URI in it, and for keys in its options.

    A password may hold "@", "/" and the like although it should be percent-encoded: all up to the
    last "@" counts. A lone user of a web address is taken for a token. Paths stay as they are,
    those of SQLite too.

    Args:
        uris: Known ones; what is secret in them is hidden also where it stands alone, as libraries
            put it into their messages: as it is, decoded, or a part of it.
    """
    alone = sorted({secret for uri in uris for secret in _secrets(uri)}, key=len, reverse=True)
    parts = []
    for is_uri, words in groupby(re.split(r"(\s+)", text), lambda word: "://" in word):
        part = "".join(words)
        if is_uri:
            part = _PASSWORD.sub(rf"\g<before>{MASK}@", part)
            part = _USER.sub(rf"\g<before>{MASK}@", part)
        else:
            for secret in alone:
                part = part.replace(secret, MASK)
        parts.append(part)
    return _OPTION.sub(rf"\g<before>{MASK}", "".join(parts))


def has_secret(uri: str) -> bool:
    """Whether `mask` would hide a part of ``uri``."""
    return mask(uri) != uri


def _secrets(uri: str) -> set[str]:
    found = {m["secret"] for pattern in (_PASSWORD, _OPTION) for m in pattern.finditer(uri)}
    found |= {part for secret in found for part in re.split(r"[/?#@:]", secret)}
    found |= {unquote(secret) for secret in found}
    return {secret for secret in found if len(secret) >= SHORTEST}
