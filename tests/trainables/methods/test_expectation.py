"""Means over the noise, by z-tests.

Each test draws a fixed number n of samples with a fixed seed, and asks whether the sample
mean of every coordinate is within z standard errors of its expectation. z is chosen so that a right
method fails with probability 1e-6 over all coordinates together (Bonferroni, normal tails;
with a fixed seed the answer is the same on every run).
"""

import pytest
import torch
from scipy.stats import norm
from torch import nn

from tests.trainables.methods.oracle import Case, Oracle, case, difference, flat, generator
from trainables import methods
from trainables.methods.ops import noise

ALARM = 1e-6


def z_test(samples, expected) -> None:
    """samples (n, d) against expected (d,); coordinates without any spread must be equal."""
    n, d = samples.shape
    limit = float(norm.isf(ALARM / (2 * d)))
    error = samples.mean(0) - expected
    standard = samples.std(0) / n**0.5
    assert (error.abs() <= limit * standard + 1e-12).all(), float((error.abs() / standard).max())


def gradients(c: Case, method, count: int):
    g, rows = generator(0), []
    for _ in range(count):
        method.gradient(c.model, c.loss_fn, c.inputs, c.targets, generator=g)
        rows.append(flat([p.grad for p in c.params]))
    return torch.stack(rows)


LAWS = ["normal", "laplace", "uniform", "binomial", "binomial_uncentered", "rademacher"]


@pytest.mark.parametrize("law", LAWS)
def test_noise_has_unit_variance_and_the_stated_mean(law):
    """100,000 draws: mean, variance and the fourth moment of each law."""
    x = torch.empty(100_000, 1, dtype=torch.float64)
    noise.fill(x.view(-1), law, generator(0))
    mean = 2.0 if law == "binomial_uncentered" else 0.0
    z_test(x, torch.tensor([mean]).double())
    fourth = {"normal": 3, "laplace": 6, "uniform": 1.8, "rademacher": 1}.get(law, 2.5)
    centered = x - mean
    z_test(torch.cat([centered**2, centered**4], 1), torch.tensor([1.0, fourth]).double())


@pytest.mark.parametrize("law", LAWS)
def test_neighboring_entries_are_uncorrelated(law):
    x = torch.empty(50_000, 2, dtype=torch.float64)
    noise.fill(x.view(-1), law, generator(0))
    z_test((x[:, :1] - x.mean()) * (x[:, 1:] - x.mean()), torch.zeros(1).double())


def test_ball_is_uniform():
    """In 3 dimensions: mean 0, E‖x‖² = 3/5, P(‖x‖ < 1/2) = 1/8, never outside."""
    rows, g = torch.empty(20_000, 3, dtype=torch.float64), generator(0)
    for row in rows:
        noise.ball(row, g)
    r = rows.norm(dim=1)
    assert (r <= 1).all()
    stats = torch.stack([*rows.T, r**2, (r < 0.5).double()], 1)
    z_test(stats, torch.tensor([0, 0, 0, 0.6, 0.125]).double())


class Quadratic(nn.Module):
    """Loss ½ wᵀ A w + bᵀ w, as logits of a network whose loss function is the identity."""

    def __init__(self):
        super().__init__()
        g = generator(1)
        M = torch.randn(6, 6, dtype=torch.float64, generator=g)
        self.A, self.b = M @ M.T + M.T @ M, torch.randn(6, dtype=torch.float64, generator=g)
        self.w = nn.Parameter(torch.randn(6, dtype=torch.float64, generator=g))

    def forward(self, x):
        return (0.5 * self.w @ self.A @ self.w + self.b @ self.w).expand(len(x), 1)


def quadratic() -> Case:
    return Case(Quadratic(), torch.zeros(4, 1), torch.zeros(4), lambda z, t: z.mean())


