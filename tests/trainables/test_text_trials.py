"""Trials on texts: the same bits after a restart, and what they need before they start."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from tests.test_layers import loaded
from tests.trainables.tasks.test_every_method import REFUSED
from tests.trainables.test_on_a_device import Watched, simulated
from trainables import methods
from trainables.config import Request, TrialConfig
from trainables.errors import UsageError
from trainables.storage.files import Storage
from trainables.storage.result import TrialResult
from trainables.train import Execution, Trial, fit

EXECUTION = Execution(device="cpu")
SMALL = {"depth": 1, "width": 8, "heads": 2, "positions": 64, "dropout": 0.1}
FIELDS: dict[str, dict[str, Any]] = {
    "gpt2": {
        "data": {"source": {"name": "word_problems", "problems": 24}, "validation": 6},
        "model": {"name": "gpt2", **SMALL},
        "loss": "token_cross_entropy",
        "method": {"name": "nso", "sigma": 0.01},
        "optimizer": {"name": "adamw", "lr": 0.01},
        "epochs": 3,
        "batch_size": 8,
        "seed": 1,
    },
    "bert": {
        "data": {"source": {"name": "paraphrases", "pairs": 24}, "validation": 6},
        "model": {"name": "bert", **SMALL},
        "method": {"name": "sam"},
        "optimizer": {"name": "adamw", "lr": 0.01},
        "epochs": 3,
        "batch_size": 8,
        "seed": 1,
    },
}
TRIALS = {name: TrialConfig(**fields) for name, fields in FIELDS.items()}


def numbers(result: TrialResult) -> dict[str, list[float]]:
    return {**result.history, "final": [v for k, v in result.metrics.items() if "seconds" not in k]}


@pytest.mark.parametrize("name", TRIALS)
def test_a_trial_that_is_killed_goes_on_to_the_same_bits(name: str, tmp_path: Path) -> None:
    config = TRIALS[name]
    whole = fit(config, EXECUTION)
    storage = Storage(tmp_path)
    interrupted = Trial(config, EXECUTION, storage)
    interrupted.run_epoch()
    interrupted.save()
    interrupted.run_epoch()  # lost: the process dies here, one epoch after its checkpoint
    resumed = Trial(config, EXECUTION, storage)
    assert resumed.epoch == 1
    assert numbers(fit(config, EXECUTION, storage)) == numbers(whole)


def test_what_is_recorded_of_texts() -> None:
    told = fit(TRIALS["gpt2"].replace(epochs=1), EXECUTION).metrics
    assert 0 <= told["test_answer_accuracy"] <= 1
    assert told["test_perplexity"] == pytest.approx(math.exp(told["test_token_nll"]), rel=1e-12)
    told = fit(TRIALS["bert"].replace(epochs=1), EXECUTION).metrics
    assert 0 <= told["test_error"] <= 1


KIND = {"gpt2": "token_cross_entropy", "bert": "cross_entropy"}


@pytest.mark.parametrize("method", methods.names())
@pytest.mark.parametrize("name", TRIALS)
def test_every_method_takes_a_finite_step_or_is_refused(name: str, method: str) -> None:
    options = {"name": method, **({"start": 0.0} if method == "infomcr" else {})}
    changes = {"method": options, "batch_size": 16, "data.validation": 0, "epochs": 1}
    if words := REFUSED.get((KIND[name], method)):
        with pytest.raises(UsageError, match=words):
            TRIALS[name].replace(**changes)
        return
    trial = Trial(TRIALS[name].replace(**changes), EXECUTION)
    before = [p.detach().clone() for p in trial.model.parameters()]
    assert all(map(math.isfinite, trial.run_epoch().values()))
    after = list(trial.model.parameters())
    assert all(p.isfinite().all() for p in after)
    assert any((p != old).any() for p, old in zip(after, before, strict=True))


@pytest.mark.parametrize("name", TRIALS)
def test_a_device_has_the_numbers_of_the_cpu_and_no_step_waits_for_it(name: str) -> None:
    """The device is simulated: it computes as the CPU, but for noise, and refuses tensors of both.

    Sums may be in another order: 1e-9 is a million roundings.
    """
    asked = (Request("hessian_trace", options={"num_samples": 2}, samples=8),)
    changes = {"epochs": 1, "precision": "float64", "model.dropout": 0.0, "method": "sam"}
    config = TRIALS[name].replace(**changes)
    here = numbers(fit(config, Execution(device="cpu", measures=asked)))
    with simulated() as gpu:
        trial = Watched(gpu, config, Execution(device="cuda", measures=asked))
        trial.run_epoch()
        there = numbers(trial.finish())
    assert {step.total("wait") for step in trial.steps} == {0}
    assert there.keys() == here.keys()
    for key, values in here.items():
        assert there[key] == pytest.approx(values, rel=1e-9, nan_ok=True)


@pytest.mark.slow
def test_a_tiny_language_model_learns_to_solve_problems() -> None:
    """The commonest answer is that of 16 of the 50 problems."""
    config = TRIALS["gpt2"].replace(
        **{
            "data.source": {"name": "word_problems", "problems": 200, "largest": 1},
            "model": {"name": "gpt2_tiny", "positions": 64},
            "method": "erm",
            "optimizer.lr": 4e-3,
            "epochs": 8,
        }
    )
    assert fit(config, EXECUTION).metrics["test_answer_accuracy"] > 0.5


@pytest.mark.parametrize("name", TRIALS)
def test_naming_and_pricing_a_trial_imports_no_transformers(name: str) -> None:
    code = f"""
from trainables.config import TrialConfig
import trainables.models, trainables.data, trainables.tasks
config = TrialConfig(**{FIELDS[name]!r})
config.trial_id, config.canonical, config.layers
"""
    assert loaded(code, {"transformers", "tokenizers", "huggingface_hub"}) == set()


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("gpt2", {"model": "bert_tiny"}, "outputs of model 'bert_tiny' are for 'cross_entropy'"),
        ("bert", {"model": "gpt2_tiny"}, "outputs of model 'gpt2_tiny' are for 'token_cross_ent"),
        ("bert", {"model": "mlp"}, "model 'mlp' takes arrays, and data set 'paraphrases' has tok"),
        ("gpt2", {"loss": "mse"}, "targets of data set 'word_problems' are for 'token_cross"),
        ("gpt2", {"regularizers": ["mixup"]}, "regularizer 'mixup' changes images"),
    ],
)
def test_what_does_not_go_together_is_refused(
    name: str, change: dict[str, object], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        TRIALS[name].replace(**change)
