"""Measured times of training steps over ERM's, for budget ``time`` of compare/methods.

``compare_times.json`` has them: for each preset the network and all else of its trials that a ratio
depends on, then for each method its options, the median ratio and its quartiles. It is made by
``python -m benchmarks.step_times --save``, which says how, and not edited. Methods measured at
another time have their own table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from search_spaces.spec import StepTime, StepTimes

FILE = Path(__file__).with_suffix(".json")


def read(text: str) -> dict[str, tuple[StepTimes, ...]]:
    """The tables of every preset, as `written` leaves them."""
    return {
        preset: tuple(
            StepTimes(**table | {"steps": tuple(map(_step, table["steps"]))}) for table in tables
        )
        for preset, tables in json.loads(text).items()
    }


def _step(fields: Mapping[str, object]) -> StepTime:
    return StepTime(**dict(fields) | {"quartiles": tuple(fields["quartiles"])})  # type: ignore[arg-type]


def written(tables: Mapping[str, Sequence[StepTimes]]) -> str:
    """``tables`` as JSON."""
    found = {preset: list(map(asdict, of_preset)) for preset, of_preset in tables.items()}
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


STEP_TIMES = read(FILE.read_text(encoding="utf-8"))

__all__ = ["FILE", "STEP_TIMES", "read", "written"]