@pytest.mark.parametrize("k", [1, 3])
def test_nso_on_a_quadratic_is_the_clean_gradient(k):
    """Exactly, for every draw: the two points' deviations ±A U cancel (to 2e-16 relative)."""
    c = quadratic()
    exact = c.model.A @ c.model.w.detach() + c.model.b
    for row in gradients(c, methods.build("nso", sigma=0.5, num_perturbations=k), 10):
        torch.testing.assert_close(row, exact, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", ["wp_sgd", "rmp"])
def test_noisy_gradient_on_a_quadratic_is_clean_on_average(name):
    """2,000 draws."""
    c = quadratic()
    exact = c.model.A @ c.model.w.detach() + c.model.b
    samples = gradients(c, methods.build(name), 2000)
    assert (samples.std(0) > 0).all()
    z_test(samples, exact)


def test_wp_sgd_spread_on_a_quadratic_is_that_of_sigma():
    """Var(∇L(w + U)) = σ² diag(A²), 4,000 draws."""
    c = quadratic()
    samples = gradients(c, methods.build("wp_sgd", sigma=0.3), 4000)
    exact = c.model.A @ c.model.w.detach() + c.model.b
    z_test((samples - exact) ** 2, 0.09 * (c.model.A @ c.model.A).diagonal())


class Quartic(nn.Module):
    """Loss Σ w⁴: ∇L = 4 w³, and E ∇L(w + U) = 4 w³ + 12 σ² w exactly, the Hessian trace's part."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64))

    def forward(self, x):
        return self.w.pow(4).sum().expand(len(x), 1)


@pytest.mark.parametrize("name", ["nso", "wp_sgd"])
@pytest.mark.parametrize("law", ["normal", "laplace", "uniform", "binomial"])
def test_noise_injection_penalizes_the_trace(name, law):
    """E g = ∇[L + (σ²/2) Tr ∇²L] for symmetric noise of unit variance; 1,000 draws."""
    c = Case(Quartic(), torch.zeros(2, 1), torch.zeros(2), lambda z, t: z.mean())
    w = c.weights
    samples = gradients(c, methods.build(name, sigma=0.2, distribution=law), 1000)
    z_test(samples, 4 * w**3 + 12 * 0.2**2 * w)


def test_uncentered_binomial_is_biased():
    """Mean 2: E ∇L(w + U) is far from that of symmetric noise."""
    c = quadratic()
    samples = gradients(c, methods.build("wp_sgd", distribution="binomial_uncentered"), 2000)
    shift = 0.01 * 2 * c.model.A.sum(1)
    z_test(samples, c.model.A @ c.model.w.detach() + c.model.b + shift)
    with pytest.raises(AssertionError):
        z_test(samples, c.model.A @ c.model.w.detach() + c.model.b)


@pytest.mark.parametrize(("network", "count"), [("mlp", 150), ("conv", 200)])
@pytest.mark.parametrize("law", ["normal", "rademacher"])
def test_fa_penalty_is_the_squared_trace_on_average(network, count, law):
    """E[g] - ∇L = ∇[lam Tr(H²) / B], H dense, through train-mode BatchNorm too.

    Projected on 6 random directions, where the expectation is a central difference of the
    dense trace along the direction (error 1e-8, far below the standard errors).
    """
    c = case(network)
    oracle, w = Oracle(c), c.weights
    directions = torch.randn(6, len(w), dtype=torch.float64, generator=generator(8))
    directions /= directions.norm(dim=1, keepdim=True)
    clean = oracle.gradient(w)
    lam, step = 2.0, 1e-4

    def trace(at):
        H = oracle.hessian(at)
        return float((H * H).sum())

    expected = torch.tensor(
        [
            lam / 8 * (trace(w + step * d) - trace(w - step * d)) / (2 * step)
            for d in directions
        ]
    ).double()  # fmt: skip
    method = methods.build("fa", lam=lam, num_probes=2, distribution=law)
    samples = (gradients(c, method, count) - clean) @ directions.T
    assert (expected.abs() > 5 * samples.std(0) / count**0.5).any(), "the test has no power"
    z_test(samples, expected)


@pytest.mark.parametrize("estimator", ["squared_norm", "squared_form"])
def test_fa_objective_is_the_squared_trace_on_average(estimator):
    """E ‖Hv‖² = Tr(H²); E (v'Hv)² = 2 Tr(H²) + Tr(H)² of normal probes."""
    c = case("mlp")
    oracle, w = Oracle(c), c.weights
    H = oracle.hessian(w)
    torch.testing.assert_close(H, H.T, rtol=1e-10, atol=1e-12)
    mean = float((H * H).sum())
    if estimator == "squared_form":
        mean = 2 * mean + float(H.trace()) ** 2
    method, values = methods.build("fa", lam=2.0, estimator=estimator), []
    for seed in range(300):
        c.gradient_of(method, seed=seed)
        values.append(float(c.output.objective))
    z_test(
        torch.tensor(values).double().view(-1, 1),
        torch.tensor([oracle.value(w) + 2.0 * mean / 8]).double(),
    )


def test_infomcr_descends_half_the_fisher_trace():
    """As alpha → 0, (G - ∇L) / (alpha beta) = mean_i H_i g_i = ½ ∇ mean ‖g_i‖²; error O(alpha)."""
    c = case("mlp")
    oracle, w = Oracle(c), c.weights
    parts = [slice(0, 4), slice(4, 8)]

    def half_mean_square(at):
        return float(sum(oracle.gradient(at, r).square().sum() for r in parts)) / 4

    method = methods.build("infomcr", alpha=1e-5, beta=1.0, num_splits=2)
    penalty = (c.gradient_of(method) - oracle.gradient(w)) / 1e-5
    expected = difference(half_mean_square, w)
    assert (penalty - expected).norm() < 1e-4 * expected.norm()
    assert difference(lambda at: oracle.value(at), w).shape == w.shape


def test_rpr_displacement_sizes():
    """‖δ‖ by reading, for a network of d weights (nrs.yaml's formulas in numbers)."""
    c = case("mlp")
    w = c.weights
    sizes = {}
    for scale in ("relative", "unit_then_scale", "literal", "gaussian_literal"):
        ball = "on_sphere" if scale == "literal" else "uniform_in_ball"
        method = methods.build("rpr", scale=scale, ball=ball, epsilon=0.3)
        c.gradient_of(method)
        sizes[scale] = float(method.scratch("noise", c.params)[0].norm())
    assert sizes["relative"] == pytest.approx(0.3 * float(w.norm()), rel=1e-12)
    assert sizes["unit_then_scale"] == pytest.approx(0.3, rel=1e-12)
    assert sizes["literal"] == pytest.approx(0.3 / float(w.norm()), rel=1e-12)
    # χ with d degrees of freedom has mean √d within 1/(4d) and standard deviation 1/√2
    expected = 0.3 * len(w) ** 0.5 / float(w.norm())
    assert sizes["gaussian_literal"] == pytest.approx(expected, rel=5 / (2 * len(w)) ** 0.5)
