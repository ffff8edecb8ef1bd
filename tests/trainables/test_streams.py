"""Every random stream of a trial, a test each: it differs where it must and is equal where it must.

Streams are looked at where they are used: what the method is given at every step (images, its
generator, torch's global one), and the weights that training starts from.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pytest
import torch
from torch import Tensor

from trainables import data
from trainables.config import Request, TrialConfig
from trainables.data.base import Dataset, Images
from trainables.execution import Execution
from trainables.seeding import derive, generator, global_seed
from trainables.train import Trial

EXECUTION = Execution(device="cpu")
CONFIG = TrialConfig(
    data={"subset": 100, "validation": 0, "split_seed": 0},
    model={"name": "mlp", "widths": [8], "dropout": 0.5},
    epochs=3,
    batch_size=16,  # 80 images: 5 batches
)
AUGMENTED = {"data.augmentation": ["pad_crop", "flip"]}


@dataclass(frozen=True)
class Step:
    """What the method is given; ``noise`` and ``dropout``: the first draws that it would make."""

    inputs: Tensor
    targets: Tensor
    noise: tuple[float, ...]
    dropout: tuple[float, ...]


def steps(**changes: Any) -> list[Step]:
    trial = Trial(CONFIG.replace(**changes), EXECUTION)
    seen: list[Step] = []
    gradient = trial.method.gradient

    def spy(model: Any, loss_fn: Any, inputs: Any, targets: Any, *, generator: Any) -> Any:
        streams = generator.get_state(), torch.get_rng_state()
        draws = (torch.rand(4, generator=torch.Generator().set_state(s)) for s in streams)
        seen.append(Step(inputs.clone(), targets, *(tuple(d.tolist()) for d in draws)))
        return gradient(model, loss_fn, inputs, targets, generator=generator)

    trial.method.gradient = spy  # type: ignore[method-assign]
    while not trial.finished:
        trial.run_epoch()
    return seen


def initial(**changes: Any) -> dict[str, Tensor]:
    return Trial(CONFIG.replace(**changes), EXECUTION).initial


def images(step_list: list[Step]) -> list[bytes]:
    return [step.inputs.numpy().tobytes() for step in step_list]


def labels(step_list: list[Step]) -> list[list[int]]:
    return [step.targets.tolist() for step in step_list]


def epochs(step_list: list[Step]) -> list[list[Step]]:
    size = len(step_list) // CONFIG.epochs
    return [step_list[i : i + size] for i in range(0, len(step_list), size)]


# -- the derivation of seeds ---------------------------------------------------------------------


def test_a_seed_is_the_hash_of_trial_purpose_and_indices() -> None:
    for words in ((0, "init"), (3, "order", 1), (3, "augment", 1, 12), (3, "augment", 11, 2)):
        digest = hashlib.sha256("/".join(map(str, words)).encode()).hexdigest()
        assert derive(*words) == int(digest[:16], 16) // 2
    purposes = ("init", "order", "augment", "method", "dropout", "split", "worker")
    every = [
        derive(seed, purpose, *indices)
        for seed in range(3)
        for purpose in purposes
        for indices in ((), *((i,) for i in range(12)), *((i, j) for i in (1, 2) for j in (0, 11)))
    ]
    assert len(set(every)) == len(every) == 3 * 7 * 17


def test_a_global_seed_holds_inside_its_block_alone() -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    with global_seed(3, "init"):
        inside = torch.rand(3)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(inside, torch.rand(3, generator=generator(3, "init")))


# -- initial weights -----------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["mlp_tiny", "resnet_tiny"])
def test_initial_weights_differ_between_seeds_and_between_layers(model: str) -> None:
    drawn = [
        value
        for seed in range(3)
        for value in initial(model=model, seed=seed).values()
        if value.dim() > 1  # biases and BatchNorm begin at constants
    ]
    alike = [pair for pair in combinations(drawn, 2) if pair[0].shape == pair[1].shape]
    assert len(alike) >= len(drawn)
    assert not any(torch.equal(one, other) for one, other in alike)


@pytest.mark.parametrize(
    "changes",
    [
        {"method": "sam"},
        {"data.split_seed": 7, "data.subset": 150, **AUGMENTED},
        {"batch_size": 20, "epochs": 9, "optimizer.lr": 0.3},
        {"precision": "float64"},
    ],
    ids=["method", "data", "training", "precision"],
)
def test_initial_weights_depend_on_seed_and_network_alone(changes: dict[str, Any]) -> None:
    """So that methods are compared from the same start; a float64 trial begins at float32's."""
    one, other = initial(seed=4), initial(seed=4, **changes)
    assert all(torch.equal(value.double(), other[name].double()) for name, value in one.items())


def test_the_initial_weights_are_kept_while_the_model_moves() -> None:
    trial = Trial(CONFIG, EXECUTION)
    trial.run_epoch()
    assert all(torch.equal(value, trial.initial[name]) for name, value in initial().items())
    assert not torch.equal(trial.model.state_dict()["1.weight"], trial.initial["1.weight"])


# -- order ---------------------------------------------------------------------------------------


def test_the_order_of_images_differs_between_epochs_and_seeds() -> None:
    orders = [images(epoch) for seed in range(3) for epoch in epochs(steps(seed=seed))]
    assert len({tuple(order) for order in orders}) == len(orders) == 9
    firsts = [order[0] for order in orders]
    assert len(set(firsts)) == 9  # nor is a batch made of the same images
    assert images(steps(seed=1)) == images(steps(seed=1))


