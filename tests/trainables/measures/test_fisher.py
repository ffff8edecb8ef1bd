"""Gram matrices, gamma-hat and its rivals."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.trainables.measures.networks import (
    Z,
    close,
    cross_entropy,
    dense_hessian,
    dense_jacobian,
    generator,
    network,
    refuses,
    uneven,
)
from trainables import models
from trainables.measures.base import Target
from trainables.measures.curvature.subset_hessian import subset_hessian
from trainables.measures.fisher import gram as gram_module
from trainables.measures.fisher.log_det import (
    fisher_frobenius,
    fisher_gram,
    fisher_log_det,
    fisher_spectral_radius,
    fisher_spectrum,
)
from trainables.measures.predictions.input_jacobian import robustness


def _xi(model, x, y, scale=None):
    g, log_r = fisher_gram(model, x, y, scale)
    return log_r.exp()[:, None] * g * log_r.exp()


def _log_det(model, x, y, scale=None):
    return 2 * torch.linalg.svdvals(dense_jacobian(model, x, y, scale)).log().sum()


each_network = pytest.mark.parametrize(
    "name", ["linear", "mlp", "conv", "wide", "sequence", "shared"]
)


@each_network
def test_gram_is_that_of_the_rows(name):
    model, x, y = network(name)
    for scale in (None, 0.04, 0.5):
        j = dense_jacobian(model, x, y, scale)
        close(_xi(model, x, y, scale), j @ j.T, what=name)
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks for m in model.modules())


@each_network
def test_gram_in_small_pieces(name):
    """The same when every intermediate is cut as small as it can be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gram_module, "BLOCK_ENTRIES", 40)
        test_gram_is_that_of_the_rows(name)


class _Largest(TorchDispatchMode):
    """Entries of the largest tensor that any operation puts out."""

    entries = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                self.entries = max(self.entries, tensor.numel())
        return out


def test_gram_makes_no_matrix_of_samples_by_parameters():
    torch.manual_seed(0)
    x, y = torch.randn(20, 3, 8, 8), torch.randint(10, (20,))
    wide = nn.Sequential(nn.Flatten(), nn.Linear(192, 128), nn.ReLU(), nn.Linear(128, 10)).eval()
    for model in (wide, models.build("resnet20", num_classes=10, input_shape=(3, 8, 8)).eval()):
        with _Largest() as largest:
            fisher_gram(model, x, y)
        parameters = sum(p.numel() for p in model.parameters())
        assert 0 < largest.entries < 20 * parameters / 4


def test_convolution_rows_either_way():
    """As on a CPU and as on a GPU, for every shape of geometry, against autograd."""
    torch.manual_seed(0)
    a = torch.randn(3, 4, 7, 6, dtype=torch.float64)
    for stride, padding, dilation in ((1, 0, 1), (2, 1, 1), ((2, 1), (1, 2), 1), (1, 2, 2)):
        layer = nn.Conv2d(4, 5, 3, stride, padding, dilation).double()
        output = layer(a)
        d = torch.randn_like(output)
        want = [
            torch.autograd.grad(z, layer.weight, g, retain_graph=True)[0].reshape(-1)
            for z, g in zip(output, d, strict=True)
        ]
        close(gram_module._grouped(layer, a, d), torch.stack(want))
        close(gram_module._unrolled(layer, a, d.flatten(2)).flatten(1), torch.stack(want))


def test_gram_of_some_parameters():
    """Frozen parameters have no part; a layer frozen in part is done by rows."""
    model, x, y = network("conv")
    model[3].bias.requires_grad_(False)
    model[1].requires_grad_(False)
    j = dense_jacobian(model, x, y)
    assert j.shape[1] == sum(p.numel() for p in model.parameters() if p.requires_grad)
    close(_xi(model, x, y), j @ j.T)


