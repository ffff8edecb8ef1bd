"""JSON from outside: whatever is wrong with it is one error."""

from __future__ import annotations

import json
from typing import Any

from trainables.errors import UsageError


class NoJSONError(UsageError):
    """A text is no JSON, or more than can be read; the message says why, as a clause."""


def parse_json(text: str | bytes) -> Any:
    """The value that ``text`` is.

    Raises:
        NoJSONError: it is none, is not UTF-8, is nested too deeply, or has a whole number of more
            digits than Python reads.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise NoJSONError("it is nested too deeply") from None
    except ValueError as error:
        raise NoJSONError(str(error)) from None


__all__ = ["NoJSONError", "parse_json"]
