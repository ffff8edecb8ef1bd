"""Details of single passes: dropout, buffers, devices of noise, mixed settings."""

import copy

import pytest
import torch
from torch import nn

from tests.trainables.methods.oracle import Case, Oracle, case, close, flat, generator
from tests.trainables.methods.references import nrs
from trainables import methods
from trainables.methods.ops.parameters import Scratch


def dropping() -> Case:
    c = case("mlp")
    c.model = nn.Sequential(c.model[0], nn.Tanh(), nn.Dropout(0.5), nn.Linear(6, 3).double())
    return c


class Seeded(nn.Module):
    """The same network with masks that every pass draws anew from one seed."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        torch.manual_seed(17)
        return self.inner(x)


def test_nrs_draws_the_same_masks_in_both_passes():
    c = dropping()
    with torch.random.fork_rng():
        torch.manual_seed(17)
        ours = c.gradient_of(methods.build("nrs", epsilon=0.3), seed=3)
        fixed = Case(Seeded(copy.deepcopy(c.model)), c.inputs, c.targets)
        expected = nrs(Oracle(fixed), c.weights, generator(3), epsilon=0.3)
    close(ours, expected, 1e-11)


def test_nrs_at_zero_radius_has_no_divergence_with_the_same_masks_only():
    c, kl = dropping(), {}
    for dropout in ("same", "independent"):
        torch.manual_seed(17)
        options = {"epsilon": 0.0, "scale": "unit_then_scale", "alpha": 1.0}
        c.gradient_of(methods.build("nrs", dropout=dropout, **options))
        kl[dropout] = float(c.output.objective) - 2 * float(c.output.loss)
    assert abs(kl["same"]) < 1e-12
    assert abs(kl["independent"]) > 1e-3  # two losses apart, and a divergence


def test_masks_of_the_next_step_are_new():
    """Rewinding for one pass does not repeat masks forever."""
    c = dropping()
    torch.manual_seed(17)
    first, second = (c.gradient_of(methods.build("nrs", epsilon=0.0)) for _ in range(2))
    assert not torch.equal(first, second)


def test_buffers_are_kept_and_fit_the_memory_format():
    scratch = Scratch()
    conv = nn.Conv2d(4, 6, 3).to(memory_format=torch.channels_last)
    params = list(conv.parameters())
    flat_buffer, parts = scratch("noise", params)
    assert parts[0].stride() == params[0].stride()
    assert flat_buffer.numel() == sum(p.numel() for p in params)
    assert scratch("noise", params)[0].data_ptr() == flat_buffer.data_ptr()
    flat_buffer.fill_(1.0)
    assert all((part == 1).all() for part in parts)
    other = scratch("noise", [torch.zeros(3)])
    assert other[0].numel() == 3


@pytest.mark.parametrize(("name", "limit"), [("sam", 1), ("amp", 1), ("nso", 2), ("nrs", 2)])
def test_extra_buffers(name, limit):
    """Parameter-sized tensors that outlive a step; at most two for SAM, AMP and NSO."""
    c = case("mlp")
    method = methods.build(name)
    c.gradient_of(method)
    assert len(method.scratch._buffers) <= limit


@pytest.mark.parametrize("name", methods.names())
def test_channels_last_weights(name):
    """The same gradient in another memory format, but for noise, which follows memory order."""
    if name in ("rmp", "rpr", "nrs", "nso", "wp_sgd", "rsam", "bsam", "fa"):
        c = case("conv")
        c.model = c.model.to(memory_format=torch.channels_last)
        before = c.weights
        c.gradient_of(methods.build(name))
        assert torch.equal(c.weights, before)
        return
    plain, last = case("conv"), case("conv")
    last.model = last.model.to(memory_format=torch.channels_last)
    close(last.gradient_of(methods.build(name)), plain.gradient_of(methods.build(name)), 1e-9)


@pytest.mark.parametrize("name", methods.names())
def test_without_a_generator(name):
    """Noise then comes from torch's global one."""
    c = case("mlp")
    torch.manual_seed(0)
    out = methods.build(name).gradient(c.model, c.loss_fn, c.inputs, c.targets, generator=None)
    assert torch.isfinite(flat([p.grad for p in c.params])).all()
    assert torch.isfinite(out.loss)


@pytest.mark.parametrize("name", ["sam", "nso", "nrs", "amp"])
def test_a_compiled_model_gives_the_same_gradient(name):
    """The graph is made by autograd in eager mode; the displacement stays outside of it."""
    c = case("mlp")
    eager = c.gradient_of(methods.build(name), seed=3)
    c.model = torch.compile(c.model, backend="aot_eager")
    close(c.gradient_of(methods.build(name), seed=3), eager, 1e-12)


def test_fa_runs_the_network_under_a_compiled_model():
    c = case("conv")
    eager = c.gradient_of(methods.build("fa"), seed=3)
    c.model = torch.compile(c.model, backend="aot_eager")
    close(c.gradient_of(methods.build("fa"), seed=3), eager, 1e-12)
