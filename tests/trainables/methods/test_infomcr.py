"""The ghost form: when it applies, and that it equals the loop."""

import pytest
import torch
from torch import nn

from tests.trainables.methods.oracle import Case, case, close
from trainables import methods
from trainables.methods.ops import infomcr_linear
from trainables.parallel.group import Group


def both(c: Case, monkeypatch, **options):
    """(gradient by the ghost form, by the loop)."""
    method = methods.build("infomcr", **options)
    used = []
    monkeypatch.setattr(infomcr_linear, "gradient", _spy(infomcr_linear.gradient, used))
    fast = c.gradient_of(method)
    assert used, "the ghost form was not taken"
    monkeypatch.setattr(infomcr_linear, "applies", lambda *_: False)
    return fast, c.gradient_of(method)


def _spy(function, calls):
    def spied(*args):
        calls.append(args)
        return function(*args)

    return spied


@pytest.mark.parametrize("network", ["mlp", "no_bias", "own_forward", "rectified"])
@pytest.mark.parametrize("splits", [1, 2, 8])
@pytest.mark.parametrize("alpha", [1e-4, 0.5])
def test_ghost_equals_the_loop(network, splits, alpha, monkeypatch):
    fast, slow = both(case(network), monkeypatch, num_splits=splits, alpha=alpha)
    close(fast, slow, 1e-11)


def test_ghost_in_single_precision(monkeypatch):
    """The loop subtracts nearly equal gradients, with rounding 6e-8 · beta; the ghost form too."""
    fast, slow = both(case("mlp", dtype=torch.float32), monkeypatch)
    close(fast, slow, 1e-5)


class Mixing(nn.Module):
    """Samples interact: the mean of the batch is subtracted."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 3).double()

    def forward(self, x):
        return self.layer(x) - self.layer(x.mean(0, keepdim=True))


class Centered(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 3).double()

    def forward(self, x):
        z = self.layer(x)
        return z - z.mean(0)


class Repeated(nn.Module):
    """One layer used twice."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(5, 5).double(), nn.Linear(5, 3).double()

    def forward(self, x):
        return self.b(torch.tanh(self.a(torch.tanh(self.a(x)))))


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(5, 5), nn.Linear(5, 5), nn.Linear(5, 3)
        self.b.weight = self.a.weight
        self.double()

    def forward(self, x):
        return self.c(self.b(torch.tanh(self.a(x))))


class Tokens(nn.Module):
    """Linear layers over three-dimensional inputs."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(1, 2).double(), nn.Linear(10, 3).double()

    def forward(self, x):
        return self.b(torch.tanh(self.a(x.unsqueeze(-1))).flatten(1))


@pytest.mark.parametrize("make", [Mixing, Centered, Repeated, Tied, Tokens])
def test_ghost_declines_what_it_cannot_do(make):
    c = case("mlp")
    torch.manual_seed(0)
    c.model = make()
    method = methods.build("infomcr", num_splits=2, alpha=0.05)
    assert not infomcr_linear.applies(c.objective_of(method), 2)


def test_ghost_declines_layers_and_losses():
    plain = case("mlp")

    def applies(model, batch=8, **options):
        method = methods.build("infomcr", num_splits=2, **options)
        c = Case(model, plain.inputs[:batch], plain.targets[:batch])
        return infomcr_linear.applies(c.objective_of(method), 2)

    assert applies(plain.model)
    assert applies(plain.model, regularizers=["label_smoothing", "mixup"])
    assert not applies(plain.model, regularizers=["l2_sp"])
    assert not applies(plain.model, regularizers=["flooding"])
    assert not applies(plain.model, batch=7)
    norm = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Linear(4, 3)).double()
    assert not applies(norm)
    norm[1] = nn.BatchNorm1d(4, affine=False).double()
    assert not applies(norm)
    assert int(norm[1].num_batches_tracked) == 0, "the question moved running statistics"
    drop = nn.Sequential(nn.Linear(5, 4), nn.Dropout(0.5), nn.Linear(4, 3)).double()
    assert not applies(drop)
    assert applies(drop.eval())
    plain.model[0].bias.requires_grad_(False)
    assert not applies(plain.model)


def test_layers_are_themselves_again():
    c = case("mlp")
    c.gradient_of(methods.build("infomcr"))
    assert all("forward" not in vars(m) for m in c.model)


def test_workers_must_divide_the_splits():
    three = Group()
    three.size = 3
    method = methods.build("infomcr", num_splits=8).compose(group=three)
    with pytest.raises(ValueError, match="num_splits = 8 is not a multiple of the 3 workers"):
        case("mlp").gradient_of(method)


def test_low_precision_is_switched_off():
    """Under autocast the difference of two bfloat16 gradients would be noise."""
    c = case("mlp", dtype=torch.float32)
    plain = c.gradient_of(methods.build("infomcr", alpha=0.05))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(c.gradient_of(methods.build("infomcr", alpha=0.05)), plain)


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_products_are_in_full_precision(network):
    """TF32 keeps three digits of a difference that lives in the fifth; and it is put back after."""
    c, seen = case(network, dtype=torch.float32), set()
    backends = (torch.backends.cuda.matmul, torch.backends.cudnn.conv, torch.backends.mkldnn.matmul)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        outside = [b.fp32_precision for b in backends]
        c.model.register_forward_pre_hook(
            lambda *_: seen.update(b.fp32_precision for b in backends)
        )
        c.gradient_of(methods.build("infomcr"))
        assert seen == {"ieee"}
        assert [b.fp32_precision for b in backends] == outside
    finally:
        torch.set_float32_matmul_precision(before)
