"""Hessian products, traces, spectra, the last layer and NSO's quantities."""

import itertools

import pytest
import torch
from torch import nn

from tests.trainables.measures.networks import (
    Z,
    close,
    cross_entropy,
    dense_hessian,
    generator,
    network,
    quadratic,
    refuses,
    smoothed,
    squared,
    uneven,
)
from trainables.measures.base import Target
from trainables.measures.curvature import trace as trace_module
from trainables.measures.curvature.last_layer import last_layer_eigenvalue, last_layer_hessian
from trainables.measures.curvature.operator import HessianOperator
from trainables.measures.curvature.second_derivatives import fast_double_backward
from trainables.measures.curvature.spectrum import (
    extreme_eigenvalues,
    hessian_eigenvalues,
    hessian_lambda_max,
    hessian_spectrum,
)
from trainables.measures.curvature.trace import (
    draw_probes,
    hessian_frobenius,
    hessian_trace,
    hessian_trace_of_square,
)


def test_products_are_dense():
    """All columns, one by one and as a block; graphs kept, some kept, and none."""
    for name in ("linear", "mlp", "conv", "sequence", "shared"):
        model, x, y = network(name)
        for loss_fn in (cross_entropy, smoothed)[: 1 + (name == "mlp")]:
            h = dense_hessian(model, loss_fn, x, y)
            for memory in (2**30, 0):
                operator = HessianOperator(model, loss_fn, uneven(x, y), memory=memory)
                eye = torch.eye(operator.size, dtype=x.dtype)
                close(operator @ eye, h, what=name)
                close(operator @ eye[1], h[1], what=name)
                assert operator.products == operator.size + 1
    assert operator._keep == 0
    close(HessianOperator(model, loss_fn, [(x, y)]) @ eye, h)


def test_subsets_are_blocks():
    model, x, y = network("conv")
    names = [n for n, _ in model.named_parameters()]
    cases = {
        "last": ["7.weight", "7.bias"],
        "weights": ["0.weight", "3.weight", "7.weight"],
        "3": ["3.weight", "3.bias"],
        ("4", "0.weight"): ["0.weight", "4.weight", "4.bias"],
        "all": names,
    }
    for which, chosen in cases.items():
        operator = HessianOperator(model, cross_entropy, uneven(x, y), which)
        assert list(operator.point) == chosen
        block = dense_hessian(model, cross_entropy, x, y, chosen)
        close(operator @ torch.eye(operator.size, dtype=x.dtype), block, what=which)
    refuses("known: 0, 1, 3, 4, 7, all", HessianOperator, model, cross_entropy, [(x, y)], "2")
    refuses("at least one sample", HessianOperator, model, cross_entropy, [])
    model[3].requires_grad_(False)
    operator = HessianOperator(model, cross_entropy, [(x, y)])
    assert list(operator.point) == [n for n in names if not n.startswith("3.")]


def test_prefixes_are_whole_names():
    """``1`` is not ``10``."""
    model = nn.Sequential(*[nn.Linear(2, 2) for _ in range(11)])
    operator = HessianOperator(model, cross_entropy, [(torch.ones(1, 2), torch.tensor([0]))], "1")
    assert list(operator.point) == ["1.weight", "1.bias"]


def test_memory_is_bounded():
    """Graphs are kept while they fit: as many as the bytes saved for one say, by the sample."""
    model, x, y = network("conv")
    batches = uneven(x, y, (2, 4, 4, 2))
    kept = []
    for memory in (0, 10**9, *range(0, 60_000, 2_000)):
        operator = HessianOperator(model, cross_entropy, batches, memory=memory)
        operator.gradient()
        assert len(operator._kept) == operator._keep
        kept.append(len(operator._kept))
    assert kept[:2] == [0, 4]
    assert sorted(kept[2:]) == kept[2:]
    assert set(kept[2:]) == {0, 1, 2, 3, 4}


