"""The device that is asked for is the device that trains; settings of torch hold within a trial."""

from __future__ import annotations

import os

import pytest
import torch

from trainables import models
from trainables.causes import cause_of
from trainables.config import TrialConfig
from trainables.execution import WORKSPACE, DeviceError, Execution, reproducible
from trainables.precision import rounding
from trainables.simulated_gpu import SimulatedGPU
from trainables.train import fit

SHORT = TrialConfig(data={"subset": 40}, model="resnet_tiny", epochs=1, batch_size=16)


def test_a_gpu_that_is_not_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match=r"torch finds none that works on .*--gpus 0") as found:
        fit(SHORT, Execution(device="cuda"))
    assert "\n" not in str(found.value)
    assert os.uname().nodename in str(found.value)
    assert cause_of(found.value) == "device"  # so that it is tried again, on another node
    assert Execution(device="auto").torch_device().type == "cpu"


def test_a_trial_for_the_cpu_leaves_the_gpu_alone() -> None:
    with SimulatedGPU() as gpu:
        assert Execution(device="auto").torch_device().type == "cuda"
        fit(SHORT, Execution(device="cpu"))
    assert gpu.counted == {}


def settings() -> dict[str, object]:
    backends = torch.backends
    return {
        "threads": torch.get_num_threads(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "warns only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "fills": torch.utils.deterministic.fill_uninitialized_memory,
        "tries kernels": backends.cudnn.benchmark,
        "convolutions": backends.cudnn.conv.fp32_precision,
        "products": backends.cuda.matmul.fp32_precision,
    }


WITHIN = {
    "threads": 1, "deterministic": True, "warns only": False, "fills": False,
    "tries kernels": False, "convolutions": "ieee", "products": "ieee",
}  # fmt: skip


def test_settings_hold_within_and_are_put_back() -> None:
    with pytest.MonkeyPatch.context() as patch, rounding("tf32"):
        patch.delenv(WORKSPACE[0], raising=False)
        before = settings()
        assert before["convolutions"] == "tf32"
        with reproducible(1):
            assert settings() == WITHIN
            assert os.environ[WORKSPACE[0]] == WORKSPACE[1]
        assert settings() == before
        with reproducible(1, varying=True):
            assert settings() == WITHIN | {"warns only": True}
        patch.setenv(WORKSPACE[0], ":16:8")  # a person's own
        with reproducible(1):
            assert os.environ[WORKSPACE[0]] == ":16:8"


@pytest.mark.parametrize(
    ("precision", "convolutions", "autocast"),
    [("float32", "ieee", False), ("float64", "ieee", False), ("tf32", "tf32", False),
     ("bfloat16", "ieee", True)],
)  # fmt: skip
def test_training_passes_are_in_the_trials_precision_and_nothing_else_is(
    precision: str, convolutions: str, autocast: bool
) -> None:
    seen: dict[bool, set[tuple[object, bool]]] = {True: set(), False: set()}
    build = models.build

    def watched(*given: object, **options: object) -> torch.nn.Module:
        network = build(*given, **options)  # type: ignore[arg-type]

        def look(*_: object) -> None:
            now = (torch.backends.cudnn.conv.fp32_precision, torch.is_autocast_enabled("cpu"))
            seen[network.training].add(now)

        network.register_forward_pre_hook(look)
        return network

    with pytest.MonkeyPatch.context() as patch, rounding("tf32"):
        patch.setattr(models, "build", watched)
        result = fit(SHORT.replace(precision=precision), Execution(device="cpu"))
    assert result.status == "done"
    assert seen == {True: {(convolutions, autocast)}, False: {("ieee", False)}}


def test_memory_that_is_not_filled_gives_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(torch.utils.deterministic)
    plain = fit(SHORT, Execution(device="cpu"))
    never = property(lambda _: True, lambda _, __: None)
    monkeypatch.setattr(kind, "fill_uninitialized_memory", never)
    assert fit(SHORT, Execution(device="cpu")).history == plain.history


def test_an_operation_without_a_deterministic_kernel_is_an_error_unless_it_is_declared() -> None:
    """On a CPU there is one such operation, too."""
    into, at = torch.zeros(3), torch.tensor([0, 0])

    def vary() -> None:
        into.put_(at, torch.ones(2))

    with reproducible(1), pytest.raises(RuntimeError, match="deterministic"):
        vary()
    with reproducible(1, varying=True), pytest.warns(UserWarning, match="deterministic"):
        vary()


def test_a_network_declares_it() -> None:
    assert not SHORT.varying
    models.registry.register("varying_here", layers=models.Layers(varying=True))(_network)
    try:
        assert TrialConfig(model="varying_here").varying
    finally:
        models.registry.drop("varying_here")


def _network(*, num_classes: int) -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, num_classes))
