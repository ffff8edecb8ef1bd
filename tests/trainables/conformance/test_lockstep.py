"""Workers as threads: the mean is everyone's, and no one waits for a worker that has failed."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from trainables.conformance import lockstep
from trainables.conformance.cases import case, close
from trainables.methods import Method, Output


class Plain(Method):
    """The gradient."""

    def step(self, objective: Any) -> Output:
        loss, logits = objective.accumulate()
        return Output(loss, logits, objective=None)


class FailsFirst(Plain):
    """On the first worker, while the others wait for its gradient."""

    def step(self, objective: Any) -> Output:
        if objective.rank == 0:
            raise ArithmeticError("of the first worker")
        return super().step(objective)


def test_the_gradient_is_that_of_the_whole_batch_on_every_worker() -> None:
    whole = case().gradient(Plain(), seed=3)
    found = lockstep.gradients(case(), Plain)
    assert len(found) == 2
    assert torch.equal(*found)
    assert close(found[0], whole, 1e-13)  # of 8 examples in float64


@pytest.mark.timeout(60)
def test_no_worker_waits_for_one_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing ends their wait but that, and it is the fault itself that is raised."""
    monkeypatch.setattr(lockstep, "SECONDS", None)
    with pytest.raises(ArithmeticError, match="of the first worker"):
        lockstep.gradients(case(), FailsFirst)
