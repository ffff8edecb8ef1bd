"""Whose batch statistics the running ones follow, and how far."""

import copy

import pytest
import torch
from torch import nn

from tests.trainables.methods.oracle import Case, Oracle, case, flat, generator
from trainables import methods


def moved_by(model: nn.Module, w: torch.Tensor, *batches: torch.Tensor) -> nn.BatchNorm2d:
    """The norm layer after the mean of plain passes over ``batches`` at weights w."""
    after = []
    for batch in batches:
        one = Oracle(Case(copy.deepcopy(model), batch, torch.zeros(1)))
        one.load(w)
        one.model(batch)
        after.append(one.model[1])
    norm = copy.deepcopy(after[0])
    norm.running_mean = torch.stack([n.running_mean for n in after]).mean(0)
    norm.running_var = torch.stack([n.running_var for n in after]).mean(0)
    return norm


def same(a, b):
    torch.testing.assert_close(a.running_mean, b.running_mean, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(a.running_var, b.running_var, rtol=1e-12, atol=1e-14)
    assert int(a.num_batches_tracked) == int(b.num_batches_tracked)


@pytest.mark.parametrize("name", ["nso", "wp_sgd", "rsam", "bsam"])
def test_without_a_clean_pass_the_first_noisy_one_counts(name):
    c, fresh = case("conv"), case("conv")
    c.gradient_of(methods.build(name, sigma=0.1), seed=3)
    w = fresh.weights + 0.1 * torch.empty_like(fresh.weights).normal_(generator=generator(3))
    same(c.model[1], moved_by(fresh.model, w, fresh.inputs))


def test_nso_with_a_clean_pass_counts_that():
    c, fresh = case("conv"), case("conv")
    c.gradient_of(methods.build("nso", sigma=0.1, lam=0.5))
    same(c.model[1], moved_by(fresh.model, fresh.weights, fresh.inputs))


@pytest.mark.parametrize(
    ("name", "options"),
    [("nrs", {"num_devices": 4}), ("infomcr", {"num_splits": 4}), ("nrs", {"num_devices": 1})],
)
def test_parts_of_the_batch_move_them_by_their_mean(name, options):
    """As M devices would that average their running statistics."""
    c, fresh = case("conv"), case("conv")
    c.gradient_of(methods.build(name, **options))
    same(c.model[1], moved_by(fresh.model, fresh.weights, *fresh.inputs.chunk(*options.values())))


def test_infomcr_with_full_batch_statistics_moves_them_by_the_whole_batch():
    c, fresh = case("conv"), case("conv")
    c.gradient_of(methods.build("infomcr", statistics="full_batch"))
    same(c.model[1], moved_by(fresh.model, fresh.weights, fresh.inputs))


def test_a_cumulative_average_counts_the_first_part_alone():
    c, fresh = case("conv"), case("conv")
    for k in (c, fresh):
        k.model[1].momentum = None
    c.gradient_of(methods.build("nrs", num_devices=4))
    same(c.model[1], moved_by(fresh.model, fresh.weights, fresh.inputs[:2]))
    assert c.model[1].momentum is None


def test_all_passes_move_them_in_turn():
    """AMP: the clean pass, then the displaced one."""
    c, fresh = case("conv"), case("conv")
    c.gradient_of(methods.build("amp", batchnorm="all", epsilon=0.5))
    oracle = Oracle(fresh)
    w, slope = fresh.weights, Oracle(fresh).gradient(fresh.weights)
    delta = slope * min(1.0, 0.5 / float(slope.norm()))
    for at in (w, w + delta):
        oracle.load(at)
        oracle.model(fresh.inputs)
    torch.testing.assert_close(
        c.model[1].running_mean, oracle.model[1].running_mean, rtol=1e-13, atol=0
    )
    assert int(c.model[1].num_batches_tracked) == 2


@pytest.mark.parametrize("name", methods.names())
def test_a_separate_pass_moves_them_alone_and_is_what_is_reported(name):
    """At w, over the whole batch, without a word in the gradient."""
    plain, c, fresh = case("conv"), case("conv"), case("conv")
    rule = methods.build(name, batchnorm="separate")
    torch.testing.assert_close(
        c.gradient_of(rule), plain.gradient_of(methods.build(name)), rtol=1e-12, atol=1e-14
    )
    assert rule.cost == methods.build(name).cost + 1 / 3
    if name in ("mixup", "adversarial"):  # they change the batch that every pass sees
        return
    same(c.model[1], moved_by(fresh.model, fresh.weights, fresh.inputs))
    torch.testing.assert_close(c.output.logits, fresh.model(fresh.inputs), rtol=1e-12, atol=1e-14)


class InParts(nn.Module):
    """The network of the cases, each ``size`` neighboring samples normalized by themselves."""

    def __init__(self, network: nn.Module, size: int):
        super().__init__()
        self.network, self.size = network, size

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.network(part) for part in inputs.split(self.size)])


