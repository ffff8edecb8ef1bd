"""Rungs and survivors of successive halving, from numbers alone."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.spec import Selection
from sweep.plan.halving import loss_at, rung, rungs, survivors
from trainables.errors import UsageError


@pytest.mark.parametrize(
    ("epochs", "eta", "points", "expected"),
    [
        (81, 3, 27, [3, 9, 27, 81]),  # 27 points, 9, 3, 1
        (200, 3, 16, [22, 66, 200]),  # 16 points, 5, 1
        (50, 2, 4, [12, 25, 50]),
        (4, 3, 27, [1, 4]),  # no rung before the first epoch
        (2, 3, 27, [2]),
        (50, 3, 1, [50]),  # one point has no rival
        (50, 0, 16, [50]),
    ],
)
def test_rungs_are_eta_times_apart_and_the_last_is_the_end(
    epochs: int, eta: int, points: int, expected: list[int]
) -> None:
    count = rungs(epochs, eta, points)
    assert [rung(epochs, eta, left) for left in reversed(range(count + 1))] == expected


@given(st.integers(1, 500), st.integers(2, 5), st.integers(1, 300))
def test_every_rung_is_an_epoch_and_at_last_one_point_is_left_or_the_epochs_do_not_allow_it(
    epochs: int, eta: int, points: int
) -> None:
    count = rungs(epochs, eta, points)
    found = [rung(epochs, eta, left) for left in reversed(range(count + 1))]
    assert found[0] >= 1
    assert found == sorted(set(found))
    for _ in range(count):
        points = len(survivors([0.0] * points, eta))
    assert points == 1 or epochs // eta ** (count + 1) == 0


def test_the_least_losses_go_on_and_of_equal_ones_the_first() -> None:
    assert survivors([0.3, 0.1, 0.2, 0.1, 0.1, 0.5], 3) == [1, 3]
    assert survivors([0.5, 0.4, 0.3, 0.2], 2) == [2, 3]
    assert survivors([0.5, 0.4], 3) == [1]
    assert survivors([math.inf, math.inf, math.inf], 3) == [0]
    assert survivors([math.inf, 0.9, math.inf], 3) == [1]


CURVES = {
    "validation_error": [0.5, 0.2, 0.4, 0.1],
    "validation_nll": [1.0, 0.9, 0.8, 0.7],
    "train_nll": [math.nan, math.nan, math.nan, 0.3],
}


def test_a_loss_at_a_rung_is_what_it_would_have_been_at_the_end() -> None:
    last, best = Selection("validation_error"), Selection("validation_nll", "best_validation")
    assert [loss_at(CURVES, last, epoch) for epoch in (1, 2, 3, 4)] == [0.5, 0.2, 0.4, 0.1]
    # The best epoch on validation images so far, as far as the rung.
    assert [loss_at(CURVES, best, epoch) for epoch in (1, 2, 3, 4)] == [1.0, 0.9, 0.9, 0.7]


def test_a_trial_that_diverged_before_the_rung_has_none() -> None:
    assert loss_at(CURVES, Selection("validation_error"), 5) == math.inf
    assert loss_at({}, Selection("validation_error"), 1) == math.inf


def test_a_number_of_the_end_alone_cannot_be_halved_by() -> None:
    for name in ("train_nll", "hessian_trace"):
        with pytest.raises(UsageError, match=f"--halving looks at {name} in every epoch"):
            loss_at(CURVES, Selection(name), 2)
