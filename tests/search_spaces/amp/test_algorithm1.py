"""AMP by the readings of its text is Algorithm 1, written down here a second time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad

import search_spaces
from search_spaces.readings import read
from search_spaces.spec import Artifact
from sweep.plan.expand import plan
from sweep.record.record import Record
from sweep.selection import selection
from trainables import methods
from trainables.config import TrialConfig

TABLES = ("amp/table1", "amp/table2", "amp/claim_cost", "amp/inner_steps")


def of_the_text(artifact: Artifact) -> Artifact:
    for choice in artifact.notes.choices:
        if choice.text:
            artifact = read(artifact, choice.name, choice.text)
    return artifact


def trained(artifact: Artifact) -> list[TrialConfig]:
    """Configurations of the artifact's cells of AMP, one for each of its rules."""
    planned = plan(artifact, "paper", selection("paper"), Record.from_runs([]))
    found = [
        trial.config
        for stage in planned.stages
        for trial in stage.trials
        if trial.config.method.name == "amp"
    ]
    return list({str(config.method): config for config in found}.values())


def by_algorithm_1(
    loss: Callable[[Tensor], Tensor], theta: Tensor, epsilon: float, zeta: float, steps: int
) -> tuple[Tensor, bool]:
    """Lines 4 to 12 for one batch of mean ``loss``: the gradient of line 12, and whether line 9 was
    reached."""
    slope, delta, normalized = grad(loss), torch.zeros_like(theta), False
    for _ in range(steps):
        delta = delta + zeta * slope(theta + delta)
        if delta.norm() > epsilon:
            delta, normalized = epsilon * delta / delta.norm(), True
    return slope(theta + delta), normalized


class Batch:
    """A network of 31 parameters in 4 tensors with a batch, float64; ``scale`` makes it steeper."""

    def __init__(self, scale: float) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3)).double()
        self.inputs, self.targets = torch.randn(6, 3).double(), torch.arange(6) % 3
        self.scale = scale

    def loss_fn(self, logits: Tensor, targets: Tensor) -> Tensor:
        return self.scale * nn.functional.cross_entropy(logits, targets)

    def of(self, theta: Tensor) -> Tensor:
        """The loss at the parameters ``theta``, flat, in the model's order."""
        parts, named = [], dict(self.model.named_parameters())
        for p in named.values():
            parts.append(theta[: p.numel()].view(p.shape))
            theta = theta[p.numel() :]
        logits = functional_call(self.model, dict(zip(named, parts, strict=True)), (self.inputs,))
        return self.loss_fn(logits, self.targets)

    @property
    def theta(self) -> Tensor:
        return nn.utils.parameters_to_vector(self.model.parameters()).detach()

    def gradient(self, name: str, options: dict[str, Any]) -> Tensor:
        rule = methods.build(name, **options)
        rule.gradient(self.model, self.loss_fn, self.inputs, self.targets, generator=None)
        return torch.cat([p.grad.flatten() for p in self.model.parameters()])


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("name", TABLES)
def test_the_gradient_of_the_text_is_algorithm_1s(name: str, steps: int) -> None:
    """To 1e-10 of it. The rule divides by a norm plus 1e-12, which moves delta by as much at most,
    and the gradient by the loss's curvature times that: scaled by 1000 it is about 1e2 here, and
    the gradient is as large. Sums in another order leave 1e-15 a step. Whole clipping differs from
    each tensor's own in the first digit."""
    seen = set()
    for config in trained(of_the_text(search_spaces.find(name))):
        options = {**config.method.options, "inner_steps": steps}
        for scale in (0.1, 10.0, 1000.0):
            batch = Batch(scale)
            wanted, normalized = by_algorithm_1(
                batch.of, batch.theta, options["epsilon"], options["inner_lr"], steps
            )
            found = batch.gradient("amp", options)
            assert (found - wanted).norm() < 1e-10 * wanted.norm()
            seen.add(normalized)
            plain = batch.gradient("erm", {})
            assert (plain - wanted).norm() > 1e-4 * wanted.norm(), "AMP's is another one than ERM's"
    assert seen == {True, False}


@pytest.mark.parametrize("name", TABLES)
def test_the_gradient_of_the_code_is_another_one(name: str) -> None:
    """Where the perturbation is clipped: each tensor by itself; the gradients are, too."""
    for config in trained(search_spaces.find(name)):
        options = config.method.options
        batch = Batch(1000.0)
        wanted, normalized = by_algorithm_1(
            batch.of, batch.theta, options["epsilon"], options["inner_lr"], options["inner_steps"]
        )
        assert normalized
        assert (batch.gradient("amp", options) - wanted).norm() > 0.1 * wanted.norm()


@pytest.mark.parametrize("name", TABLES)
def test_the_outer_step_of_the_text_is_section_5_1s(name: str) -> None:
    for config in trained(of_the_text(search_spaces.find(name))):
        rule = config.optimizer
        assert (rule.name, rule.lr, rule.weight_decay) == ("sgd", 0.1, 1e-4)
        assert (rule.momentum, rule.nesterov, rule.clip_norm) == (0.9, False, None)
        assert rule.decay == "all"
        assert config.batch_size == 50
        assert not config.regularizers
        assert config.precision == "float32"
        if name != "amp/claim_cost":  # two epochs, to be timed
            assert config.epochs == 200
            assert [config.schedule.drops(e, 200) for e in (99, 100, 149, 150)] == [0, 1, 1, 2]


def test_the_text_of_the_other_methods_of_table_1() -> None:
    """Section 5.1 and the studies that it follows."""
    text = of_the_text(search_spaces.find("amp/table1"))
    planned = plan(text, "paper", selection("paper"), Record.from_runs([]))
    of = {
        (t.cell.key["method"], t.cell.key["dataset"], t.cell.key["model"]): t.config
        for t in planned.stages[0].trials
    }
    here = ("SVHN", "PreActResNet18")
    assert of["RMP", *here].method.options["reading"] == "paper"
    smoothed, mixed, attacked = (
        next(r for r in of[method, *here].regularizers or (of[method, *here].method,))
        for method in ("Label Smoothing", "MixUp", "Adv. Training")
    )
    assert smoothed.options["convention"] == "uniform"
    assert mixed.options["per"] == "batch"
    assert attacked.options["epsilon"] == attacked.options["step"] == 1 / 255
    assert attacked.options["std"] == pytest.approx((50.1 / 255, 50.6 / 255, 50.8 / 255), abs=5e-5)
    assert not attacked.options["random_start"]
    dropped = of["Dropout", *here].model.options
    assert (dropped["dropout"], dropped["dropout_after"]) == (0.1, "every_relu")
    assert all("flip" in [a.name for a in config.data.augmentation] for config in of.values()), (
        "section 5.1 flips the images of all three data sets"
    )