@pytest.mark.parametrize("name", methods.names())
@pytest.mark.parametrize("parts", [2, 4])
def test_statistics_over_parts_of_the_batch(name, parts):
    """As a network that takes them so by itself; all passes of the method see the parts."""
    options = {"num_splits": 2} if name == "infomcr" else {}
    c, oracle, whole = case("conv"), case("conv"), case("conv")
    oracle.model = InParts(oracle.model, 8 // parts)
    gradient = c.gradient_of(methods.build(name, batchnorm_parts=parts, **options))
    wanted = oracle.gradient_of(methods.build(name, **options))
    torch.testing.assert_close(gradient, wanted, rtol=1e-11, atol=1e-13)
    if not (name == "infomcr" and parts == 2):  # its two sub-batches are the parts
        assert (whole.gradient_of(methods.build(name, **options)) - wanted).norm() > 1e-3


def test_a_rule_without_displacement_is_the_baseline_with_the_same_parts():
    """RPR at epsilon 0 on four devices, and ERM: what RPR adds is then the perturbation alone."""
    for batch in (8, 10):  # 10: parts of two and of three
        rpr, erm, whole = (case("conv", batch=batch) for _ in range(3))
        displaced = rpr.gradient_of(methods.build("rpr", epsilon=0.0, num_devices=4))
        baseline = erm.gradient_of(methods.build("erm", batchnorm_parts=4))
        torch.testing.assert_close(baseline, displaced, rtol=1e-12, atol=1e-14)
        same(erm.model[1], rpr.model[1])
        assert (whole.gradient_of(methods.build("erm")) - baseline).norm() > 0.01 * baseline.norm()


@pytest.mark.parametrize(("name", "parts"), [("erm", 4), ("nso", 2), ("nrs", 4)])
def test_parts_move_the_running_statistics_by_their_mean(name, parts):
    c, fresh = case("conv"), case("conv")
    devices = {"num_devices": 2} if name == "nrs" else {}
    options = {**devices, **({"lam": 0.5} if name == "nso" else {})}
    c.gradient_of(methods.build(name, batchnorm_parts=parts, **options))
    same(c.model[1], moved_by(fresh.model, fresh.weights, *fresh.inputs.chunk(parts)))


@pytest.mark.parametrize("name", methods.names())
def test_instance_normalization_that_tracks(name):
    """Its fused layer would move the statistics even when told to ignore them."""
    make = lambda: nn.Sequential(  # noqa: E731
        nn.Conv2d(1, 3, 3, padding=1),
        nn.InstanceNorm2d(3, track_running_stats=True),
        nn.Flatten(),
        nn.Linear(27, 3),
    ).double()
    torch.manual_seed(0)
    model = make()
    c = case("conv")
    c.model = model
    w, before = flat(list(model.parameters())), copy.deepcopy(model)
    c.gradient_of(methods.build(name))
    assert torch.equal(flat(list(model.parameters())), w)
    assert model[1].momentum == 0.1
    if name in ("sam", "nrs", "amp", "fa", "erm"):
        before(c.inputs)
        torch.testing.assert_close(
            model[1].running_mean, before[1].running_mean, rtol=1e-12, atol=1e-15
        )