def test_gram_of_certain_samples():
    """p_y = 1 to the last bit in float32: the rows still have their true, tiny, size.

    Logits c (x, -x) give the gradient c' (1 - p_y) (a, -a) with 1 - p_y = exp(-2 c x): in float32
    all of these would be 0 by p - 1.
    """
    model = nn.Linear(2, 2, bias=False).eval()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[10.0, 0.0], [-10.0, 0.0]]))
    x = torch.tensor([[1.5, 0.3], [2.0, -0.7]])
    g, log_r = fisher_gram(model, x, torch.tensor([0, 0]))
    margins = 20 * x[:, 0].double()
    close(log_r, -margins + 0.5 * torch.log(torch.tensor(2.0)), 1e-6)
    close(g, x.double() @ x.double().T, 1e-6)


def test_log_det_is_that_of_singular_values():
    model, x, y = network("conv")
    target = Target(model, cross_entropy, uneven(x, y))
    for scale in (None, 0.04):
        want = []
        for trial in range(3):
            rows = slice(4 * trial, 4 * trial + 4)
            want.append(_log_det(model, x[rows], y[rows], scale))
        want = torch.stack(want)
        for half in (False, True):
            got = fisher_log_det(
                target, num_samples=4, num_trials=3,
                logit_scale=scale, half=half, subsets="consecutive",
            )  # fmt: skip
            close(got.value, want.mean() / (1 + half), 1e-8)
            close(got.std_error, want.std() / 3**0.5 / (1 + half), 1e-7)
    options = {"num_samples": 4, "num_trials": 4, "subsets": "consecutive"}
    refuses("need 16 samples, there are 12", fisher_log_det, target, **options)
    refuses("need 13 samples", fisher_log_det, target, num_samples=13, num_trials=1)
    twice = Target(model, cross_entropy, [(torch.cat([x[:1], x[:1]]), torch.cat([y[:1], y[:1]]))])
    # dependent rows: -inf but for rounding
    assert fisher_log_det(twice, num_samples=2, num_trials=1).value < -30


def test_subsets_are_random_and_without_repetition():
    """A whole set is a permutation; of 3 out of 4 each leaves one out, evenly over 400 trials.

    The frequency of each is 100 ± sqrt(400 * 3/16) = 8.7.
    """
    model, x, y = network("mlp")
    small = uneven(x[:4], y[:4], (1, 3))
    target = Target(model, cross_entropy, small, generator())
    whole = fisher_log_det(target, num_samples=4, num_trials=2)
    close(
        whole.value, 2 * torch.linalg.svdvals(dense_jacobian(model, x[:4], y[:4])).log().sum(), 1e-8
    )
    assert whole.std_error < 1e-9
    left_out = []
    for i in range(4):
        keep = [k for k in range(4) if k != i]
        left_out.append(
            2 * torch.linalg.svdvals(dense_jacobian(model, x[keep], y[keep])).log().sum()
        )
    counts = torch.zeros(4)
    target = Target(model, cross_entropy, small, generator(1))
    for _ in range(400):
        value = fisher_log_det(target, num_samples=3, num_trials=1).value
        match = [i for i, v in enumerate(left_out) if abs(v - value) < 1e-6]
        assert len(match) == 1
        counts[match[0]] += 1
    assert (counts - 100).abs().max() < Z * 8.7


