"""A part of each kind that keeps its promises, and for each promise one that breaks it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from trainables import conformance, data, measures, methods, models
from trainables.conformance import Verdict, cases, verdicts
from trainables.data import augment
from trainables.data.augment.moves import Augmentation
from trainables.data.base import Dataset, Images
from trainables.fields import registry_of
from trainables.methods import Method, Output
from trainables.models import Layers

# -- methods ---------------------------------------------------------------------------------------


class Good(Method):
    """The mean of the gradients so far, and of one at noisy weights."""

    evaluations = 2.0

    def __init__(self) -> None:
        self.mean: list[torch.Tensor] = []

    def step(self, objective: Any) -> Output:
        loss, logits = objective.accumulate(0.5)
        shift = [
            0.1 * torch.randn(p.shape, generator=objective.generator, dtype=p.dtype)
            for p in objective.params
        ]
        with objective.displaced() as at:
            at.perturb(shift)
            objective.accumulate(0.5)
        self.mean = self.mean or [torch.zeros_like(p) for p in objective.params]
        for m, p in zip(self.mean, objective.params, strict=True):
            m.lerp_(p.grad, 0.5)
            p.grad.copy_(m)
        return Output(loss, logits, objective=None)

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {str(i): m for i, m in enumerate(self.mean)}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        self.mean = [m.clone() for m in state.values()]


class LosesState(Good):
    def state_dict(self) -> dict[str, torch.Tensor]:
        return {}


class OddState(Good):
    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "steps": 1}


class Erm(Method):
    def step(self, objective: Any) -> Output:
        loss, logits = objective.accumulate()
        self.change(objective)
        return Output(loss, logits, objective=None)

    def change(self, objective: Any) -> None:
        pass


class OwnNoise(Erm):
    def change(self, objective: Any) -> None:
        for p in objective.params:
            p.grad.add_(torch.randn_like(p))


class NumpyNoise(Erm):
    def change(self, objective: Any) -> None:
        for p in objective.params:
            p.grad.mul_(np.random.rand())


class MovesWeights(Erm):
    def change(self, objective: Any) -> None:
        for p in objective.params:
            p.data.mul_(1.001)


class NotAfterAnError(Method):
    evaluations = 2.0

    def step(self, objective: Any) -> Output:
        objective.accumulate(0.0)
        for p in objective.params:
            p.data.mul_(2)
        loss, logits = objective.accumulate()
        for p in objective.params:
            p.data.div_(2)
        return Output(loss, logits, objective=None)


class SingleOnly(Erm):
    def change(self, objective: Any) -> None:
        for p in objective.params:
            torch.dot(p.grad.flatten(), torch.ones(p.numel()))


class NotFinite(Erm):
    def change(self, objective: Any) -> None:
        for p in objective.params:
            p.grad.div_(0.0)


class TwoForOne(Erm):
    def change(self, objective: Any) -> None:
        objective.accumulate()


class LeavesMode(Erm):
    def change(self, objective: Any) -> None:
        objective.model.train()


class Signs(Erm):
    """Of the gradient of a worker's part, which are not those of the whole batch."""

    def same_over_workers(self, division: Any) -> bool:
        return True

    def change(self, objective: Any) -> None:
        for p in objective.params:
            p.grad.sign_()


class OtherObjective(Method):
    def step(self, objective: Any) -> Output:
        loss, logits = objective.accumulate(2.0)
        return Output(loss, logits, objective=loss)


class Attached(Method):
    def step(self, objective: Any) -> Output:
        loss, logits = objective.accumulate()
        return Output(loss, logits * objective.params[-1].sum(), objective=None)


# -- networks --------------------------------------------------------------------------------------


def net(*layers: nn.Module, classes: int, shape: tuple[int, ...]) -> nn.Module:
    size = int(np.prod(shape))
    return nn.Sequential(
        nn.Flatten(), nn.Linear(size, 4), nn.Tanh(), *layers, nn.Linear(4, classes)
    )


def good_net(*, num_classes: int, input_shape: tuple[int, ...]) -> nn.Module:
    return net(classes=num_classes, shape=input_shape)


def one_class_more(*, num_classes: int, input_shape: tuple[int, ...]) -> nn.Module:
    return net(classes=num_classes + 1, shape=input_shape)