def test_probes_come_in_blocks():
    """The same numbers whatever the size of a block: those of the same vectors on a dense H."""
    model, x, y = network("mlp")
    operator = HessianOperator(model, cross_entropy, [(x, y)])
    h, g = dense_hessian(model, cross_entropy, x, y), generator()
    v = torch.stack([torch.empty(len(h)).double().normal_(generator=g) for _ in range(7)])
    want = draw_probes(operator, 7, generator(), "normal")
    close(want.forms, ((v @ h) * v).sum(1))
    close(want.squares, (v @ h).square().sum(1))
    block = trace_module.BLOCK_ENTRIES
    trace_module.BLOCK_ENTRIES = 3 * operator.size
    try:
        got = draw_probes(operator, 7, generator(), "normal")
    finally:
        trace_module.BLOCK_ENTRIES = block
    close(got.forms, want.forms)
    close(got.squares, want.squares)


def test_training_mode_is_left_to_torch():
    """Batch statistics have derivatives of their own, which are not replaced."""
    torch.manual_seed(0)
    layer = nn.BatchNorm2d(4).double()
    x = torch.randn(3, 4, 2, 2, dtype=torch.float64, requires_grad=True)
    with fast_double_backward():
        output = layer(x)
    close(output.mean((0, 2, 3)), torch.zeros(4))
    close(layer.running_mean, 0.1 * x.mean((0, 2, 3)))


def test_gradient_is_that_of_all_samples():
    model, x, y = network("conv")
    parameters = list(model.parameters())
    want = torch.autograd.grad(cross_entropy(model(x), y), parameters)
    operator = HessianOperator(model, cross_entropy, uneven(x, y))
    close(operator.gradient(), torch.cat([g.reshape(-1) for g in want]))
    assert all(p.grad is None and p.requires_grad for p in parameters)


def test_cheap_derivatives_are_torchs():
    """First and second derivatives of convolution and batch norm, for every shape of geometry."""
    torch.manual_seed(0)
    x = torch.randn(3, 4, 7, 6, dtype=torch.float64, requires_grad=True)
    geometries = [(1, 0, 1, 1), (2, 1, 1, 1), ((2, 1), (1, 2), 1, 2), (1, 2, 2, 4)]
    for (stride, padding, dilation, groups), bias in itertools.product(geometries, (True, False)):
        layer = nn.Conv2d(4, 8, 3, stride, padding, dilation, groups, bias).double()
        _same_derivatives(layer, x)
        _same_derivatives(layer, x.detach())
    same = nn.Conv2d(4, 4, 3, padding="same").double()
    _same_derivatives(same, x)
    for layer in (nn.BatchNorm2d(4), nn.BatchNorm2d(4, affine=False), nn.BatchNorm1d(4)):
        layer.double().eval()
        layer.running_mean.normal_()
        layer.running_var.uniform_(0.5, 2.0)
        if layer.affine:
            nn.init.normal_(layer.weight)
        data = x if isinstance(layer, nn.BatchNorm2d) else x.detach()[:, :, 0].requires_grad_()
        _same_derivatives(layer, data)


def _same_derivatives(layer, x):
    inputs = [t for t in (x, *layer.parameters()) if t.requires_grad]
    weights = [torch.randn_like(t) for t in inputs]

    def derivatives():
        output = layer(x)
        value = (output * torch.linspace(-1, 1, output.numel()).view_as(output)).sin().sum()
        first = torch.autograd.grad(value, inputs, create_graph=True)
        return first, torch.autograd.grad(first, inputs, weights)

    want = derivatives()
    with fast_double_backward():
        got = derivatives()
    for order in (0, 1):
        for a, b in zip(got[order], want[order], strict=True):
            close(a, b)


def test_hutchinson_finds_the_trace():
    """z-tests of both laws, and their standard errors against the exact variances.

    Var v'Hv is 2 ‖H‖² (normal) and 2 (‖H‖² - sum H_ii²) (Rademacher). A sample standard deviation
    of n = 600 values of kurtosis k is off by sqrt((k - 1) / 4n), 8 % at k = 15, which quadratic
    forms do not exceed (that of one square of a normal variable): 38 % is 5 of these.
    """
    for name in ("mlp",):
        model, x, y = network(name)
        h = dense_hessian(model, cross_entropy, x, y)
        square, diagonal = h.square().sum(), h.diagonal().square().sum()
        operator = HessianOperator(model, cross_entropy, uneven(x, y))
        for law, variance in (("normal", 2 * square), ("rademacher", 2 * (square - diagonal))):
            probes = draw_probes(operator, 600, generator(1), law)
            n = len(probes.forms)
            assert n == 600
            assert abs(probes.forms.mean() - h.trace()) < Z * (variance / n) ** 0.5, (name, law)
            assert abs(probes.forms.std() / variance**0.5 - 1) < 0.38, (name, law)
            error = probes.squares.std() / n**0.5
            assert abs(probes.squares.mean() - square) < Z * error, (name, law)
        options = {"num_samples": 100, "probes": "rademacher"}
        want = draw_probes(operator, 100, generator(2))

        def target(model=model, x=x, y=y):
            return Target(model, cross_entropy, uneven(x, y), generator(2))

        got = hessian_trace(target(), **options)
        close(got.value, want.forms.mean())
        close(got.std_error, want.forms.std() / 10)
        got = hessian_trace_of_square(target(), **options)
        close(got.value, want.squares.mean())
        close(got.std_error, want.squares.std() / 10)
        root = hessian_frobenius(target(), **options)
        close(root.value**2, got.value)
        close(2 * root.value * root.std_error, got.std_error)


