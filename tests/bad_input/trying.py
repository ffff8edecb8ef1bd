"""Every kind, and trying many cases of one."""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass, field

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.bad_input import commands, documents, pictures, records, stored
from tests.bad_input.engine import Kind, judge

FILES = (commands, documents, pictures, stored, records)
KINDS: dict[str, Kind] = {kind.name: kind for file in FILES for kind in file.KINDS}


@dataclass
class Tried:
    """What came of the cases of one kind.

    Attributes:
        taken, refused: How many cases were.
        faults: Where something went wrong -> the first case of it, and what went wrong.
        found: How many cases were faults.
    """

    taken: int = 0
    refused: int = 0
    found: int = 0
    faults: dict[str, str] = field(default_factory=dict)

    @property
    def cases(self) -> int:
        return self.taken + self.refused + self.found


def tried(kind: Kind, cases: int, number: int) -> Tried:
    """Try ``cases`` of a kind, those that belong to seed ``number``."""
    came = Tried()
    commands.template()  # trains, and is no part of a case's time

    @seed(number)
    @settings(
        max_examples=cases, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(kind.cases)
    def one(case: object) -> None:
        try:
            taken = judge(kind, case)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt) or type(error).__module__ == "hypothesis":
                raise
            came.found += 1
            came.faults.setdefault(_place(error), f"{repr(case)[:300]}: {str(error)[-1500:]}")
        else:
            came.taken, came.refused = came.taken + taken, came.refused + (not taken)

    one()
    return came


def _place(error: BaseException) -> str:
    """What tells one fault from another: the exception, and the last line of ours."""
    text = str(error) if "Traceback" in str(error) else "".join(traceback.format_exception(error))
    ours = re.findall(r'File ".*?((?:sweep|trainables|search_spaces)/\S+\.py)", line (\d+)', text)
    last = text.strip().splitlines()[-1] if "Traceback" in str(error) else type(error).__name__
    raised = re.findall(r"^([\w.]+(?:Error|Exception|Warning)\b)", text, re.MULTILINE)
    return f"{raised[-1] if raised else last[:80]} at {':'.join(ours[-1]) if ours else '?'}"
