"""Two gloo processes that share a trial do what one process does, method by method."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainables.parallel.worker_pair import BASE, EXECUTION, Pair, alone, compare, on_two
from trainables.config import TrialConfig
from trainables.parallel import equivalence
from trainables.storage.files import Storage
from trainables.storage.trial_folder import CHECKPOINT, RESULT
from trainables.train import Trial

NORMED = {"name": "resnet_tiny"}

STEPS = 2 * len(Trial(TrialConfig(**BASE), EXECUTION).batches)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.close()


SAME: dict[str, dict[str, Any]] = {
    "erm": {},
    "erm-uneven": {"drop_last": False, "batch_size": 30},
    "erm-fewer-samples-than-workers": {"drop_last": False, "batch_size": 51},
    "augmented": {
        "data": {**BASE["data"], "augmentation": ["pad_crop", {"name": "cutout", "size": 2}]}
    },
    "erm-sync": {"model": NORMED, "workers": {"batchnorm": "sync"}},
    "erm-parts": {"model": NORMED, "batchnorm_parts": 4},
    "nso-separate": {
        "method": {"name": "nso", "sigma": 0.05}, "model": NORMED, "batchnorm": "separate",
        "workers": {"batchnorm": "sync"},
    },
    "clean-plateau": {
        "schedule": {"name": "plateau", "patience": 1, "watch": "clean"}, "epochs": 4,
    },
    "clipped": {"optimizer": {"lr": 0.05, "clip_norm": 0.5}, "method": "l2_sp"},
    "nso": {"method": {"name": "nso", "sigma": 0.05}},
    "amp": {"method": {"name": "amp", "epsilon": 0.1, "inner_steps": 2}},
    "amp-clip": {"method": {"name": "amp", "epsilon": 0.1, "clip": 0.3}},
    "sam": {"method": {"name": "sam", "rho": 0.2}, "regularizers": ["label_smoothing"]},
    "sam-sync": {
        "method": {"name": "sam", "rho": 0.2}, "model": NORMED, "workers": {"batchnorm": "sync"}
    },
    "bsam-adaptive": {"method": {"name": "bsam", "posterior": "adaptive", "num_data": 256}},
    "nrs": {"method": {"name": "nrs", "num_devices": 4}},
    "nrs-batchnorm": {"method": {"name": "nrs", "num_devices": 2}, "model": NORMED},
    "rpr": {"method": {"name": "rpr", "num_devices": 2}},
    "infomcr": {"method": {"name": "infomcr", "num_splits": 4, "alpha": 0.05, "phases": "111"}},
    "infomcr-batchnorm": {
        "method": {"name": "infomcr", "num_splits": 4, "alpha": 0.05, "phases": "111"},
        "model": NORMED,
    },
    "fa": {"method": {"name": "fa", "lam": 0.5, "num_probes": 2}},
    "fa-sync": {
        "method": {"name": "fa", "lam": 0.5, "num_probes": 1}, "model": NORMED,
        "workers": {"batchnorm": "sync"}, "epochs": 1, "data": {**BASE["data"], "subset": 128},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_two_workers_give_the_numbers_of_one(pair: Pair, name: str) -> None:
    """Equal but for the order of sums: float64 rounding, 1e-16 a step, grows far less than 1e-9.

    The trial is then the same trial: it has the same name.
    """
    together, single = on_two(SAME[name]), {**BASE, **SAME[name], "workers": 1}
    answers = pair.run(together)
    compare(answers, alone(single), 1e-9)
    if "uneven" not in name and "fewer" not in name:
        assert TrialConfig(**together).trial_id == TrialConfig(**single).trial_id


def test_single_precision_agrees_to_a_millionth(pair: Pair) -> None:
    fields = {**BASE, "precision": "float32", "epochs": 1}
    (answer, _), trial = pair.run({**fields, "workers": 2}), alone(fields)
    for name, value in trial.model.state_dict().items():
        torch.testing.assert_close(answer["weights"][name], value, rtol=0, atol=1e-6)


OWN: dict[str, dict[str, Any]] = {
    "local BatchNorm": {"model": NORMED},
    "dropout": {"model": {"name": "mlp", "dropout": 0.3}},
    "mixup": {"regularizers": ["mixup"]},
    "flooding": {"regularizers": [{"name": "flooding", "level": 2.4}]},
    "local SAM": {"method": {"name": "sam", "rho": 0.5, "perturbation": "local"}},
    "local AMP": {"method": {"name": "amp", "perturbation": "local"}},
    "local FA": {"method": {"name": "fa", "lam": 5.0, "perturbation": "local"}},
}


@pytest.mark.parametrize("name", OWN)
def test_what_depends_on_the_workers_is_a_trial_of_its_own(pair: Pair, name: str) -> None:
    together = on_two(OWN[name])
    single = equivalence.for_single_process(TrialConfig(**together)).model_dump(mode="json")
    first, second = pair.run(together)
    assert first.get("error") is None
    assert json.dumps(first["history"]) == json.dumps(second["history"])
    assert all(torch.equal(v, second["weights"][k]) for k, v in first["weights"].items())
    losses = alone(single).history["running_train_loss"]
    assert first["history"]["running_train_loss"] != pytest.approx(losses, rel=1e-6)
    assert TrialConfig(**together).trial_id != TrialConfig(**single).trial_id


MESSAGES = {
    "erm": (1, {}),
    "nso": (1, {}),
    "nrs": (1, {"num_devices": 2}),
    "rpr": (1, {}),
    "infomcr": (1, {"num_splits": 4, "phases": "111"}),
    "sam": (2, {}),
    "amp": (3, {"inner_steps": 2}),
    "fa": (3, {"num_probes": 2}),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_gradients_are_averaged_no_oftener_than_the_method_asks(pair: Pair, name: str) -> None:
    """Once a step for the gradient; besides that only what is shared by definition.

    AMP: each inner gradient; SAM: the ascent gradient; FA: each probe's H v; the others nothing.
    """
    count, options = MESSAGES[name]
    answers = pair.run(on_two({"method": {"name": name, **options}}))
    assert [a["reductions"] for a in answers] == [count * STEPS] * 2


@pytest.mark.parametrize("name", ["sam", "amp", "fa"])
def test_a_local_perturbation_is_never_averaged(pair: Pair, name: str) -> None:
    answers = pair.run(on_two({"method": {"name": name, "perturbation": "local"}}))
    assert [a["reductions"] for a in answers] == [STEPS] * 2


def test_a_worker_dies_and_two_new_ones_end_with_the_same_bits(pair: Pair, tmp_path: Path) -> None:
    """The first worker alone writes; the others get the checkpoint through it."""
    fields = {**on_two({"model": NORMED, "method": {"name": "sam"}}), "epochs": 3}
    whole, _ = pair.run(fields)
    mortal = Pair()
    try:
        answers = mortal.run(fields, storage=str(tmp_path / "s"), save_after=1, die_after=2)
        assert len(answers) == 1
        assert answers[0]["error"].startswith("PeerLostError")
    finally:
        mortal.close()
    storage = Storage(tmp_path / "s")
    assert storage.exists(CHECKPOINT)
    resumed = pair.run(fields, storage=str(tmp_path / "s"))
    assert storage.exists(RESULT)
    assert not storage.exists(CHECKPOINT)
    for answer in resumed:
        assert json.dumps(answer["history"]) == json.dumps(whole["history"])
        assert all(torch.equal(v, answer["weights"][k]) for k, v in whole["weights"].items())


def test_replicas_that_drift_apart_are_found(pair: Pair) -> None:
    """One weight of one worker moves by 1e-9 after the first epoch: both stop after the second."""
    answers = pair.run({**on_two({}), "epochs": 3}, drift_after=1)
    assert [a["error"].partition(":")[0] for a in answers] == ["DriftedError"] * 2
    assert "the weights of the 2 workers are no longer equal" in answers[0]["error"]
    assert [a.get("error") for a in pair.run(on_two({}))] == [None, None]


def test_methods_that_would_drift_are_refused(pair: Pair) -> None:
    """A method whose step would leave other weights on each worker has no local perturbation."""
    fields = on_two({"method": {"name": "bsam", "code_faithful": True}})
    assert [a.get("error") for a in pair.run(fields)] == [None, None]
    with pytest.raises(ValueError, match="must be equal on all workers"):
        TrialConfig(**on_two({"method": {
            "name": "bsam", "code_faithful": True, "perturbation": "local"}}))  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 1, "drop_last": False}, r"batch_size = 1 is less than workers\.count = 2"),
        ({"method": {"name": "infomcr", "num_splits": 3}}, "num_splits = 3 is not a multiple"),
        ({"method": {"name": "nrs", "num_devices": 3}}, "num_devices = 3 is not a multiple"),
        ({"batchnorm_parts": 3}, r"batchnorm_parts = 3 over workers\.count = 2 needs a multiple"),
        (
            {"batchnorm_parts": 4, "workers": {"batchnorm": "sync"}},
            r"needs a multiple of that, and workers\.batchnorm = 'local'",
        ),
        (
            {"method": "nrs", "workers": {"batchnorm": "sync"}},
            "statistics of their own; use 'local'",
        ),
    ],
)
def test_what_workers_cannot_do_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrialConfig(**on_two(changes))


def test_a_trial_of_two_workers_is_not_run_by_one() -> None:
    with pytest.raises(ValueError, match="is for 2 workers and there are 1"):
        Trial(TrialConfig(**on_two({"model": NORMED})), EXECUTION)


def test_one_worker_is_no_part_of_the_name() -> None:
    assert "workers" not in TrialConfig(**BASE).canonical
    assert TrialConfig(**BASE, workers=1).trial_id == TrialConfig(**BASE).trial_id