def test_all_images_are_seen_whatever_the_order() -> None:
    sorted_rows = {
        tuple(sorted(row.numpy().tobytes() for step in epoch for row in step.inputs))
        for seed in range(2)
        for epoch in epochs(steps(seed=seed))
    }
    assert len(sorted_rows) == 1


# -- augmentation --------------------------------------------------------------------------------


@pytest.fixture
def one_image_many_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """80 copies of one image: what differs between batches is the augmentation alone."""
    pixels = torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8).repeat(80, 1, 1, 1)
    copies = Images(pixels, torch.arange(80) % 10)
    whole = Dataset("copies", copies, copies, 10, (0.5,), (0.25,))
    monkeypatch.setattr(data, "load", lambda *_, **__: whole)


@pytest.mark.usefixtures("one_image_many_times")
def test_augmentation_differs_between_batches_epochs_and_seeds() -> None:
    changes = {"data.subset": None, **AUGMENTED}
    plain = steps(**{"data.subset": None})
    assert len(set(images(plain))) == 1
    seen = [image for seed in range(3) for image in images(steps(seed=seed, **changes))]
    # of 81 shifts and two sides, 16 images: two batches are equal by chance once in 162^16
    assert len(set(seen)) == len(seen) == 3 * 3 * 5
    assert images(steps(seed=1, **changes)) == images(steps(seed=1, method="sam", **changes))


@pytest.mark.usefixtures("one_image_many_times")
def test_each_image_of_a_batch_is_augmented_by_its_own_draw() -> None:
    for step in steps(**{"data.subset": None, **AUGMENTED}):
        # 16 draws of 162 equal ones: 5 or fewer different ones are expected once in 10^13 batches
        assert len({image.numpy().tobytes() for image in step.inputs}) > 5


# -- noise of the method, dropout ----------------------------------------------------------------


@pytest.mark.parametrize("stream", ["noise", "dropout"])
def test_noise_and_dropout_differ_between_steps_and_seeds(stream: str) -> None:
    draws = [getattr(step, stream) for seed in range(3) for step in steps(seed=seed)]
    assert len(set(draws)) == len(draws) == 3 * 3 * 5
    assert draws[:15] == [getattr(step, stream) for step in steps(seed=0, method="nso")]


def test_noise_and_dropout_are_streams_of_their_own() -> None:
    seen = steps()
    assert not {step.noise for step in seen} & {step.dropout for step in seen}


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("noise", {"method": {"name": "nso", "sigma": 0.1}, "model.dropout": 0.0}),
        ("dropout", {}),
    ],
)
def test_weights_feel_the_streams(what: str, changes: dict[str, Any]) -> None:
    """Not drawn and then forgotten: from one start, another seed's stream gives other weights."""

    def trained(seed: int) -> Tensor:
        trial = Trial(CONFIG.replace(**changes), EXECUTION)
        start = trial.model.state_dict()
        trial = Trial(CONFIG.replace(seed=seed, **changes), EXECUTION)
        trial.model.load_state_dict(start)
        trial.batches.seed = 0  # one order
        trial.run_epoch()
        return trial.model.state_dict()["1.weight"]

    assert torch.equal(trained(1), trained(1))
    assert not torch.equal(trained(1), trained(2))


# -- splits and measures -------------------------------------------------------------------------


def test_the_split_differs_between_seeds_unless_it_has_its_own() -> None:
    def parts(seed: int, split_seed: int | None) -> list[bytes]:
        changes = {"data.split_seed": split_seed, "data.validation": 16}
        splits = Trial(CONFIG.replace(seed=seed, **changes), EXECUTION).splits
        return [splits[name].images.inputs.numpy().tobytes() for name in splits]

    free = [parts(seed, None) for seed in range(3)]
    assert all(a != b for one, other in combinations(free, 2) for a, b in zip(one, other))  # noqa: B905
    assert parts(0, 1) == parts(5, 1) == free[1]


def test_a_split_of_its_own_moves_no_other_stream() -> None:
    one, other = steps(), steps(**{"data.split_seed": 3})
    assert [(s.noise, s.dropout) for s in one] == [(s.noise, s.dropout) for s in other]
    assert images(one) != images(other)


def test_the_noise_of_a_measure_is_of_its_name_and_the_seed() -> None:
    request = Request("hessian_trace", {"num_samples": 1})
    other_label = Request("hessian_trace", {"num_samples": 1}, label="again")
    trial = Trial(CONFIG, EXECUTION)
    first = trial.measure([request])["hessian_trace"]
    assert trial.measure([request])["hessian_trace"] == first
    assert trial.measure([other_label])["again"] == first  # common draws, whatever it is called
    stranger = Trial(CONFIG.replace(seed=1), EXECUTION)
    stranger.model.load_state_dict(trial.model.state_dict())
    assert stranger.measure([request])["hessian_trace"] != first


# -- one thing moves no stream of another --------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"method": {"name": "nso", "sigma": 0.1}},
        {"method": "infomcr", "schedule": {"name": "step", "milestones": [1]}},
        {"regularizers": ["mixup"]},
        {"optimizer": {"name": "adam", "lr": 0.01}},
        {"model": "resnet_tiny", "method": "sam", "batchnorm": "all"},
        AUGMENTED,
    ],
    ids=["nso", "infomcr", "mixup", "adam", "resnet", "augmentation"],
)
def test_rivals_see_the_same_images_in_the_same_order(changes: dict[str, Any]) -> None:
    one, other = steps(seed=2), steps(seed=2, **changes)
    assert labels(one) == labels(other)
    if changes is not AUGMENTED:
        assert images(one) == images(other)
    assert [(s.noise, s.dropout) for s in one] == [(s.noise, s.dropout) for s in other]
