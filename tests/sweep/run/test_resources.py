"""Placement: what fits, what never can, and what is said of what must wait."""

from __future__ import annotations

import pytest

from sweep.run import resources
from sweep.run.resources import Cluster, ResourceError, TrialResources, WaitNotice

ONE = Cluster([{"CPU": 2.0, "memory": 1e9}])
TWO = Cluster([{"CPU": 2.0}, {"CPU": 2.0, "GPU": 1.0}])
GROWING = Cluster([{"CPU": 0.0}], limit={"CPU": 32.0, "GPU": 4.0})


@pytest.mark.parametrize(
    ("cluster", "request_", "room"),
    [
        (ONE, TrialResources(), 2),
        (ONE, TrialResources(cpus=0.5), 4),
        (ONE, TrialResources(cpus=0.1), 20),
        (ONE, TrialResources(workers=2), 1),
        (ONE, TrialResources(cpus=0, gpus=0), 1),
        (TWO, TrialResources(workers=2), 2),
        (TWO, TrialResources(workers=3), 1),
        (TWO, TrialResources(cpus=2), 2),
        (TWO, TrialResources(cpus=1, gpus=0.25), 2),  # CPUs beside the GPU are what is short
        (TWO, TrialResources(cpus=0.5, gpus=0.25), 4),
        (TWO, TrialResources(workers=2, cpus=0.5, gpus=0.25), 2),
        (GROWING, TrialResources(workers=4, cpus=4, gpus=1), 1),
        (GROWING, TrialResources(cpus=4, gpus=0.5), 8),
    ],
)
def test_room(cluster: Cluster, request_: TrialResources, room: int) -> None:
    cluster.check(request_)
    assert cluster.max_concurrent(request_, None) == room
    assert cluster.max_concurrent(request_, 1) == 1
    assert cluster.max_concurrent(request_, 100) == room


@pytest.mark.parametrize(
    ("cluster", "request_", "message"),
    [
        (ONE, TrialResources(cpus=3),
         r"^a trial asks for 3 CPUs and the cluster has 2; .* --cpus$"),
        (ONE, TrialResources(gpus=0.5), r"asks for 0\.5 GPUs and the cluster has 0; .*--gpus$"),
        (ONE, TrialResources(workers=3),
         r"asks for 3 CPUs \(3 workers with 1 CPUs each\) and the cluster has 2; .*--workers$"),
        (TWO, TrialResources(cpus=3),
         r"asks for 3 CPUs, and no node has room .*\(nodes: 2 CPUs, 2 CPUs\)"),
        (TWO, TrialResources(workers=3, cpus=1.5), r"asks for 4\.5 CPUs .* has 4;"),
        (TWO, TrialResources(workers=2, cpus=1, gpus=0.6), r"asks for 1\.2 GPUs .* has 1;"),
        (GROWING, TrialResources(workers=8, gpus=1),
         r"asks for 8 GPUs \(8 workers with 1 CPUs and 1 GPUs each\) .* can grow to 4;"),
    ],
)  # fmt: skip
def test_what_can_never_run_is_refused_with_the_numbers(
    cluster: Cluster, request_: TrialResources, message: str
) -> None:
    with pytest.raises(ResourceError, match=message):
        cluster.check(request_)


def test_waiting_says_what_is_needed_what_is_free_and_how_far_it_may_grow() -> None:
    assert ONE.waiting_message(TrialResources(workers=2), {"CPU": 0.5}) == (
        "waiting for room: a trial needs 2 workers with 1 CPUs each, 0.5 of 2 CPUs are free"
    )
    assert GROWING.waiting_message(TrialResources(cpus=4, gpus=1), {}) == (
        "waiting for room: a trial needs 4 CPUs and 1 GPUs, 0 of 0 CPUs are free and 0 of 0 GPUs "
        "are free; the cluster may grow to 32 CPUs and 4 GPUs, which takes minutes"
    )


def test_patience_speaks_after_a_while_and_not_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(resources.time, "monotonic", lambda: clock[0])
    said: list[str] = []
    state: list[str | None] = ["waiting"]
    notice = WaitNotice(lambda: state[0], said.append, first=5, again=60)
    for clock[0] in range(200):
        notice.update(running=100 <= clock[0] < 110)
    assert len(said) == 1 + 1 + 2  # at 5, 65, and after the run at 114 and 174
    state[0] = None  # resources are held, processes are starting
    for clock[0] in range(200, 400):
        notice.update(running=False)
    assert len(said) == 4
