"""The optimizers and the learning rate over time, against torch's own schedulers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from trainables.config import Optimizer, Schedule
from trainables.optim import LearningRate, build_optimizer

STEPS, EPOCHS = 7, 12


def rates(schedule: Schedule, losses: list[float] | None = None) -> list[float]:
    optimizer = build_optimizer(nn.Linear(2, 1), Optimizer(lr=0.4))
    rate = LearningRate(optimizer, schedule, 0.4, STEPS, EPOCHS)
    seen = []
    for epoch in range(EPOCHS):
        seen += [rate.before_step(epoch * STEPS + i) for i in range(STEPS)]
        rate.after_epoch(losses[epoch] if losses else 1.0)
    return seen


def test_cosine_is_torchs_annealing_step_by_step() -> None:
    optimizer = torch.optim.SGD(nn.Linear(2, 1).parameters(), lr=0.4)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS * EPOCHS)
    for rate in rates(Schedule(name="cosine")):
        assert rate == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12, abs=1e-15)
        optimizer.step()
        reference.step()


def test_linear_is_a_straight_line_from_the_base_rate_to_0() -> None:
    whole = STEPS * EPOCHS
    optimizer = torch.optim.SGD(nn.Linear(2, 1).parameters(), lr=0.4)
    reference = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=whole)
    for rate in rates(Schedule(name="linear")):
        assert rate == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        optimizer.step()
        reference.step()
    warm = rates(Schedule(name="linear", warmup_epochs=2))
    left = whole - 2 * STEPS
    assert warm[2 * STEPS :] == pytest.approx([0.4 * (1 - i / left) for i in range(left)])


def test_step_drops_at_its_milestones_given_as_epochs_or_fractions() -> None:
    by_epoch = rates(Schedule(name="step", milestones=(3, 9), gamma=0.2))
    expected = [0.4 * 0.2 ** ((e >= 3) + (e >= 9)) for e in range(EPOCHS) for _ in range(STEPS)]
    assert by_epoch == pytest.approx(expected, rel=1e-12)
    assert rates(Schedule(name="step", milestones=(0.25, 0.75), gamma=0.2)) == by_epoch


def test_plateau_is_torchs_reduce_on_plateau() -> None:
    losses = [1.0, 0.5, 0.49998, 0.5, 0.5, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4]
    optimizer = torch.optim.SGD(nn.Linear(2, 1).parameters(), lr=0.4)
    reference = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=2)
    expected = []
    for loss in losses:
        expected += [optimizer.param_groups[0]["lr"]] * STEPS
        reference.step(loss)
    measured = rates(Schedule(name="plateau", patience=2), losses)
    assert measured == pytest.approx(expected, rel=1e-12)
    assert measured[-1] < measured[0] / 9  # it did drop


def test_warmup_rises_linearly_to_the_base_rate() -> None:
    measured = rates(Schedule(name="constant", warmup_epochs=2))
    assert measured[: 2 * STEPS] == pytest.approx([0.4 * (i + 1) / 14 for i in range(14)])
    assert set(measured[2 * STEPS :]) == {0.4}


def test_drops_are_counted_for_methods_that_wait_for_the_first() -> None:
    optimizer = build_optimizer(nn.Linear(2, 1), Optimizer())
    rate = LearningRate(optimizer, Schedule(name="step", milestones=(1, 2)), 0.1, STEPS, EPOCHS)
    counted = []
    for step in (0, STEPS - 1, STEPS, 2 * STEPS):
        rate.before_step(step)
        counted.append(rate.drops)
    assert counted == [0, 0, 1, 2]


def test_a_resumed_plateau_goes_on_where_it_was() -> None:
    optimizer = build_optimizer(nn.Linear(2, 1), Optimizer())
    schedule = Schedule(name="plateau", patience=1)
    whole, first = (LearningRate(optimizer, schedule, 0.1, STEPS, EPOCHS) for _ in range(2))
    for loss in (1.0, 1.0, 1.0):
        whole.after_epoch(loss)
        first.after_epoch(loss)
    resumed = LearningRate(optimizer, schedule, 0.1, STEPS, EPOCHS)
    resumed.load_state_dict(first.state_dict())
    for loss in (1.0, 0.9, 0.9, 0.9):
        whole.after_epoch(loss)
        resumed.after_epoch(loss)
    assert resumed.state_dict() == whole.state_dict()
    assert math.isfinite(resumed.before_step(50))


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_decay_weights_spares_biases(name: str) -> None:
    model = nn.Linear(3, 2)
    config = Optimizer(name=name, weight_decay=0.5, lr=0.1, decay="weights")
    optimizer = build_optimizer(model, config)
    before = model.bias.detach().clone(), model.weight.detach().clone()
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert torch.equal(model.bias, before[0])
    assert not torch.equal(model.weight, before[1])


OPTIONS: dict[str, dict[str, object]] = {
    "sgd": {"nesterov": True, "momentum": 0.9}, "adam": {"amsgrad": True}, "adamw": {},
}  # fmt: skip


@pytest.mark.parametrize("transposed", ["gradient", "parameter"])
@pytest.mark.parametrize("name", OPTIONS)
def test_a_step_is_torchs_plain_one_however_gradients_and_parameters_lie_in_memory(
    name: str, transposed: str
) -> None:
    """The operations are the same, in another order or contracted: a few roundings of 2⁻⁵³."""
    draws = torch.Generator().manual_seed(0)
    start, *slopes = torch.randn((4, 3, 5), generator=draws, dtype=torch.float64)
    config = Optimizer(name=name, lr=0.1, weight_decay=0.1, **OPTIONS[name])
    plain, ours = nn.Linear(5, 3, bias=False), nn.Linear(5, 3, bias=False)
    plain.weight = nn.Parameter(start.clone())
    turned = start.t().contiguous().t() if transposed == "parameter" else start.clone()
    ours.weight = nn.Parameter(turned)
    reference = build_optimizer(plain, config)
    reference.param_groups[0].update(foreach=False, fused=False)
    optimizer = build_optimizer(ours, config)
    assert optimizer.defaults["fused"] == (transposed == "gradient")
    for slope in slopes:
        plain.weight.grad, ours.weight.grad = slope, slope.t().contiguous().t()
        reference.step()
        optimizer.step()
    torch.testing.assert_close(ours.weight, plain.weight, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_eps_is_adams_own(name: str) -> None:
    """The first step is lr g / (|g| + eps), whose bias corrections cancel."""
    model = nn.Linear(1, 1, bias=False).double()
    config = Optimizer(name=name, lr=0.1, eps=0.5, weight_decay=0.0)
    optimizer, before = build_optimizer(model, config), model.weight.item()
    model.weight.grad = torch.full_like(model.weight, 0.25)
    optimizer.step()
    assert model.weight.item() == pytest.approx(before - 0.1 * 0.25 / 0.75, rel=1e-12)
    with pytest.raises(ValueError, match=r"eps = 1e-06 .* needs name = "):
        Optimizer(name="sgd", eps=1e-6)


def test_bad_combinations_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match=r"nesterov = True .* needs name = 'sgd' and"):
        Optimizer(name="adam", nesterov=True)
    with pytest.raises(ValueError, match="name = 'step' needs milestones"):
        Schedule(name="step")


@pytest.mark.parametrize(("milestone", "epochs"), [(0.55, 100), (0.56, 100), (0.14, 50)])
def test_a_fraction_that_binary_rounds_up_is_still_its_epoch(milestone: float, epochs: int) -> None:
    assert milestone * epochs > round(milestone * epochs)
    schedule, at = Schedule(name="step", milestones=(milestone,)), round(milestone * epochs)
    assert [schedule.drops(at - 1 / STEPS, epochs), schedule.drops(at, epochs)] == [0, 1]


@pytest.mark.parametrize("warmup", [0.1, 0.2, 1.01, 1.5, 2])
def test_no_step_of_a_warmup_is_above_the_base_rate(warmup: float) -> None:
    """A warm-up that ends within a step: its last step is at the base rate, not beyond."""
    steps = warmup * STEPS
    expected = [0.4 * min(1.0, (i + 1) / steps) for i in range(STEPS * EPOCHS)]
    assert rates(Schedule(name="constant", warmup_epochs=warmup)) == pytest.approx(expected)
