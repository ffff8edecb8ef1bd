"""Trials of pairs and of graphs: every method, a restart, a device; with the real networks."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.test_layers import loaded
from tests.trainables.tasks.test_every_method import REFUSED
from tests.trainables.test_on_a_device import Watched, simulated
from trainables import methods, models
from trainables.config import Request, TrialConfig
from trainables.conformance.kinds import KINDS as KINDS_OF_INPUTS
from trainables.errors import UsageError
from trainables.execution import Execution
from trainables.storage.files import Storage
from trainables.train import Trial, fit

CPU = Execution(device="cpu")
KINDS: dict[str, dict[str, Any]] = {
    "contrastive": {"data.source": "captioned_digits", "model": "clip_tiny", "loss": "contrastive"},
    "cross_entropy of graphs": {"data.source": "ego_graphs", "model": "gcn_tiny"},
    "cross_entropy of graphs, normalized": {
        "data.source": "ego_graphs",
        "model": {"name": "gcn_tiny", "batchnorm": True},
    },
}


def fields(kind: str, **others: Any) -> dict[str, Any]:
    source, *given = KINDS[kind].items()
    return {
        "data": {"source": source[1], "subset": 60, "validation": 8, "split_seed": 0},
        **dict(given),
        "batch_size": 16,
        "epochs": 2,
        "optimizer": {"lr": 1e-3},
        **others,
    }


LIBRARIES = {"captioned_digits": "clip_tiny", "ego_graphs": "gcn_tiny"}


@pytest.mark.parametrize("source", LIBRARIES)
def test_libraries_wait_until_a_network_is_made(source: str) -> None:
    code = (
        "from trainables import data, models; from trainables.config import TrialConfig;"
        f"TrialConfig(data={{'source': {source!r}}}, model={LIBRARIES[source]!r},"
        f"loss={'contrastive' if 'digits' in source else 'cross_entropy'!r});"
        f"data.load({source!r})"
    )
    assert not loaded(code, {"transformers", "torch_geometric", "tokenizers"})


@pytest.mark.parametrize(
    ("model", "package", "extra"),
    [
        ("clip_tiny", "transformers.models.clip", "text"),
        ("gcn", "torch_geometric.nn.dense", "graph"),
    ],
)
def test_a_library_that_is_not_there_is_one_sentence(
    model: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    kind = KINDS_OF_INPUTS[models.registry.fit(model).inputs]
    with pytest.raises(UsageError) as error:
        models.build(model, 3, (), kind.spec)
    name = package.partition(".")[0]
    assert f"needs {name}, which is not installed: pip install 'flatsweep[{extra}]'" in str(
        error.value
    )
    assert "\n" not in str(error.value)


def numbers(result: Any) -> dict[str, str]:
    """Everything a trial measured, without its clock; texts, in which NaN equals NaN."""
    found = result.history | {k: v for k, v in result.metrics.items() if "seconds" not in k}
    return {name: str(value) for name, value in found.items()}


@pytest.mark.parametrize("name", methods.names())
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_is_finite_or_refused(kind: str, name: str) -> None:
    method = {"name": name, **({"start": 0.0} if name == "infomcr" else {})}
    if words := REFUSED.get((kind.partition(",")[0], name)):
        with pytest.raises(UsageError, match=words):
            TrialConfig(**fields(kind, method=method))
        return
    trial = Trial(TrialConfig(**fields(kind, method=method)), CPU)
    before = [p.detach().clone() for p in trial.model.parameters()]
    assert all(map(math.isfinite, trial.run_epoch().values()))
    after = list(trial.model.parameters())
    assert all(p.isfinite().all() for p in after)
    assert any((p != old).any() for p, old in zip(after, before, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_a_stopped_trial_goes_on_to_the_same_bits(kind: str, tmp_path: Path) -> None:
    of = TrialConfig(**fields(kind, method={"name": "nso", "sigma": 0.01}))
    whole = fit(of, CPU, Storage(str(tmp_path / "whole")))
    stopped = Trial(of, CPU, Storage(str(tmp_path / "stopped")))
    stopped.run_epoch()
    stopped.save()
    assert numbers(fit(of, CPU, Storage(str(tmp_path / "stopped")))) == numbers(whole)


@pytest.mark.parametrize("kind", KINDS)
def test_a_device_has_the_numbers_of_the_cpu(kind: str) -> None:
    """The device is simulated: it computes as the CPU, and refuses tensors of both.

    Its attention is another kernel: sums in another order, 1e-16 each.
    """
    asked = (Request("hessian_trace", options={"num_samples": 2}, samples=8),)
    of = TrialConfig(**fields(kind, epochs=1, precision="float64"))
    here = fit(of, Execution(device="cpu", measures=asked))
    with simulated() as gpu:
        trial = Watched(gpu, of, Execution(device="cuda", measures=asked))
        trial.run_epoch()
        there = trial.finish()
    # How many nodes a batch has, over which BatchNorm normalizes, only the device knows.
    waits = {step.total("wait") for step in trial.steps}
    assert (waits == {0}) == ("normalized" not in kind)
    assert numbers(there).keys() == numbers(here).keys()
    for name, value in numbers(here).items():
        assert float(numbers(there)[name]) == pytest.approx(float(value), rel=1e-9, nan_ok=True)


def test_a_measured_loss_is_that_of_the_batch_that_was_asked_for() -> None:
    """Which pairs a pair is told from is a matter of the batch."""
    of = TrialConfig(**fields("contrastive", epochs=1, precision="float64"))
    asked = Request("loss", samples=24, batch_size=24)
    result = fit(of, Execution(device="cpu", measures=(asked,)))
    trial = Trial(of, CPU)
    trial.run_epoch()
    trial.model.eval()
    inputs, targets = next(iter(trial.splits["train"].head(24, 24)))
    with torch.no_grad():
        expected = trial.loss_fn(trial.model(inputs), targets)
    assert result.metrics["loss"] == pytest.approx(float(expected), rel=1e-12)