def test_squares_of_every_batch_are_averaged():
    """With probes of its own for each, drawn in order; the sum of squares does not cancel noise."""
    model, x, y = network("mlp")
    batches = uneven(x, y)
    options = {"num_samples": 400, "probes": "normal"}
    got = hessian_trace_of_square(
        Target(model, cross_entropy, batches, generator=generator(3)), per_batch=True, **options
    )
    g = generator(3)
    each = [
        draw_probes(HessianOperator(model, cross_entropy, [batch]), 400, g, "normal").squares
        for batch in batches
    ]
    close(got.value, sum(s.mean() for s in each) / 2)
    close(got.std_error, sum(s.var() / 400 for s in each) ** 0.5 / 2)
    exact = [dense_hessian(model, cross_entropy, *batch).square().sum() for batch in batches]
    assert abs(got.value - sum(exact) / 2) < Z * got.std_error
    assert sum(exact) / 2 > dense_hessian(model, cross_entropy, x, y).square().sum()


def test_hutchinson_is_exact_on_diagonals():
    model, loss, batches = quadratic([3.0, -1.0, 0.5])
    got = hessian_trace(Target(model, loss, batches), num_samples=7)
    close(got.value, 2.5)
    assert got.std_error < 1e-14
    assert (
        hessian_trace(Target(model, loss, batches), num_samples=7, probes="normal").std_error > 0.1
    )
    close(hessian_trace_of_square(Target(model, loss, batches), num_samples=2).value, 10.25)
    close(hessian_frobenius(Target(model, loss, batches), num_samples=2).value, 10.25**0.5)
    one = hessian_trace(Target(model, loss, batches), num_samples=1)
    assert one.value == 2.5
    assert one.std_error != one.std_error  # nothing is known of the error of one sample


def test_lanczos_on_known_spectra():
    """Negative, equal and zero eigenvalues; largest means largest, not largest in size."""
    model, loss, batches = quadratic([-5.0, 2.0, 2.0, 1.0, 0.0, -1.0, 2.0])
    close(hessian_lambda_max(Target(model, loss, batches), tolerance=1e-9), 2.0)
    spectrum = hessian_spectrum(Target(model, loss, batches), largest=4, smallest=3, tolerance=1e-9)
    close(spectrum.largest, [2.0, 2.0, 2.0, 1.0])
    close(spectrum.smallest, [-5.0, -1.0, 0.0])
    assert spectrum.products <= 7
    named = hessian_eigenvalues(Target(model, loss, batches), largest=1, smallest=1, tolerance=1e-9)
    close([named["largest_1"], named["smallest_1"]], [2.0, -5.0])
    assert named.keys() == {"largest_1", "smallest_1", "error", "products"}
    refuses("8 eigenvalues of a 7 x 7", hessian_spectrum, Target(model, loss, batches), largest=8)
    close(hessian_lambda_max(Target(*quadratic([-3.0]))), -3.0)
    # Linear regression: H = 2 X'X / N. X = [diag(s); 0] has the eigenvalues 2 s² / N.
    s = torch.arange(1.0, 9.0, dtype=torch.float64)
    x = torch.cat([torch.diag(s), torch.zeros(2, 8, dtype=torch.float64)])
    linear = nn.Linear(8, 1, bias=False).double().eval()
    data = uneven(x, torch.randn(10, dtype=torch.float64), (3, 7))
    spectrum = hessian_spectrum(Target(linear, squared, data), largest=8, tolerance=1e-12)
    close(spectrum.largest, 2 * s.square().flip(0) / 10)


