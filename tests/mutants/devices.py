"""Faults in what a trial does on a device: each names the checks that must notice."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.mutants.cases import Check, cases
from tests.mutants.engine import Mutant
from tests.mutants.faults import devices
from tests.trainables import (
    test_execution,
    test_gpu_memory,
    test_on_a_device,
    test_simulated_gpu,
)
from tests.trainables.data import test_loader
from trainables.simulated_gpu import SimulatedGPU

MUTANTS = devices.MUTANTS


def on_gpu(test: Callable[..., object], *given: Any) -> Check:
    """``test`` of a simulated GPU, which is its last argument."""

    def check() -> None:
        with SimulatedGPU() as gpu:
            test(*given, gpu)

    return check


def trial(*case: str) -> Check:
    """A trial with these companions (`test_on_a_device.config`)."""

    def check() -> None:
        with tempfile.TemporaryDirectory() as folder, test_on_a_device.simulated() as gpu:
            test_on_a_device.check(test_on_a_device.config(*case), gpu, Path(folder))

    return check


def images() -> None:
    """What a batch of images costs."""
    with test_on_a_device.simulated() as gpu:
        test_on_a_device.test_a_batch_of_images_costs_few_launches(gpu)


def of_memory(test: Callable[..., None], *given: Any) -> Check:
    """``test`` of a watched driver, which is its first argument."""

    def check() -> None:
        with test_gpu_memory.watched() as driver:
            test(driver, *given)

    return check


CHECKS: dict[str, list[Check]] = {
    "counts": [
        on_gpu(test_simulated_gpu.test_what_is_counted, w) for w in test_simulated_gpu.COUNTS
    ]
    + [on_gpu(test_simulated_gpu.test_new_memory_is_filled_where_torch_is_told_to)],
    "refusals": [
        on_gpu(test_simulated_gpu.test_several_devices_are_refused, w)
        for w in test_simulated_gpu.REFUSED
    ],
    "training": [on_gpu(test_simulated_gpu.test_training_gives_the_bits_of_the_cpu)],
    "adam": [trial("erm", "resnet_tiny", "adam", "none")],
    "crop": [images, trial("erm", "mlp_tiny", "sgd", "crop")],
    "images": list(cases(test_loader.test_a_batch_is_what_its_own_generator_makes_of_its_images)),
    "mixup": [trial("mixup", "mlp_tiny", "sgd", "none")],
    "nso": [trial("nso", "mlp_tiny", "sgd", "none")],
    "adversarial": [trial("adversarial", "mlp_tiny", "sgd", "none")],
    "bsam": [trial("bsam", "mlp_tiny", "sgd", "none")],
    "memory": [
        of_memory(test_gpu_memory.test_a_process_has_its_share_of_the_memory, 0.25, 0.25),
        of_memory(test_gpu_memory.test_a_process_has_its_share_of_the_memory, 4, 1),
        of_memory(test_gpu_memory.test_what_a_trial_leaves_is_given_back_also_after_an_error),
        of_memory(test_gpu_memory.test_on_a_cpu_nothing_is_asked_of_a_driver),
    ],
    "passes": list(
        cases(test_execution.test_training_passes_are_in_the_trials_precision_and_nothing_else_is)
    ),
    "settings": list(cases(test_execution.test_settings_hold_within_and_are_put_back)),
}


def checks(mutant: Mutant) -> Iterator[Check]:
    """Those that the mutant names."""
    for name in mutant.about:
        yield from CHECKS[name]
