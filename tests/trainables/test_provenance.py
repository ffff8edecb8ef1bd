"""Where a number comes from, and what is said of a trial that goes on elsewhere."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from trainables import provenance, train
from trainables.config import TrialConfig
from trainables.execution import Execution
from trainables.simulated_gpu import NAME, SimulatedGPU
from trainables.storage.files import Storage
from trainables.train import Trial

SHORT = TrialConfig(epochs=2, batch_size=16, data={"subset": 40})


def test_versions_are_those_that_are_installed() -> None:
    packages = provenance.machine("cpu")["packages"]
    versions = dict(each.split("=", 1) for each in packages.split("; "))
    assert {"numpy", "torch", "torchvision", "pillow", "scipy"} <= versions.keys()
    for name in ("numpy", "torch", "pillow"):
        assert versions[name] == metadata.version(name)


def test_another_package_is_another_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = provenance.machine("cpu")["environment"]
    (tmp_path / "Something-1.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    provenance.machine.cache_clear()
    try:
        assert provenance.machine("cpu")["environment"] != before
    finally:
        provenance.machine.cache_clear()


def test_a_gpu_has_a_model_and_a_driver() -> None:
    with SimulatedGPU():
        found = provenance.machine("cuda:0")
    provenance.machine.cache_clear()
    assert found["hardware"] == NAME
    assert "CUDA" in found["driver"]
    assert "driver" not in provenance.machine("cpu")


HERE = {"hardware": "B", "packages": "numpy=2; torch=3", "environment": "f"}


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (HERE, ""),
        ({}, ""),
        (HERE | {"environment": "0"}, ""),
        (HERE | {"hardware": "A"}, "hardware B (was A)"),
        (HERE | {"packages": "numpy=2; torch=2"}, "torch 3 (was 2)"),
        (HERE | {"packages": "numpy=1; torch=2; gone=1"}, "numpy 2 (was 1), torch 3 (was 2)"),
    ],
)
def test_what_differs_is_named(
    before: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "machine", lambda _: HERE)
    assert provenance.elsewhere(before, "cpu") == said


def test_a_trial_that_goes_on_elsewhere_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage, said = Storage(str(tmp_path)), list[str]()
    on_cpu = Execution(device="cpu")
    first = Trial(SHORT, on_cpu, storage)
    first.run_epoch()
    first.save()
    Trial(SHORT, on_cpu, storage, notify=said.append)
    assert said == []
    here = provenance.machine("cpu")
    monkeypatch.setattr(provenance, "machine", lambda _: {**here, "hardware": "another"})
    trial = Trial(SHORT, on_cpu, storage, notify=said.append)
    assert trial.epoch == 1
    (sentence,) = said
    assert sentence.startswith(f"trial {SHORT.trial_id} goes on with hardware another (was ")
    assert train.machine("cpu") == here  # which its result has, where it ends
