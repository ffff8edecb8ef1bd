"""Tests as functions: each case of a test once, and none of one that needs a fixture."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.mutants.cases import Check, cases, of_file


@pytest.mark.parametrize("a", [1, pytest.param(2, id="two")])
def of_one(a: int) -> object:
    return a


@pytest.mark.parametrize(("a", "b"), [(1, {"x": 0}), pytest.param(2, {}, id="two")])
@pytest.mark.parametrize("c", "xy")
def of_three(a: int, b: dict[str, int], c: str) -> object:
    return a, b, c


def of_none() -> object:
    return "once"


@pytest.mark.parametrize("a", [1])
def with_a_fixture(a: int, tmp_path: object) -> None: ...


@given(st.integers())
def drawn(a: int) -> None: ...


def results(checks: Iterable[Check]) -> list[object]:
    return [check() for check in checks]


def test_every_case_of_a_test_is_called_once() -> None:
    assert results(cases(of_none)) == ["once"]
    assert results(cases(of_one)) == [1, 2]
    every = [(a, b, c) for c in "xy" for a, b in ((1, {"x": 0}), (2, {}))]
    found = results(cases(of_three))
    assert len(found) == len(every)
    assert all(case in found for case in every)


def test_cases_are_chosen_by_their_parameters() -> None:
    assert results(cases(of_three, a=2, c="y")) == [(2, {}, "y")]
    assert list(cases(of_one, a=3)) == list(cases(of_none, a=1)) == []


def test_fixtures_are_not_made() -> None:
    assert list(cases(with_a_fixture)) == []
    assert len(list(cases(drawn))) == 1


def test_of_a_file_single_cases_come_first_and_drawn_ones_last() -> None:
    file = ModuleType("made_up")
    vars(file).update(test_d=drawn, test_c=of_three, test_b=of_none, test_a=of_one, other=of_none)

    def called(left_out: frozenset[str] = frozenset()) -> list[object]:
        return [check.func for check in of_file(file, left_out)]  # type: ignore[attr-defined]

    assert called() == [of_none, *[of_one] * 2, *[of_three] * 4, drawn]
    assert called(frozenset({"test_c", "test_d"})) == [of_none, *[of_one] * 2]