class Single(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.float().to(x.dtype) if x.dtype == torch.float32 else x.float()


def single_net(*, num_classes: int, input_shape: tuple[int, ...]) -> nn.Module:
    return nn.Sequential(good_net(num_classes=num_classes, input_shape=input_shape), Single())


def numpy_net(*, num_classes: int, input_shape: tuple[int, ...]) -> nn.Module:
    model = net(classes=num_classes, shape=input_shape)
    with torch.no_grad():
        model[1].weight.copy_(torch.from_numpy(np.random.RandomState().randn(4, 64) / 8))
    return model


def one_start(*, num_classes: int, input_shape: tuple[int, ...]) -> nn.Module:
    model = net(classes=num_classes, shape=input_shape)
    for p in model.parameters():
        nn.init.constant_(p, 0.1)
    return model


class Hidden(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.rand(())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale


def hidden_state(*, num_classes: int, input_shape: tuple[int, ...]) -> nn.Module:
    return net(Hidden(), classes=num_classes, shape=input_shape)


class AlwaysDrops(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.dropout(x, 0.5, training=True)


def drops(*, num_classes: int, input_shape: tuple[int, ...]) -> nn.Module:
    return net(AlwaysDrops(), classes=num_classes, shape=input_shape)


def idle_parameter(*, num_classes: int, input_shape: tuple[int, ...]) -> nn.Module:
    model = net(classes=num_classes, shape=input_shape)
    model.register_parameter("idle", nn.Parameter(torch.zeros(2)))
    return model


def normed(*, num_classes: int, input_shape: tuple[int, ...]) -> nn.Module:
    return net(nn.BatchNorm1d(4), classes=num_classes, shape=input_shape)


# -- data sets -------------------------------------------------------------------------------------


def images(name: str, classes: int = 2, std: float = 0.5, base: Any = None) -> Dataset:
    pixels = torch.arange(40 * 16).remainder(256).to(torch.uint8).view(40, 1, 4, 4)
    train = Images(pixels if base is None else base, torch.arange(40) % 2)
    test = None if std else train  # without one the statistics are made from the examples
    return Dataset(name, train, test, num_classes=classes, mean=(0.5,), std=(std,))


def good_set() -> Dataset:
    return images("good_set")


def other_name() -> Dataset:
    return images("another")


def outside() -> Dataset:
    return images("outside", classes=1)


def drawn() -> Dataset:
    return images("drawn", base=torch.randint(0, 256, (40, 1, 4, 4), dtype=torch.uint8))


def no_std() -> Dataset:
    return images("no_std", std=0.0)


def whole_numbers() -> Dataset:
    return images("whole_numbers", base=torch.zeros(40, 1, 4, 4, dtype=torch.int64))


def no_set() -> Any:
    return "nothing"


# -- augmentations ---------------------------------------------------------------------------------


class Flips(Augmentation):
    def __call__(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        chosen = torch.rand(len(images), generator=generator) < 0.5
        return torch.where(chosen.view(-1, 1, 1, 1), images.flip(3), images)


class FlipsByItself(Augmentation):
    def __call__(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        chosen = torch.rand(len(images)) < 0.5
        return torch.where(chosen.view(-1, 1, 1, 1), images.flip(3), images)


class InPlace(Augmentation):
    def __call__(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        return images.add_(1)


class Floats(Augmentation):
    def __call__(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        return images / 255


class Counts(Augmentation):
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        self.calls += 1
        return images + self.calls


# -- measures --------------------------------------------------------------------------------------


def weight_norm(target: Any) -> float:
    return float(sum(p.detach().square().sum() for p in target.model.parameters()))


def shaken_norm(target: Any) -> float:
    return weight_norm(target) * float(torch.rand(()))


def shrinks(target: Any) -> float:
    for p in target.model.parameters():
        p.data.mul_(0.5)
    return 1.0


def trains(target: Any) -> float:
    target.model.train()
    return 1.0


def not_finite(target: Any) -> dict[str, float]:
    return {"part": float("nan")}


KEPT = [
    ("methods", Good), ("models", good_net), ("data", good_set), ("data.augment", Flips),
    ("measures", weight_norm),
]  # fmt: skip
BROKEN = [
    ("methods", LosesState, "its state does not survive a restart: "),
    ("methods", OddState, "its state has 'steps', which is no tensor"),
    ("methods", OwnNoise, "its noise is not drawn from objective.generator"),
    ("methods", NumpyNoise, "its noise is not drawn from objective.generator"),
    ("methods", MovesWeights, "it leaves other weights than it found"),
    ("methods", NotAfterAnError, "where its pass 2 fails, it leaves other weights than it found"),
    ("methods", SingleOnly, "with float64 weights it raises RuntimeError: "),
    ("methods", NotFinite, "with float32 weights some have no finite gradient"),
    ("methods", TwoForOne, "evaluations says 1 passes a step, and the model was run for 2"),
    ("methods", LeavesMode, "it leaves layers in another mode than it found"),
    ("methods", Signs, "same_over_workers says that two workers do what one does, and their"),
    ("methods", OtherObjective, "its gradient is not that of the objective it returns"),
    ("methods", Attached, "what it returns is not detached"),
    ("models", one_class_more, "of 4 inputs and 5 classes its output has shape (4, 6)"),
    ("models", single_net, "with torch.float64 weights its output is torch.float32"),
    ("models", numpy_net, "its initial weights differ where torch's global generator has the"),
    ("models", one_start, "its initial weights do not depend on torch's global generator"),
    ("models", hidden_state, "what its outputs depend on is not all in its state_dict"),
    ("models", drops, "two passes in evaluation mode differ"),
    ("models", idle_parameter, "its parameter idle is not used"),
    ("models", normed, "layers says batchnorm=False, and it has some"),
    ("data", other_name, "it calls itself 'another'"),
    ("data", outside, "train has labels outside 0 ... 0"),
    ("data", drawn, "two readings differ: "),
    ("data", no_std, "a normalized batch is not finite"),
    ("data", whole_numbers, "train is torch.int64: images are uint8"),
    ("data", no_set, "Its examples: it raises TypeError: it gives a str"),
    ("data.augment", FlipsByItself, "its noise is not drawn from the generator"),
    ("data.augment", InPlace, "it changes the images that it is given"),
    ("data.augment", Floats, "of torch.uint8 (4, 1, 8, 8) it makes torch.float32"),
    ("data.augment", Counts, "what it does depends on earlier batches"),
    ("measures", shaken_norm, "its noise is not drawn from target.generator"),
    ("measures", shrinks, "it leaves other weights or statistics than it found"),
    ("measures", trains, "it leaves the model in training mode"),
    ("measures", not_finite, "with float32 weights not_finite/part is not finite"),
]


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    layers = Layers(batchnorm=False, dropout=False)
    named = [(package, part) for package, part, *_ in [*KEPT, *BROKEN]]
    for package, part in named:
        more = {"layers": layers} if package == "models" else {}
        registry_of(package).register(part.__name__, **more)(part)
    yield
    for package, part in named:
        registry_of(package).drop(part.__name__)


@pytest.mark.parametrize(("package", "part"), KEPT)
def test_a_part_that_keeps_its_promises_is_told_so(package: str, part: Any) -> None:
    assert verdicts(package, part.__name__) == []
    assert (package, part.__name__) in set(conformance.own())


@pytest.mark.parametrize(("package", "part", "said"), BROKEN)
def test_a_promise_that_is_broken_is_named(package: str, part: Any, said: str) -> None:
    """In one line; and what a fault makes other checks say is not repeated."""
    found = verdicts(package, part.__name__)
    assert [v for v in found if v.words.startswith(said)] == [
        Verdict(True, next(v.words for v in found if v.words.startswith(said)))
    ]
    assert not any("\n" in v.words for v in found)


OURS = [
    *(("methods", name) for name in methods.names()),
    *(("models", name) for name in ("mlp", "resnet_tiny", "vit_tiny", "clip_tiny", "gcn_tiny")),
    *(("data", name) for name in ("digits", "spirals", "cifar10")),
    *(("data", name) for name in ("captioned_digits", "ego_graphs")),
    *(("data.augment", name) for name in augment.registry.names()),
    *(("measures", name) for name in ("hessian_trace", "perturbation_gap", "classification")),
]


@pytest.mark.parametrize(("package", "name"), OURS)
def test_ours_keep_them(package: str, name: str) -> None:
    assert [v for v in verdicts(package, name) if v.broken] == []


def test_ours_are_not_examined() -> None:
    kinds = (methods, models, data, augment, measures)
    ours = {name for kind in kinds for name in kind.registry.names()} - {
        p.__name__ for _, p in KEPT
    }
    ours -= {part.__name__ for _, part, _ in BROKEN}
    assert ours.isdisjoint(name for _, name in conformance.own())


def test_what_cannot_be_built_with_defaults_or_refuses_the_case_is_not_called_broken() -> None:
    def needs_size(*, size: int) -> Dataset:
        return good_set()

    data.registry.register("needs_size")(needs_size)
    try:
        assert verdicts("data", "needs_size") == [
            Verdict(False, "size has no default, with which it could be checked")
        ]
    finally:
        data.registry.drop("needs_size")
    assert [v.broken for v in verdicts("measures", "recovery_distance")] == [False]


def test_the_global_generators_are_as_they_were() -> None:
    before = torch.rand(2, generator=torch.default_generator), np.random.get_state()[1].tolist()
    with cases.global_seed(3):
        one = (float(torch.rand(())), float(np.random.rand()))
    assert np.random.get_state()[1].tolist() == before[1]
    with cases.global_seed(3):
        assert (float(torch.rand(())), float(np.random.rand())) == one