def test_rivals_from_the_gram_matrix():
    """Against the Fisher matrix J'J / N' itself, (d, d)."""
    model, x, y = network("mlp")
    batches, options = uneven(x, y), {"num_samples": 6, "num_trials": 2, "subsets": "consecutive"}
    squares, radii, dets = [], [], []
    for rows in (slice(0, 6), slice(6, 12)):
        j = dense_jacobian(model, x[rows], y[rows])
        fisher = j.T @ j / 6
        squares.append(fisher.square().sum())
        radii.append(torch.linalg.eigvalsh(fisher)[-1])
        dets.append(torch.logdet(j @ j.T))
    got = fisher_spectrum(Target(model, cross_entropy, batches), **options)
    for name, want in (
        ("frobenius_squared", squares),
        ("spectral_radius", radii),
        ("log_det", dets),
    ):
        want = torch.stack(want)
        close(got[name].value, want.mean(), what=name)
        close(got[name].std_error, want.std() / 2**0.5, 1e-7, what=name)
    assert (
        fisher_frobenius(Target(model, cross_entropy, batches), **options)
        == got["frobenius_squared"]
    )
    assert (
        fisher_spectral_radius(Target(model, cross_entropy, batches), **options)
        == got["spectral_radius"]
    )
    assert fisher_log_det(Target(model, cross_entropy, batches), **options) == got["log_det"]
    halved = fisher_log_det(Target(model, cross_entropy, batches), half=True, **options)
    close(halved.value * 2, got["log_det"].value)
    scaled = {"logit_scale": 0.04, **options}
    a = fisher_spectrum(Target(model, cross_entropy, batches), **scaled)["log_det"]
    assert a == fisher_log_det(Target(model, cross_entropy, batches), **scaled)


def test_rivals_from_the_hessian():
    """The radius exactly; the Frobenius norm by a z-test over 2 x 400 probes.

    Its stated error is the spread over subsets; here the subsets are fixed and the spread is that
    of the probes: Var ‖Hv‖² <= 2 ‖H²‖_F².
    """
    model, x, y = network("mlp")
    squares, radii, noise = [], [], []
    for rows in (slice(0, 6), slice(6, 12)):
        h = dense_hessian(model, cross_entropy, x[rows], y[rows])
        squares.append(h.square().sum())
        radii.append(torch.linalg.eigvalsh(h).abs().max())
        noise.append(2 * (h @ h).square().sum() / 400)
    got = subset_hessian(
        Target(model, cross_entropy, uneven(x, y), generator=generator()),
        num_samples=6,
        num_trials=2,
        num_probes=400,
        subsets="consecutive",
        tolerance=1e-10,
    )
    close(got["spectral_radius"].value, sum(radii) / 2, 1e-7)
    close(got["spectral_radius"].std_error, abs(radii[0] - radii[1]) / 2, 1e-6)
    error = (sum(noise) ** 0.5) / 2
    assert abs(got["frobenius_squared"].value - sum(squares) / 2) < Z * error


@pytest.mark.parametrize("outputs", ["probabilities", "logits"])
@pytest.mark.parametrize("name", ["linear", "mlp", "conv"])
def test_robustness_is_the_jacobian_of_the_outputs(name, outputs):
    model, x, y = network(name)
    norms = []
    for image in x:
        j = torch.autograd.functional.jacobian(
            lambda z, model=model: (
                model(z[None])[0].softmax(0) if outputs == "probabilities" else model(z[None])[0]
            ),
            image,
        )
        norms.append(torch.linalg.matrix_norm(j.flatten(1), ord=2) ** 2)
    got = robustness(Target(model, cross_entropy, uneven(x, y)), outputs=outputs)
    close(got, torch.stack(norms).mean(), what=name)
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("scale", [0.04, 1.0, 10.0])
def test_logits_of_another_norm_predict_the_same(scale):
    """The scaling of Table 3 is by a positive number of each sample: no prediction changes.

    The measure itself leaves the network as it is, whose outputs are what they were.
    """
    model, x, y = network("conv")
    logits = model(x)
    scaled = logits / (logits.norm(dim=1, keepdim=True) * scale)
    assert torch.equal(scaled.argmax(dim=1), logits.argmax(dim=1))
    close(scaled.norm(dim=1), torch.full((len(x),), 1 / scale, dtype=logits.dtype))
    options = {"num_samples": 4, "num_trials": 2, "logit_scale": scale}
    fisher_log_det(Target(model, cross_entropy, uneven(x, y), generator(1)), **options)
    assert torch.equal(model(x), logits)
