"""Whole trials on a simulated GPU: the CPU's numbers, nothing on two devices, nobody waits.

Each trial is saved after its first epoch and goes on from there: what is true of a step is true of
one after a restart. A few of the combinations are in the usual run, and every value of every
axis in them; the others are `slow`.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from trainables import measures, methods, models
from trainables.compatibility import ARRAYS
from trainables.config import Request, TrialConfig
from trainables.data import augment, loader
from trainables.execution import Execution
from trainables.simulated_gpu import SimulatedGPU
from trainables.storage.files import Storage
from trainables.train import Trial, fit

TINY = [
    name
    for name in models.names()
    if name.endswith("_tiny") and models.registry.fit(name).inputs == ARRAYS
]
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"name": "sgd", "lr": 0.05, "nesterov": True, "clip_norm": 1.0},
    "adam": {"name": "adam", "lr": 0.01, "amsgrad": True},
    "adamw": {"name": "adamw", "lr": 0.01, "decay": "weights"},
}
METHODS: dict[str, dict[str, Any]] = {name: {} for name in methods.names()} | {
    "bsam": {"posterior": "adaptive"},
    "fa": {"num_probes": 1},
    "infomcr": {"phases": "111"},
    "nrs": {"num_devices": 2},
    "nso": {"distribution": "binomial"},
    "adversarial": {"std": (0.3,)},
    "mixup": {"per": "sample"},
}
"""Options of the methods where the defaults leave something untried."""

AUGMENTATIONS: dict[str, list[Any]] = {
    "none": [],
    "crop": ["pad_crop", "flip"],
    "reflected": [{"name": "pad_crop", "padding": 2, "fill": "reflect"}],
    "late": ["flip", {"name": "cutout", "size": 3, "fill": "mean"}],
    "cutout": [{"name": "cutout", "size": 3}],
    "autoaugment": ["autoaugment", "pad_crop"],
    "resized": ["random_resized_crop", "flip"],
}
ONCE = {"infomcr": 1, "adversarial": 1}
"""Waits of a process in its first step: whether samples are independent is measured once, and what
never changes is copied."""


@contextlib.contextmanager
def simulated() -> Iterator[SimulatedGPU]:
    """A GPU whose copies of data sets are forgotten with it."""
    with pytest.MonkeyPatch.context() as patch, SimulatedGPU() as made:
        patch.setattr(loader, "_resident", type(loader._resident)())
        yield made


@pytest.fixture
def gpu() -> Iterator[SimulatedGPU]:
    with simulated() as made:
        yield made


class Watched(Trial):
    """A trial that keeps what each of its steps, and each of its epochs, cost."""

    def __init__(self, gpu: SimulatedGPU, *given: Any) -> None:
        self.gpu = gpu
        self.steps: list[SimulatedGPU] = []
        self.epochs: list[SimulatedGPU] = []
        super().__init__(*given)

    def _step(self, *given: Any) -> Any:
        with self.gpu.watching() as seen:
            out = super()._step(*given)
        self.steps.append(seen)
        return out

    def run_epoch(self) -> dict[str, float]:
        with self.gpu.watching() as seen:
            numbers = super().run_epoch()
        self.epochs.append(seen)
        return numbers


def config(method: str, network: str, optimizer: str, augmentation: str) -> TrialConfig:
    return TrialConfig(
        data={"subset": 56, "validation": 8, "augmentation": AUGMENTATIONS[augmentation]},
        model=network,
        method={"name": method, **METHODS[method]},
        optimizer=OPTIMIZERS[optimizer],
        epochs=2,
        batch_size=16,
    )


def on_device(of: TrialConfig, gpu: SimulatedGPU, folder: Path, *asked: Request) -> Watched:
    """The trial on the device after its two epochs, the second in a process of its own."""
    given = (of, Execution(device="cuda", measures=asked), Storage(str(folder)))
    first = Watched(gpu, *given)
    first.run_epoch()
    first.save()
    second = Watched(gpu, *given)
    assert second.epoch == 1
    second.run_epoch()
    second.steps = [*first.steps, *second.steps]
    second.epochs = [*first.epochs, *second.epochs]
    return second


def numbers(result: Any) -> dict[str, Any]:
    """Everything a trial measured, without its clock; texts, in which NaN equals NaN."""
    found = result.history | {k: v for k, v in result.metrics.items() if "seconds" not in k}
    return {name: str(value) for name, value in found.items()}


def check(of: TrialConfig, gpu: SimulatedGPU, folder: Path) -> Watched:
    trial = on_device(of, gpu, folder)
    assert numbers(trial.result()) == numbers(fit(of, Execution(device="cpu")))
    per_epoch = len(trial.batches)
    for index, step in enumerate(trial.steps):
        once = ONCE.get(of.method.name, 0) if index % per_epoch == 0 else 0
        assert step.total("wait") <= once, step.places("wait")
        # What never changes is copied in a process's first step.
        if index % per_epoch:
            assert step.total("pageable") == 0, step.places("pageable")
    for epoch in trial.epochs:
        assert epoch.total("wait") <= 4 + ONCE.get(of.method.name, 0), epoch.places("wait")
    return trial


def thinned() -> Iterator[tuple[str, str, str, str]]:
    """Each method once, with other companions; these take turns."""
    turns = (itertools.cycle(axis) for axis in (TINY, OPTIMIZERS, AUGMENTATIONS))
    networks, optimizers, augmentations = turns
    for method in METHODS:
        yield method, next(networks), next(optimizers), next(augmentations)


@pytest.mark.parametrize("case", thinned(), ids="-".join)
def test_a_trial(case: tuple[str, str, str, str], gpu: SimulatedGPU, tmp_path: Path) -> None:
    check(config(*case), gpu, tmp_path)


def test_every_value_of_every_axis_is_tried() -> None:
    axes = (METHODS, TINY, OPTIMIZERS, AUGMENTATIONS)
    assert [set(axis) for axis in axes] == [set(tried) for tried in zip(*thinned(), strict=True)]
    parts = itertools.chain.from_iterable(AUGMENTATIONS.values())
    named = {part["name"] if isinstance(part, dict) else part for part in parts}
    assert named == set(augment.names())


@pytest.mark.slow
@pytest.mark.parametrize("network", TINY)
@pytest.mark.parametrize("method", METHODS)
def test_all_trials(method: str, network: str, gpu: SimulatedGPU, tmp_path: Path) -> None:
    for optimizer, augmentation in itertools.product(OPTIMIZERS, AUGMENTATIONS):
        folder = tmp_path / optimizer / augmentation
        check(config(method, network, optimizer, augmentation), gpu, folder)


LAUNCHES = {
    "adversarial": 155, "amp": 157, "asam": 156, "bsam": 164, "erm": 77, "fa": 2129, "flooding": 82,
    "infomcr": 1244, "l2_sp": 116, "label_smoothing": 88, "mixup": 100, "nrs": 378, "nso": 173,
    "rmp": 87, "rpr": 93, "rsam": 158, "sam": 154, "usam": 148, "wp_sgd": 83,
}  # fmt: skip
"""Kernels of a step, by method, on `resnet_tiny` with SGD. A change that lowers one writes it here;
one that raises one says why."""


@pytest.mark.parametrize("method", METHODS)
def test_launches_of_a_step(method: str, gpu: SimulatedGPU, tmp_path: Path) -> None:
    of = config(method, "resnet_tiny", "sgd", "none")
    trial = Watched(gpu, of, Execution(device="cuda"))
    trial.run_epoch()
    assert trial.steps[-1].total("launch") == LAUNCHES[method], trial.steps[-1].places("launch")


def test_launches_of_a_step_of_resnet20(gpu: SimulatedGPU) -> None:
    of = config("erm", "resnet20", "sgd", "none").replace(**{"optimizer.clip_norm": None})
    trial = Watched(gpu, of, Execution(device="cuda"))
    for inputs, targets in itertools.islice(trial.batches.epoch(0), 2):
        trial._step(0, inputs, targets, torch.Generator(trial.device))
    assert trial.steps[-1].total("launch") <= 155, trial.steps[-1].places("launch")


SETTINGS: dict[str, dict[str, Any]] = {
    "recovery_distance": {
        "data": {
            "source": {"name": "matrix_sensing", "size": 6, "rank": 2, "measurements": 60},
            "validation": 0,
        },
        "model": "factorization", "loss": "mse", "precision": "float64",
        "optimizer": {"lr": 0.001, "momentum": 0.0, "weight_decay": 0.0},
    },
    "boundary_distance": {"data": {"source": "spirals"}, "model": "mlp_tiny"},
    "decision_boundary": {"data": {"source": "spirals"}, "model": "mlp_tiny"},
}  # fmt: skip
"""Trials of the measures that most data sets cannot have."""

LESS = {
    "num_samples": 4, "num_trials": 2, "num_probes": 2, "num_batches": 2, "max_products": 3,
    "points": 3, "tolerance": 0.1,
}  # fmt: skip
"""Options of measures with which they take less time."""

ROUNDED = {"fisher_log_det", "fisher_spectrum", "fisher_frobenius", "fisher_spectral_radius"}
"""Measures that sum convolutions in another order on a GPU, by a product over positions: sums of a
few hundred float32 products, at most 1e-5 apart in what is taken from their squares."""


@pytest.mark.parametrize(
    ("name", "network"),
    [
        (name, network)
        for name in measures.names()
        for network in ("mlp_tiny", "resnet_tiny")
        if network == "mlp_tiny" or name not in SETTINGS
    ],
)
def test_a_measure(name: str, network: str, gpu: SimulatedGPU, tmp_path: Path) -> None:
    usual = {"data": {"subset": 40, "validation": 8}, "model": network}
    given = {**usual, **SETTINGS.get(name, {}), "epochs": 1, "batch_size": 16}
    options = measures.registry.schema(name).model_fields
    quick = {option: value for option, value in LESS.items() if option in options}
    request = Request(name, quick, samples=24, batch_size=12)
    found = [
        numbers(fit(TrialConfig(**given), Execution(device=device, measures=(request,))))
        for device in ("cpu", "cuda")
    ]
    assert any(key.startswith(name) for key in found[0])
    if name in ROUNDED and network == "resnet_tiny":
        for key in found[0]:
            one, two = (_floats(each[key]) for each in found)
            assert all(map(_close, one, two)), key
    else:
        assert found[0] == found[1]


def _floats(text: str) -> list[float]:
    return [float(number) for number in text.strip("[]").split(", ")]


def _close(one: float, two: float) -> bool:
    return math.isclose(one, two, rel_tol=1e-5, abs_tol=1e-9) or (math.isnan(one) and two != two)


@pytest.mark.parametrize(("cutout", "launches"), [(False, 5), (True, 9)])
def test_a_batch_of_images_costs_few_launches(
    cutout: bool, launches: int, gpu: SimulatedGPU
) -> None:
    """Crop, flip and normalization; and nothing is copied between the first batch and the last."""
    of = config("erm", "mlp_tiny", "sgd", "crop")
    if cutout:
        names = [*AUGMENTATIONS["crop"], *AUGMENTATIONS["cutout"]]
        of = of.replace(**{"data.augmentation": names})
    trial = Trial(of, Execution(device="cuda"))
    batches = trial.batches.epoch(0)
    with gpu.watching() as first:
        next(batches)
    # The random numbers of the epoch, and once each table.
    copies = 3 if cutout else 2
    assert (first.total("copy"), first.total("wait")) == (copies, 0), first.places("copy")
    with gpu.watching() as second:
        next(batches)
    assert second.total("copy") == 0, second.places("copy")
    assert second.total("launch") == launches, second.places("launch")


def test_images_that_stay_on_the_host_are_not_waited_for(gpu: SimulatedGPU) -> None:
    of = config("erm", "mlp_tiny", "sgd", "crop")
    trial = Trial(of, Execution(device="cuda", shared_device=True))
    with gpu.watching() as seen:
        images = [inputs for inputs, _ in trial.batches.epoch(0)]
    assert seen.total("wait") == seen.total("pageable") == 0, seen.places("wait")
    assert seen.total("copy") == 2 + len(images)
    cpu = Trial(of, Execution(device="cpu")).batches.epoch(0)
    assert all(torch.equal(one.cpu(), two) for one, (two, _) in zip(images, cpu, strict=True))
