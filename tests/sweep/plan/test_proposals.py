"""What Optuna is asked for: new points, the same ones for the same results."""

from __future__ import annotations

import math

from sweep.plan.axes import Axis
from sweep.plan.proposals import Tried, propose

AXES = {"x": Axis((0.0, 1.0), True), "kind": Axis(("p", "q"), False)}
TRIED = [Tried({"x": 0.2 * i, "kind": "pq"[i % 2]}, abs(0.2 * i - 0.6)) for i in range(5)]
PENDING = [Tried({"x": 0.555, "kind": "p"}, None)]


def test_proposals_are_new_distinct_and_follow_from_what_was_tried() -> None:
    found = propose(AXES, TRIED + PENDING, 5)
    assert found == propose(AXES, TRIED + PENDING, 5)
    assert len({repr(point) for point in found}) == 5
    assert all(0 <= point["x"] <= 1 and point["kind"] in "pq" for point in found)
    assert not [point for point in found if point in [t.point for t in TRIED + PENDING]]
    opposite = [Tried(t.point, 1 - (t.loss or 0.0)) for t in TRIED]
    assert propose(AXES, opposite + PENDING, 5) != found


def test_fewer_are_the_first_of_more() -> None:
    assert propose(AXES, TRIED, 2) == propose(AXES, TRIED, 5)[:2]


def test_a_search_of_a_list_ends_when_all_of_it_has_been_tried() -> None:
    axes = {"kind": Axis(("p", "q", "r"), False)}
    tried = [Tried({"kind": "p"}, 0.5), Tried({"kind": "q"}, None)]
    assert propose(axes, tried, 4) == [{"kind": "r"}]
    assert propose(axes, [*tried, Tried({"kind": "r"}, math.inf)], 4) == []
    assert propose({}, [Tried({}, 0.5)], 4) == []


def test_what_was_pruned_is_worse_than_all_others_whatever_its_number() -> None:
    """The least numbers of all are of points far away, which were pruned early."""
    axes = {"x": Axis((0.0, 1.0), True)}
    whole = [Tried({"x": 0.1 + 0.01 * i}, 0.5 + 0.01 * i) for i in range(6)]
    far = [Tried({"x": 0.9 + 0.01 * i}, 0.01, pruned=1) for i in range(6)]
    near = [point["x"] < 0.5 for point in propose(axes, whole + far, 8)]
    as_whole = [Tried(each.point, each.loss) for each in far]
    away = [point["x"] > 0.5 for point in propose(axes, whole + as_whole, 8)]
    assert sum(near) > 4
    assert sum(away) > 4


def test_a_point_that_diverged_at_a_rung_or_after_it_can_be_told_to_optuna() -> None:
    tried = [*TRIED, Tried({"x": 0.3, "kind": "p"}, math.inf, pruned=2)]
    tried.append(Tried({"x": 0.4, "kind": "p"}, math.inf))
    assert len(propose(AXES, tried, 2)) == 2
