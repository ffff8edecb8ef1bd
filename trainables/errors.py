"""The errors that a person can remedy, each in one sentence. All others are faults of flatsweep."""

from __future__ import annotations

import difflib
import sys
import traceback
from collections.abc import Iterable

from trainables.masking import mask

REASON = 300
"""Characters of what a library says that are shown."""

PLEASE_REPORT = (
    "This is a fault of flatsweep, not of yours: please report it where you have flatsweep from, "
    "with the lines above and the command."
)


class FlatsweepError(Exception):
    """An error that a person can remedy; its message is one sentence that says how.

    Attributes:
        code: The exit code of a command that it ends.
    """

    code = 1

    def __str__(self) -> str:
        """One line, whatever was in the values that it names: a terminal acts on some of it."""
        return escaped(super().__str__())


class UsageError(FlatsweepError, ValueError):
    """A request for what does not exist or makes no sense; the message says what is allowed."""

    code = 2


class CodeError(UsageError):
    """A person's own code fails: below the sentence is its traceback, in lines of its own."""

    def __str__(self) -> str:
        """Lines, and nothing else that a terminal acts on."""
        return "\n".join(map(escaped, Exception.__str__(self).split("\n")))


def escaped(text: str) -> str:
    """``text`` with line ends and whatever else is not printed as Python writes them."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def unknown(what: str, name: object, known: Iterable[str]) -> str:
    """A sentence for a name that does not exist, with the known ones and the most similar."""
    known = list(known)
    near = difflib.get_close_matches(str(name), known, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"unknown {what} {name!r}{hint}; known: {', '.join(known) or 'none'}"


def reason(error: BaseException) -> str:
    """What an exception says, in one line: all of it, as libraries put the cause in the last."""
    said = str(error).partition("\n(Background on this error at")[0]  # SQLAlchemy's links
    return " ".join(said.split())[:REASON] or type(error).__name__


def print_error(error: Exception, who: str) -> int:
    """Print to standard error that ``who`` (a command) failed, without the passwords of URIs.

    Returns:
        The code to exit with: that of a `FlatsweepError`, which is one sentence; 1 after the
        traceback of any other.
    """
    if isinstance(error, FlatsweepError):
        print(mask(f"{who}: {error}"), file=sys.stderr)
        return error.code
    print(mask("".join(traceback.format_exception(error))) + PLEASE_REPORT, file=sys.stderr)
    return 1