def test_lanczos_keeps_its_bound():
    """On a spectrum like a network's (a few outliers, a bulk): 1e-3 in at most 20 products."""
    g = generator(4)
    outliers = torch.tensor([9.0, 6.0, 4.0, -2.0])
    values = torch.cat([outliers, torch.rand(116, generator=g) - 0.3]).double()
    q = torch.linalg.qr(torch.randn(120, 120, generator=g, dtype=torch.float64))[0]
    h = q @ torch.diag(values) @ q.T
    start = torch.randn(120, generator=g, dtype=torch.float64)
    for tolerance, scale in itertools.product((1e-2, 1e-3, 1e-6, 1e-10), (1.0, 1e-3)):
        found = extreme_eigenvalues((scale * h).__matmul__, start, 3, 1, tolerance)
        got = torch.tensor([*found.largest, *found.smallest], dtype=torch.float64)
        assert (got - scale * values[:4]).abs().max() <= found.error + 1e-12 * scale
        assert found.error <= tolerance * 9 * scale
    every = extreme_eigenvalues(h.__matmul__, start, 120).largest
    close(every, values.sort(descending=True).values)
    assert extreme_eigenvalues(h.__matmul__, start, 1, 0, 1e-3).products <= 20
    stopped = extreme_eigenvalues(h.__matmul__, start, 1, 0, 1e-12, max_products=4)
    assert stopped.products == 4
    assert stopped.error > 1e-12 * 9
    low = extreme_eigenvalues(h.float().__matmul__, start.float(), 1, 1, 1e-4)
    close([*low.largest, *low.smallest], [9.0, float(values.min())], 1e-4)


@pytest.mark.parametrize("name", ["mlp", "conv"])
def test_eigenvalues_of_networks(name):
    model, x, y = network(name)
    truth = torch.linalg.eigvalsh(dense_hessian(model, cross_entropy, x, y))
    found = hessian_spectrum(
        Target(model, cross_entropy, uneven(x, y)), largest=3, smallest=2, tolerance=1e-9
    )
    close(found.largest, truth.flip(0)[:3], 1e-8)
    close(found.smallest, truth[:2], 1e-8)


def test_last_layer_is_its_hessian_block():
    for name in ("mlp", "conv"):
        model, x, y = network(name)
        head = "2" if name == "mlp" else "7"
        for bias in (True, False):
            names = [f"{head}.weight"] + [f"{head}.bias"] * bias
            truth = dense_hessian(model, smoothed, x, y, names)
            block = last_layer_hessian(Target(model, smoothed, uneven(x, y)), bias)
            # V is [W b] row by row, the dense block has W before b: compare spectra and forms.
            matrix = torch.stack([block @ row for row in torch.eye(block.size, dtype=x.dtype)])
            close(torch.linalg.eigvalsh(matrix), torch.linalg.eigvalsh(truth))
            if not bias:
                close(matrix, truth)
            got = last_layer_eigenvalue(
                Target(model, smoothed, uneven(x, y)), bias=bias, tolerance=1e-10
            )
            close(got[""], torch.linalg.eigvalsh(truth)[-1])
            a, b = block.kronecker_factors()
            close(got["kronecker"], torch.linalg.eigvalsh(torch.kron(a, b))[-1])
    one = last_layer_hessian(Target(model, cross_entropy, [(x[:1], y[:1])]), bias=False)
    close(
        torch.kron(*one.kronecker_factors()),
        dense_hessian(model, cross_entropy, x[:1], y[:1], ["7.weight"]),
    )
    truth = last_layer_hessian(Target(model, cross_entropy, [(x, y)]), bias=False)
    p, h = model(x).softmax(1), model[:7](x)
    close(truth.kronecker_factors()[0], sum(torch.diag(q) - torch.outer(q, q) for q in p) / 12)
    close(truth.kronecker_factors()[1], sum(torch.outer(v, v) for v in h) / 12)
    squares = Target(model, lambda z, _: z.square().mean(), [(x, y)])
    refuses("cross-entropy", last_layer_eigenvalue, squares)
    scaled = nn.Sequential(model, nn.Softplus()).eval()
    refuses("'0.7'", last_layer_eigenvalue, Target(scaled, cross_entropy, [(x, y)]))
