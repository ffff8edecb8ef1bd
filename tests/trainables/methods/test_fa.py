"""Third derivatives through normalization layers, and the guards around them."""

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from tests.trainables.methods.oracle import (
    Case,
    Oracle,
    case,
    close,
    flat,
    generator,
    some_directions,
)
from tests.trainables.methods.references import fa
from trainables import methods
from trainables.methods.ops import third_order

NORMS = {
    "batch": lambda: nn.BatchNorm2d(4),
    "batch_without_affine": lambda: nn.BatchNorm2d(4, affine=False),
    "layer": lambda: nn.LayerNorm([4, 3, 3]),
    "group": lambda: nn.GroupNorm(2, 4),
    "instance": lambda: nn.InstanceNorm2d(4, affine=True),
    "rms": lambda: nn.RMSNorm([3, 3]),
}


def net(norm: nn.Module) -> Case:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), norm, nn.Tanh(), nn.Flatten(), nn.Linear(36, 3)
    )
    for p in model.parameters():
        nn.init.normal_(p, std=0.5)
    return Case(model.double(), torch.randn(6, 1, 3, 3).double(), torch.randint(3, (6,)))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("training", [True, False])
def test_penalty_gradient_is_right_through(norm, training):
    """torch's own fused layers are wrong here by 6 to 160 %, or raise an error."""
    c = net(NORMS[norm]())
    c.model.train(training)
    along = some_directions(c.weights)
    expected = fa(Oracle(c), c.weights, generator(3), lam=1.0, num_probes=1, along=along)
    ours = c.gradient_of(methods.build("fa", lam=1.0, num_probes=1), seed=3)
    close(along @ ours, expected, 1e-6)


def test_naive_third_derivative_through_layer_norm_is_wrong():
    """The reason for `third_order`: if torch mends this, the replacement may go."""
    c = net(NORMS["layer"]())
    expected = fa(Oracle(c), c.weights, generator(3), lam=1.0, num_probes=1)
    v = torch.empty_like(c.weights).normal_(generator=generator(3))
    loss = functional.cross_entropy(c.model(c.inputs), c.targets)
    slope = torch.autograd.grad(loss, c.params, create_graph=True)
    product = torch.autograd.grad(
        torch.cat([g.reshape(-1) for g in slope]) @ v, c.params, create_graph=True,
        materialize_grads=True,
    )  # fmt: skip
    total = loss + sum(h.square().sum() for h in product) / 6
    naive = flat(torch.autograd.grad(total, c.params))
    assert (naive - expected).norm() > 1e-3 * expected.norm()


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.attend, self.head = nn.MultiheadAttention(4, 2, batch_first=True), nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.attend(x, x, x, need_weights=False)[0].flatten(1))


def test_attention():
    torch.manual_seed(0)
    c = Case(Attention().double(), torch.randn(5, 2, 4).double(), torch.randint(3, (5,)))
    with sdpa_kernel(SDPBackend.MATH):  # the fused one has no second derivative
        expected = fa(Oracle(c), c.weights, generator(3), lam=1.0, num_probes=1)
    close(c.gradient_of(methods.build("fa", lam=1.0, num_probes=1), seed=3), expected, 1e-6)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("norm", NORMS)
def test_primitive_layers_equal_the_fused(norm, training):
    """Outputs, first derivatives and running statistics."""
    results = []
    for swap in (False, True):
        c = net(NORMS[norm]())
        c.model.train(training)
        x = c.inputs.clone().requires_grad_()
        if swap:
            with third_order.exact_norms(c.model) as model:
                z = model(x)
            assert "Norm" not in str(type(z.grad_fn))
        else:
            z = c.model(x)
        z.square().sum().backward()
        buffers = [b.double() for b in c.model.buffers()]
        results.append([z.detach(), x.grad, *[p.grad for p in c.params], *buffers])
    for fused, made in zip(*results, strict=True):
        torch.testing.assert_close(fused, made, rtol=1e-9, atol=1e-10)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::torch.jit.TracerWarning")
def test_a_fused_layer_out_of_reach_is_refused():
    """Traced code runs past the replacement; the graph shows it."""
    c = net(NORMS["batch"]())
    c.model = torch.jit.trace(c.model, c.inputs, check_trace=False)
    with pytest.raises(ValueError, match=r"third derivatives.*BatchNorm.*primitive operations"):
        c.gradient_of(methods.build("fa"))


def test_kinks_refuse_the_difference_form():
    c = net(nn.Identity())
    for kink in (nn.ReLU(), nn.LeakyReLU(), nn.Hardtanh(), nn.MaxPool2d(1), nn.PReLU()):
        c.model[1] = kink.double()
        with pytest.raises(ValueError, match=r"smooth activations.*form = 'exact'"):
            c.gradient_of(methods.build("fa", form="difference"))
    c.model[1] = nn.Identity()
    c.gradient_of(methods.build("fa", form="difference"))


@pytest.mark.parametrize("probes", [1, 2])
def test_difference_form_approaches_the_exact_one(probes):
    """The error is of the order of the step: a tenth of the step, about a tenth of the error."""
    c = net(nn.Identity())
    exact = c.gradient_of(methods.build("fa", lam=1.0, num_probes=probes))
    errors = []
    for step in (1e-2, 1e-3, 1e-4):
        method = methods.build("fa", lam=1.0, num_probes=probes, form="difference", step=step)
        errors.append(float((c.gradient_of(method) - exact).norm() / exact.norm()))
    assert errors[0] < 0.05
    assert errors[1] < 0.2 * errors[0]
    assert errors[2] < 0.2 * errors[1]


def test_a_linear_loss_has_no_curvature():
    """H = 0 everywhere: the penalty adds nothing and nothing fails."""
    model = nn.Linear(4, 3).double()
    c = Case(model, torch.randn(5, 4).double(), torch.zeros(5), lambda z, t: z.mean())
    c.gradient_of(methods.build("fa", lam=1.0))
    assert float(c.output.objective) == pytest.approx(float(c.output.loss))


@pytest.mark.parametrize("form", ["exact", "difference"])
def test_low_precision_is_switched_off(form):
    """Under autocast third derivatives, and differences of gradients, would be noise."""
    c = case("mlp", dtype=torch.float32)
    plain = c.gradient_of(methods.build("fa", form=form, lam=0.5))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(c.gradient_of(methods.build("fa", form=form, lam=0.5)), plain)
