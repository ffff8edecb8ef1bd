"""Curves as a file, and thinned. Oracle: the lists themselves."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.record.curves import POINTS, decode, digest, encode, thinned

LISTS = st.lists(st.floats(), max_size=300)


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.text(max_size=5), LISTS, max_size=4))
def test_a_file_gives_back_every_bit(history: dict[str, list[float]]) -> None:
    found = decode(encode(history))
    assert list(found) == list(history)
    assert repr(found) == repr(history)  # NaN, -0.0 and subnormal numbers too


@settings(deadline=None, max_examples=60)
@given(LISTS)
def test_a_thinned_curve_has_measured_points_of_the_curve(curve: list[float]) -> None:
    known = [(i + 1, value) for i, value in enumerate(curve) if not math.isnan(value)]
    found = thinned(curve)
    assert len(found) == min(POINTS, len(known))
    assert sorted(set(found)) == found or any(value == 0 for _, value in found)
    assert set(found) <= set(known)
    assert found[:1] == known[:1]
    assert found[-1:] == known[-1:]


def test_epochs_without_a_value_are_no_points() -> None:
    assert thinned([math.nan, 1.0, math.nan, 2.0]) == [(2, 1.0), (4, 2.0)]


@pytest.mark.parametrize("epochs", [9, 20, 200])
def test_points_are_evenly_between(epochs: int) -> None:
    found = [epoch for epoch, _ in thinned([0.5] * epochs)]
    assert (found[0], found[-1], len(found)) == (1, epochs, POINTS)
    steps = [b - a for a, b in itertools.pairwise(found)]
    assert max(steps) - min(steps) <= 1


def test_a_digest_is_of_every_byte() -> None:
    content = encode({"loss": [1.0, 2.0]})
    assert digest(content) == digest(encode({"loss": [1.0, 2.0]}))
    assert digest(content) != digest(content[:-1] + bytes([content[-1] ^ 1]))
