"""Every method on every task takes a step with finite numbers, or is refused by name."""

from __future__ import annotations

import math

import pytest

from tests.trainables.tasks import stand_ins
from trainables import methods, tasks
from trainables.config import TrialConfig
from trainables.data import augment
from trainables.errors import UsageError
from trainables.execution import Execution
from trainables.train import Trial

CHANGE_INPUTS = ("mixup", "adversarial")
REFUSED = {
    **{
        (kind, name): "changes images or feature vectors"
        for kind in (
            "token_cross_entropy",
            "cross_entropy",
            "contrastive",
            "cross_entropy of graphs",
        )
        for name in CHANGE_INPUTS
    },
    ("contrastive", "label_smoothing"): "changes class labels",
    ("mse", "label_smoothing"): "changes class labels",
    ("contrastive", "infomcr"): "in 8 parts, and loss = 'contrastive' is of the whole batch",
}
"""What cannot be, with words of the sentence that says so. Mixing or attacking token ids and
adjacency has no meaning; neither has smoothing what is no class; parts of a batch have other
negatives, and their contrastive losses do not add up to that of the batch."""


@pytest.fixture(autouse=True, scope="module")
def _parts():
    with stand_ins.registered():
        yield


def options(name: str, kind: str) -> dict:
    """Those with which a method acts from the first step on, on networks that are not smooth."""
    return {"name": name, **({"start": 0.0} if name == "infomcr" else {})}


@pytest.mark.parametrize("name", methods.names())
@pytest.mark.parametrize("kind", stand_ins.OF_TASK)
def test_a_step_is_finite_or_refused(kind: str, name: str) -> None:
    fields = stand_ins.fields(kind, method=options(name, kind), optimizer={"lr": 1e-3})
    if (kind, name) in REFUSED:
        with pytest.raises(UsageError, match=REFUSED[kind, name]) as refusal:
            TrialConfig(**fields)
        assert repr(name) in str(refusal.value)
        return
    trial = Trial(TrialConfig(**fields), Execution(device="cpu"))
    before = [p.detach().clone() for p in trial.model.parameters()]
    numbers = trial.run_epoch()
    assert not trial.diverged
    assert all(map(math.isfinite, numbers.values()))
    after = list(trial.model.parameters())
    assert all(p.isfinite().all() for p in after)
    assert any((p != old).any() for p, old in zip(after, before, strict=True))


@pytest.mark.parametrize("kind", stand_ins.OF_TASK)
def test_regularizers_are_refused_as_methods_are(kind: str) -> None:
    for name in methods.regularizers():
        fields = stand_ins.fields(kind, regularizers=[name])
        if (kind, name) in REFUSED:
            with pytest.raises(UsageError, match=repr(name)):
                TrialConfig(**fields)
        else:
            TrialConfig(**fields)


def test_every_task_has_a_stand_in() -> None:
    assert {kind.partition(" ")[0] for kind in stand_ins.OF_TASK} == set(tasks.names())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "mlp"}, "model 'mlp' takes arrays, and data set 'tiny_text' has tokens"),
        (
            {"data.source": "digits"},
            "model 'tiny_writer' takes tokens, and data set 'digits' has arr",
        ),
        ({"loss": "mse"}, "the targets of data set 'tiny_text' are for 'token_cross_entropy'"),
        ({"model": "tiny_reader", "loss": "contrastive"}, "loss = 'contrastive': the targets of"),
        ({"data.source": "tiny_sentences"}, "needs data with targets of its own"),
        (
            {"data.source": "tiny_sentences", "loss": "cross_entropy"},
            "the outputs of model 'tiny_writer' are for 'token_cross_entropy'",
        ),
        ({"data.augmentation": [next(iter(augment.names()))]}, "data.augmentation changes images"),
        ({"loss": "token_crossentropy"}, "unknown loss 'token_crossentropy'.*did you mean"),
    ],
)
def test_what_does_not_go_together_is_said(change, words) -> None:
    fields = TrialConfig(**stand_ins.fields("token_cross_entropy"))
    with pytest.raises(UsageError, match=words):
        fields.replace(**change)


def test_devices_of_one_batch_are_refused_where_the_loss_is_of_the_whole_batch() -> None:
    """Over workers NRS's devices have parts of the batch, whatever num_devices says."""
    for change in ({"method": {"name": "nrs", "num_devices": 2}}, {"method": "nrs", "workers": 2}):
        with pytest.raises(UsageError, match="'nrs' passes a batch in 2 parts"):
            TrialConfig(**stand_ins.fields("contrastive", **change))
    alone = {"name": "infomcr", "num_splits": 1, "start": 0.0}
    TrialConfig(**stand_ins.fields("contrastive", method=alone))
