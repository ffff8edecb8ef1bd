"""Every method takes a step on the shipped data and tiny models of every kind of task.

What it cannot do is refused by name, and stands in a list; `tests.trainables.tasks` has the rest
of what is refused, and stand-ins by which it is seen without these models.
"""

from __future__ import annotations

import math

import pytest

from search_spaces.compare_tasks import TASKS as COMPARED
from search_spaces.spec import Fields
from trainables import methods, tasks
from trainables.config import TrialConfig, merge
from trainables.errors import UsageError
from trainables.execution import Execution
from trainables.train import Trial

TASKS: dict[str, Fields] = {
    **COMPARED,
    "sentence pairs": {"data.source": {"name": "paraphrases", "pairs": 40}, "model": "bert_tiny"},
}
SMALLER: dict[str, Fields] = {
    "language modelling": {"data.source.problems": 40},
    "graph classification": {"data.source.graphs": 60},
}
BRIEF: Fields = {
    "data.subset": 32,
    "data.validation": 0,
    "batch_size": 16,
    "epochs": 1,
    "optimizer.lr": 1e-3,
}
WITHOUT_IMAGES = ("language modelling", "image-text", "graph classification", "sentence pairs")
REFUSED = {
    *((task, method) for task in WITHOUT_IMAGES for method in ("mixup", "adversarial")),
    ("regression", "label_smoothing"),
    ("image-text", "label_smoothing"),
    ("image-text", "infomcr"),
}


def fields(task: str, method: str) -> dict[str, object]:
    start = {"method.start": 0.0} if method == "infomcr" else {}
    rule = {"method": {"name": method}, **start}
    return merge({}, {**TASKS[task], **SMALLER.get(task, {}), **BRIEF, **rule})


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("method", methods.names())
def test_a_step_is_finite_or_refused_by_name(task: str, method: str) -> None:
    if (task, method) in REFUSED:
        with pytest.raises(UsageError, match=f"'{method}'"):
            TrialConfig(**fields(task, method))
        return
    trial = Trial(TrialConfig(**fields(task, method)), Execution(device="cpu"))
    before = [p.detach().clone() for p in trial.model.parameters()]
    numbers = trial.run_epoch()
    assert not trial.diverged
    assert all(map(math.isfinite, numbers.values()))
    after = list(trial.model.parameters())
    assert all(p.isfinite().all() for p in after)
    assert any((p != old).any() for p, old in zip(after, before, strict=True))


def test_every_registered_task_is_among_them() -> None:
    assert {str(given.get("loss", "cross_entropy")) for given in TASKS.values()} == set(
        tasks.names()
    )
