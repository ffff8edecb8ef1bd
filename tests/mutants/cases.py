"""Tests as functions that can be called one by one: a test with each of its cases.

Fixtures are not made: a test that needs one has no case.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Set
from functools import partial
from inspect import signature
from types import ModuleType
from typing import Any

import pytest

Check = Callable[[], object]
PARAM = type(pytest.param())


def cases(test: Any, **wanted: Any) -> Iterator[Check]:
    """``test`` with each of the cases that its marks ``parametrize`` name.

    Args:
        wanted: Parameters that a case must have, and their values.
    """
    marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    needed = set() if hasattr(test, "hypothesis") else set(signature(test).parameters)
    for chosen in itertools.product(*(_arguments(*mark.args) for mark in reversed(marks))):
        arguments = {name: value for part in chosen for name, value in part.items()}
        if set(arguments) == needed and wanted.items() <= arguments.items():
            yield partial(test, **arguments)


def of_file(module: ModuleType, left_out: Set[str] = frozenset(), **wanted: Any) -> Iterator[Check]:
    """Tests of a file: those with many cases late, and those with drawn ones last."""
    names = [name for name in vars(module) if name.startswith("test_") and name not in left_out]
    tests = [vars(module)[name] for name in names]
    found = [(hasattr(test, "hypothesis"), list(cases(test, **wanted))) for test in tests]
    for _, made in sorted(found, key=lambda pair: (pair[0], len(pair[1]))):
        yield from made


def _arguments(names: Any, values: Any) -> Iterator[dict[str, Any]]:
    """Parameters of a mark, case by case."""
    names = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    as_tuple = tuple if len(names) > 1 else lambda value: (value,)
    for case in values:
        given = case.values if isinstance(case, PARAM) else as_tuple(case)
        yield dict(zip(names, given, strict=True))
