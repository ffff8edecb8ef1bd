"""What a search may propose of a hyper-parameter: its range, its scale, a 0 beside decades."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from sweep.plan.axes import Axis, first_points


@pytest.mark.parametrize(
    ("name", "values", "distribution"),
    [
        ("method.epsilon", (0.05, 0.1, 0.5), FloatDistribution(0.05, 0.5, log=True)),
        ("method.alpha", (2.0, 0.5, 1.0), FloatDistribution(0.5, 2.0)),
        ("method.lambda", (0.0, 0.1), FloatDistribution(0.0, 0.1)),
        ("method.lambda", (0.0,), FloatDistribution(0.0, 0.0)),
        ("method.mu", (-1.0, 1.0, 10.0), FloatDistribution(-1.0, 10.0)),
        ("method.beta", (1, 5, 100), IntDistribution(1, 100, log=True)),
        ("batch_size", (128, 256), CategoricalDistribution((0, 1))),
        ("method.adaptive", (True, False), CategoricalDistribution((0, 1))),
        ("model", ({"name": "mlp"}, {"name": "cnn"}), CategoricalDistribution((0, 1))),
    ],
)
def test_a_range_where_values_between_make_sense_and_a_list_elsewhere(
    name: str, values: tuple[object, ...], distribution: object
) -> None:
    axis = Axis.of(name, values, "nso")
    assert axis.distribution == distribution
    assert [axis.decode(axis.encode(value)) for value in values] == list(values)


def test_what_a_part_says_is_a_list_is_tried_as_listed() -> None:
    assert not Axis.of("method.num_perturbations", (1, 4), "nso").between
    assert Axis.of("method.sigma", (0.01, 0.02), "nso").between


def test_a_proposed_number_has_three_digits_and_stays_in_the_range() -> None:
    axis = Axis.of("method.rho", (0.0123456, 0.5004), "sam")
    assert axis.decode(0.123456) == 0.123
    assert axis.decode(0.0123457) == 0.0123456
    assert axis.decode(0.5003) == 0.5
    assert Axis((0.01, 0.1236), True).decode(0.1236) == 0.1236
    assert Axis.of("method.beta", (1, 2000), "infomcr").decode(1234) == 1234


def test_a_0_beside_values_that_span_decades_is_a_point_of_its_own() -> None:
    """It lies as far below the least of them as they are from one another."""
    axis = Axis((0.0, 0.001, 0.01, 0.1), True)
    found = axis.distribution
    assert isinstance(found, FloatDistribution)
    assert (found.log, found.high) == (True, 0.1)
    assert found.low == pytest.approx(0.0001)
    assert [axis.decode(axis.encode(value)) for value in axis.values] == list(axis.values)
    assert found.low < axis.encode(0.0) < 0.001
    assert [axis.decode(code) for code in (found.low, 0.00099, 0.001)] == [0.0, 0.0, 0.001]
    assert axis.words() == "0, 0.001 to 0.1 (log)"


def test_a_0_beside_whole_numbers_stays_one() -> None:
    axis = Axis((0, 1, 10, 100), True)
    assert [axis.decode(axis.encode(value)) for value in axis.values] == [0, 1, 10, 100]
    assert [type(axis.decode(code)) for code in (0.2, 7.4)] == [int, int]


@given(
    st.lists(st.floats(1e-6, 1e3), min_size=2, max_size=6, unique=True).filter(
        lambda values: max(values) / min(values) >= 10
    ),
    st.floats(0, 1),
)
def test_a_0_takes_one_part_of_the_scale_and_all_else_is_in_the_range(
    values: list[float], place: float
) -> None:
    axis = Axis((0.0, *values), True)
    found = axis.distribution
    low, high = math.log(found.low), math.log(found.high)  # type: ignore[attr-defined]
    share = (math.log(min(values)) - low) / (high - low)
    # One gap of len(values), as the values themselves have one less; logarithms are off by 1e-15.
    assert share == pytest.approx(1 / len(values), rel=1e-9)
    decoded = axis.decode(math.exp(low + place * (high - low)))
    assert decoded == 0 or min(values) <= decoded <= max(values)


def test_a_wider_range_has_the_ends_that_are_asked_for() -> None:
    narrow = Axis((0.05, 0.1), True)
    assert narrow.widened(0.001, 1.0).distribution == FloatDistribution(0.001, 1.0, log=True)
    zero = narrow.widened(0, 1.0).distribution
    assert zero == FloatDistribution(0.05 / 20**0.5, 1.0, log=True)
    assert Axis((1, 2), False).widened(1, 8).distribution == IntDistribution(1, 8)
    assert Axis((1, 2), False).widened(1, 8.0).distribution == FloatDistribution(1.0, 8.0)
    assert narrow.widened(0.001, 1.0).words() == "0.001 to 1 (log)"
    assert Axis((1, 2), False).words() == "1, 2"


@pytest.mark.parametrize("count", [1, 2, 3, 9, 10])
def test_fewer_points_are_the_first_of_more_and_lie_evenly(count: int) -> None:
    points = [{"x": place} for place in range(9)]
    found = [point["x"] for point in first_points(points, count)]
    assert found == [0, 8, 4, 2, 6, 1, 3, 5, 7][:count]
    gaps = [b - a for a, b in pairwise(sorted(found))]
    assert not gaps or max(gaps) <= 2 * min(gaps)


def test_of_one_point_there_is_one_and_of_none_none() -> None:
    assert first_points([{"x": 1}], 4) == [{"x": 1}]
    assert first_points([], 4) == []
