"""Values between two ends."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweep.files.keys import Draws, Range
from sweep.files.ranges import DIGITS, points, values
from trainables.errors import UsageError


def test_equal_ratios_and_equal_distances() -> None:
    assert values(Range(log=(1e-4, 1e-1), num=4)) == [0.0001, 0.001, 0.01, 0.1]
    assert values(Range(log=(0.01, 0.1), num=3)) == [0.01, 0.0316228, 0.1]
    assert values(Range(linear=(0.1, 0.3), num=3)) == [0.1, 0.2, 0.3]


def test_whole_ends_give_whole_values_where_they_are_whole() -> None:
    found = values(Range(log=(32, 256), num=4)) + values(Range(linear=(1, 9), num=5))
    assert found == [32, 64, 128, 256, 1, 3, 5, 7, 9]
    assert {type(value) for value in found} == {int}
    assert values(Range(linear=(0.0, 2.0), num=3)) == [0.0, 1.0, 2.0]
    assert {type(value) for value in values(Range(linear=(0.0, 2.0), num=3))} == {float}


@given(st.floats(1e-6, 1e5), st.floats(1.01, 1e6), st.integers(2, 9), st.booleans())
def test_ends_are_there_and_values_ascend(low: float, by: float, num: int, log: bool) -> None:
    kind = "log" if log else "linear"
    found = values(Range.model_validate({kind: (low, low * by), "num": num}))
    rounded = 0.5 * 10 ** (1 - DIGITS)
    assert found[0] == pytest.approx(low, rel=rounded)
    assert found[-1] == pytest.approx(low * by, rel=rounded)
    assert found == sorted(found)
    assert len(set(found)) == len(found)


def test_draws_are_known() -> None:
    """They enter trials' names: those of a seed are the same on every machine and in every year."""
    assert values(Range(random=(0.0, 1.0), num=3)) == [0.844422, 0.757954, 0.420572]
    assert values(Range(random={"log": (1e-4, 1e-1)}, num=2)) == [0.0341402, 0.0187872]
    assert values(Range(random=(0.0, 1.0), num=2, seed=1)) == [0.134364, 0.847434]
    box = {"a": {"log": [0.01, 1.0]}, "b": ["x", "y", "z"]}
    assert points(Draws(random=box, num=2)) == [
        {"a": 0.488477, "b": "z"}, {"a": 0.0693654, "b": "x"},
    ]  # fmt: skip
    assert points(Draws(random=box, num=2, seed=1)) == [
        {"a": 0.0185664, "b": "z"}, {"a": 0.336937, "b": "x"},
    ]  # fmt: skip
    assert values(Range(sobol=(0.0, 1.0), num=3)) == [0.5, 0.75, 0.25]
    assert values(Range(sobol={"log": (0.01, 1.0)}, num=2, seed=1)) == [0.316228, 0.0316228]
    assert points(Draws(sobol=box, num=3)) == [
        {"a": 0.1, "b": "y"}, {"a": 0.316228, "b": "x"}, {"a": 0.0316228, "b": "z"},
    ]  # fmt: skip


@pytest.mark.filterwarnings("error")
def test_a_sobol_sequence_fills_the_box_evenly() -> None:
    """Of 2^k points from a multiple of 2^k on, each quarter of each axis has a quarter of them."""
    box = {"a": {"linear": [0.0, 1.0]}, "b": {"linear": [0.0, 1.0]}}
    found = points(Draws(sobol=box, num=16, seed=15))
    for axis in "ab":
        quarters = [int(4 * point[axis]) for point in found]
        assert sorted(quarters) == sorted(4 * [0, 1, 2, 3])
    assert points(Draws(sobol=box, num=4, seed=2)) == points(Draws(sobol=box, num=6))[2:]


WRONG: list[tuple[Any, str]] = [
    (Range(num=3), "give one of log, linear, random, sobol; there is none"),
    (Range(log=(1, 2), linear=(1, 2), num=3), "there is log and linear"),
    (Range(log=(0, 1), num=3), "the ends of a logarithmic range are above 0"),
    (Range(linear=(2, 1), num=3), "linear: 2 is not below 1"),
    (Range(linear=(1, 2), num=1), "num = 1: a range has both its ends"),
    (Range.model_validate({"random": {"log": (1, 2), "linear": (1, 2)}, "num": 1}), "give one of"),
    (Draws(num=3), "give one of sobol, random; there is none"),
    (Draws(sobol={}, num=3), "sobol: it names no field"),
    (Draws(sobol={"a": 0.1}, num=3), "a: write {log: [a, b]}"),
    (Draws(sobol={"a": {"log": ["x", 2]}}, num=3), "a: its ends are two numbers"),
    (Draws(random={"a": []}, num=3), "a: write {log: [a, b]}"),
]  # fmt: skip


@pytest.mark.parametrize(("given_", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_makes_no_range_is_refused(given_: Any, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        (points if isinstance(given_, Draws) else values)(given_)
    assert said in str(refused.value)


def test_no_value_is_there_twice() -> None:
    assert values(Range(linear=(1.0, 1.000001), num=5)) == [1.0]
    drawn = points(Draws(random={"a": ["x", "y"]}, num=50))
    assert all(one != other for one, other in itertools.combinations(drawn, 2))
