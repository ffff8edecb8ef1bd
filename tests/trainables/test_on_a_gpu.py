"""What no simulation can say: the same bits each time, IEEE rounding, and that it runs at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sweep.cli.device_check import fault
from tests.needs import needs_gpu
from tests.trainables.test_on_a_device import METHODS, config, numbers
from trainables import models
from trainables.config import Request, TrialConfig
from trainables.execution import Execution, reproducible
from trainables.gpu_memory import share_of_memory
from trainables.precision import rounding
from trainables.storage.files import Storage
from trainables.train import Trial, fit

pytestmark = [pytest.mark.gpu, needs_gpu()]
GPU = torch.device("cuda", 0)
ON_GPU = Execution(device="cuda")


@pytest.mark.parametrize("method", METHODS)
def test_the_same_bits_each_time_and_after_a_restart(method: str, tmp_path: Path) -> None:
    of = config(method, "resnet_tiny", "adam", "crop")
    first = numbers(fit(of, ON_GPU))
    assert numbers(fit(of, ON_GPU)) == first
    stopped = Trial(of, ON_GPU, Storage(str(tmp_path)))
    stopped.run_epoch()
    stopped.save()
    assert numbers(fit(of, ON_GPU, Storage(str(tmp_path)))) == first


NO_ARRAYS = {
    ("tokens", "token_cross_entropy"): "word_problems",
    ("tokens", "cross_entropy"): "paraphrases",
    ("pairs", "contrastive"): "captioned_digits",
    ("graphs", "cross_entropy"): "ego_graphs",
}
"""Data of networks by their kind of inputs and their loss."""


@pytest.mark.parametrize("network", models.names())
def test_a_trial_of_each_network(network: str, tmp_path: Path) -> None:
    """No operation without a deterministic kernel, and none that waits for the device in a step."""
    draws = np.random.default_rng(0)
    images = draws.integers(0, 256, (60, 32, 32, 3), dtype=np.uint8)
    np.savez(tmp_path / "made.npz", images=images, labels=np.arange(60) % 3)
    given: dict[str, Any] = {
        "data": {"source": {"name": "arrays", "set": "made"}},
        "model": network,
    }
    if network == "factorization":
        source = {"name": "matrix_sensing", "size": 6, "rank": 2, "measurements": 60}
        given = {"data": {"source": source, "validation": 0}, "model": network, "loss": "mse"}
    declared = models.registry.fit(network)
    loss = (*declared.losses, "cross_entropy")[0]
    if source := NO_ARRAYS.get((declared.inputs, loss)):
        model = {"name": network, **({"patch": 4} if declared.inputs == "pairs" else {})}
        given = {"data": {"source": source, "subset": 60}, "model": model, "loss": loss}
    on_gpu = Execution(device="cuda", data_dir=tmp_path)
    trial = Quiet(TrialConfig(**given, epochs=1, batch_size=16), on_gpu)
    trial.run_epoch()
    assert trial.finished


class Quiet(Trial):
    """In whose steps torch raises an error where it would wait."""

    def _step(self, *given: Any) -> Any:
        torch.cuda.set_sync_debug_mode("error")
        try:
            return super()._step(*given)
        finally:
            torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("augmentation", ["none", "crop", "late", "autoaugment", "resized"])
def test_no_step_waits(method: str, augmentation: str) -> None:
    trial = Quiet(config(method, "resnet_tiny", "adam", augmentation), ON_GPU)
    trial.run_epoch()


@pytest.mark.parametrize("augmentation", ["crop", "late", "autoaugment", "resized"])
def test_images_are_those_of_the_cpu(augmentation: str) -> None:
    of = config("erm", "mlp_tiny", "sgd", augmentation)
    there, here = (Trial(of, Execution(device=d)).batches.epoch(1) for d in ("cuda", "cpu"))
    for (one, labels), (two, same) in zip(there, here, strict=True):
        assert torch.equal(labels.cpu(), same)
        # normalized: a subtraction and a division, each rounded as IEEE says on both
        assert torch.equal(one.cpu(), two)


@pytest.fixture(params=["conv", "matmul"])
def product(request: pytest.FixtureRequest) -> Iterator[Any]:
    draws = torch.Generator().manual_seed(0)
    if request.param == "matmul":
        a, b = (torch.randn(256, 256, generator=draws, dtype=torch.float64) for _ in range(2))
        yield torch.matmul, a, b
    else:
        x = torch.randn(16, 32, 16, 16, generator=draws, dtype=torch.float64)
        w = torch.randn(32, 32, 3, 3, generator=draws, dtype=torch.float64)
        yield torch.nn.functional.conv2d, x, w


def test_float32_is_ieee_and_tf32_is_not(product: Any) -> None:
    """TF32 rounds to 2^-11, float32 to 2^-24; sums of some hundred products are as good."""
    do, a, b = product
    exact = do(a, b)

    def error() -> float:
        found = do(a.to(GPU, torch.float32), b.to(GPU, torch.float32)).cpu().double()
        return float((found - exact).norm() / exact.norm())

    with reproducible(1):
        assert error() < 2**-20
        with rounding("tf32"):
            assert error() > 2**-14


@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16", "float64"])
def test_every_precision_trains(precision: str) -> None:
    of = config("sam", "resnet_tiny", "sgd", "none").replace(precision=precision)
    assert fit(of, ON_GPU).status == "done"


@pytest.mark.parametrize("name", ["hessian_trace", "fisher_log_det", "average_sharpness"])
def test_a_measure_is_that_of_the_cpu(name: str) -> None:
    """One epoch of float64: what is left is the order of sums."""
    of = config("erm", "resnet_tiny", "sgd", "none").replace(precision="float64", epochs=1)
    options = {} if name == "fisher_log_det" else {"num_samples": 3}
    asked = Request(name, options, samples=24, batch_size=12)
    here, there = (
        fit(of, Execution(device=d, measures=(asked,))).history["train_nll"][-1]
        for d in ("cpu", "cuda")
    )
    assert abs(here - there) < 1e-8 * abs(here)


def test_the_doctor_finds_it_well() -> None:
    for index in range(torch.cuda.device_count()):
        assert fault(torch.device("cuda", index)) == ""


def test_a_process_keeps_to_its_share_and_gives_back_what_it_had() -> None:
    total = torch.cuda.get_device_properties(GPU).total_memory
    with share_of_memory(GPU, 0.1):
        held = torch.empty(total // 20, dtype=torch.uint8, device=GPU)
        with pytest.raises(torch.OutOfMemoryError):
            torch.empty(total // 5, dtype=torch.uint8, device=GPU)
        del held
    assert torch.cuda.memory_reserved(GPU) < total // 20
