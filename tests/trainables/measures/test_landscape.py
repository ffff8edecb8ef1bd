"""Sharpness, lines and planes through the weights, distances."""

import copy
import itertools

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
    uneven,
)
from trainables.measures import distance, measure
from trainables.measures.base import Target
from trainables.measures.landscape.line_plane import (
    landscape_1d,
    landscape_2d,
    line,
    plane,
    positions,
    random_direction,
)
from trainables.measures.landscape.sharpness import (
    _rises,
    average_sharpness,
    perturbation_gap,
    worst_case_sharpness,
)


def _flat(model):
    return torch.cat([p.detach().reshape(-1) for p in model.parameters()])


def _moved(model, d):
    """A copy with ``d`` added to its parameters."""
    other = copy.deepcopy(model)
    with torch.no_grad():
        nn.utils.vector_to_parameters(_flat(model) + d, other.parameters())
    return other


def _gradient(model, x, y):
    gradient = torch.autograd.grad(cross_entropy(model(x), y), list(model.parameters()))
    return torch.cat([g.reshape(-1) for g in gradient])


def _rise(model, d, x, y):
    with torch.no_grad():
        return cross_entropy(_moved(model, d)(x), y) - cross_entropy(model(x), y)


def test_worst_case_as_sam():
    for name in ("mlp", "conv"):
        model, x, y = network(name)
        g = _gradient(model, x, y)
        before = _flat(model)
        got = worst_case_sharpness(Target(model, cross_entropy, uneven(x, y)), radius=0.3)
        close(got[""], _rise(model, 0.3 * g / g.norm(), x, y))
        close(got["distance"], 0.3)
        sizes = [p.numel() for p in model.parameters()]
        d = torch.cat([0.3 * part / part.norm() for part in g.split(sizes)])
        got = worst_case_sharpness(
            Target(model, cross_entropy, uneven(x, y)), radius=0.3, scope="tensor", steps=3
        )
        close(got[""], _rise(model, d, x, y))
        close(got["distance"], 0.3 * len(sizes) ** 0.5)
        assert torch.equal(before, _flat(model))
    flat = worst_case_sharpness(Target(*quadratic([0.0, 0.0])))
    assert flat == {"": 0.0, "distance": 0.0}


def test_worst_case_as_amp():
    """Two steps; a radius that clips both, the second only, neither; and tensor by tensor."""
    model, x, y = network("mlp")
    sizes = [p.numel() for p in model.parameters()]
    for scope in ("global", "tensor"):
        for radius in (0.05, 0.5, 5.0):
            d = torch.zeros_like(_flat(model))
            for _ in range(2):
                d = d + 0.7 * _gradient(_moved(model, d), x, y)
                parts = [d] if scope == "global" else d.split(sizes)
                d = torch.cat([p * min(1.0, radius / float(p.norm())) for p in parts])
            got = worst_case_sharpness(
                Target(model, cross_entropy, uneven(x, y)),
                rule="amp",
                radius=radius,
                inner_lr=0.7,
                steps=2,
                scope=scope,
            )
            close(got[""], _rise(model, d, x, y))
            close(got["distance"], d.norm())


def test_small_gradients_reach_the_ball():
    """‖g‖ = 0.01 and radius 0.5: SAM's step is as long as the radius, AMP's as inner_lr allows."""
    model, loss, batches = quadratic([0.01, 0.0])
    got = worst_case_sharpness(Target(model, loss, batches), radius=0.5)
    close(got["distance"], 0.5)
    close(got[""], 0.005 * (1.5**2 - 1))
    got = worst_case_sharpness(Target(model, loss, batches), rule="amp", radius=0.5, inner_lr=2.0)
    close(got["distance"], 0.02)


def test_worst_case_over_a_layer():
    model, x, y = network("conv")
    got = worst_case_sharpness(
        Target(model, cross_entropy, uneven(x, y)), parameters="3", radius=0.2
    )
    g = _gradient(model, x, y)
    keep = torch.cat(
        [torch.full((p.numel(),), n.startswith("3.")) for n, p in model.named_parameters()]
    )
    g = g * keep
    close(got[""], _rise(model, 0.2 * g / g.norm(), x, y))


def test_gaps_of_a_quadratic():
    """½ u'Cu in each pair: mean sigma² / 2 Tr C; one-sided adds C w u of variance sigma² ‖C w‖²."""
    curvatures, sigma, n = [3.0, -1.0, 0.5, 2.0], 0.3, 400
    model, loss, batches = quadratic(curvatures)
    c = torch.tensor(curvatures, dtype=torch.float64)
    want, even = sigma**2 / 2 * c.sum(), sigma**4 / 2 * c.square().sum()
    odd = sigma**2 * (c * model.w.detach()).square().sum()
    gap = perturbation_gap(
        Target(model, loss, batches, generator=generator()),
        sigma=sigma,
        num_samples=n,
        parameters="all",
    )
    assert abs(gap[""].value - want) < Z * (even / n) ** 0.5
    # Kurtosis of the pairs is below 15: their sample deviation is within 5 sqrt(14 / 4n) = 47 %.
    assert abs(gap[""].std_error / (even / n) ** 0.5 - 1) < 0.47
    close(gap["hessian"].value, want)
    rise = average_sharpness(
        Target(model, loss, batches, generator=generator()), sigma=sigma, num_samples=n
    )
    assert abs(rise.value - want) < Z * ((even + odd) / n) ** 0.5
    assert abs(rise.std_error / ((even + odd) / n) ** 0.5 - 1) < 0.47
    assert rise.std_error > 2 * gap[""].std_error


def test_gap_of_a_network():
    """Weight matrices only by default; small sigma: the gap is the Hessian's within its error."""
    model, x, y = network("mlp")
    names = ["0.weight", "2.weight"]
    trace = dense_hessian(model, cross_entropy, x, y, names).trace()
    gap = perturbation_gap(
        Target(model, cross_entropy, uneven(x, y), generator=generator()),
        sigma=0.01,
        num_samples=200,
    )
    want = 0.01**2 / 2 * trace
    assert abs(gap["hessian"].value - want) < Z * gap["hessian"].std_error
    assert abs(gap[""].value - want) < Z * gap[""].std_error
    assert gap[""].std_error < want


def test_gaps_over_sigma_share_draws_and_trace():
    """½ sigma² z'Cz for the same z at every sigma, and sigma² / 2 times one estimate of Tr(H)."""
    sigmas = (0.1, 0.2, 0.4)  # doubling is exact
    model, loss, batches = quadratic([3.0, -1.0, 0.5, 2.0])
    several = perturbation_gap(
        Target(model, loss, batches, generator=generator()),
        sigma=sigmas,
        num_samples=7,
        parameters="all",
    )
    assert list(several) == [f"{s}{part}" for s in sigmas for part in ("", "/hessian")]
    for small, large in itertools.pairwise(sigmas):
        one, four = several[f"{small}"], several[f"{large}"]
        close(four.value, 4 * one.value)
        close(four.std_error, 4 * one.std_error)
    alone = perturbation_gap(
        Target(model, loss, batches, generator=generator()),
        sigma=0.2,
        num_samples=7,
        parameters="all",
    )
    assert alone == {"": several["0.2"], "hessian": several["0.2/hessian"]}

    model, x, y = network("mlp")  # its Hessian is not diagonal: probes differ
    several = perturbation_gap(
        Target(model, cross_entropy, uneven(x, y), generator=generator()),
        sigma=sigmas,
        num_probes=3,
    )
    one, two, four = (several[f"{sigma}/hessian"] for sigma in sigmas)
    assert one.std_error > 0
    assert (four.value, four.std_error) == (4 * two.value, 4 * two.std_error)
    assert (two.value, two.std_error) == (4 * one.value, 4 * one.std_error)


def test_directions_are_filter_normalised():
    for name in ("mlp", "conv"):
        model, _, _ = network(name)
        for moved in (False, True):
            d = random_direction(model, generator(), moved)
            parts = d.split([p.numel() for p in model.parameters()])
            for part, p in zip(parts, model.parameters(), strict=True):
                part = part.view_as(p)
                if p.ndim > 1:
                    for row, own in zip(part, p.detach(), strict=True):
                        close(row.norm(), own.norm())
                else:
                    close(part.norm(), p.detach().norm() * moved)
    a, b = (random_direction(model, generator(s)) for s in (0, 1))
    assert not torch.equal(a, b)
    assert torch.equal(a, random_direction(model, generator(0)))


def test_lines_and_planes():
    model, x, y = network("conv")
    batches = uneven(x, y)
    a, b = (random_direction(model, generator(s)) for s in (0, 1))
    at = positions(0.6, 5)
    close(at, [-0.6, -0.3, 0.0, 0.3, 0.6])
    assert positions(2.0, 1) == [0.0]
    with torch.no_grad():
        truth = [cross_entropy(_moved(model, s * a)(x), y) for s in at]
        grid = [[cross_entropy(_moved(model, s * a + t * b)(x), y) for t in at] for s in at]
    close(line(Target(model, cross_entropy, batches), a, at), truth)
    close(plane(Target(model, cross_entropy, batches), (a, b), at), grid)
    named = landscape_1d(
        Target(model, cross_entropy, batches, generator=generator(0)), extent=0.6, points=5
    )
    assert list(named) == ["-0.600", "-0.300", "0.000", "0.300", "0.600"]
    close(list(named.values()), truth)
    g = generator(7)
    pair = (random_direction(model, g), random_direction(model, g))
    named = landscape_2d(Target(model, cross_entropy, batches, generator=generator(7)), points=3)
    want = plane(Target(model, cross_entropy, batches), pair, [-1.0, 0.0, 1.0])
    close(list(named.values()), want.flatten())
    assert list(named)[1] == "-1.000/0.000"


def test_distances_by_hand():
    model, x, y = network("mlp")
    other = copy.deepcopy(model)
    with torch.no_grad():
        other[0].weight.add_(2.0)
        other[2].bias.add_(1.0)
    u, v = _flat(model), _flat(other)
    want = {"": (30 * 4 + 3) ** 0.5, "relative": (u - v).norm() / v.norm()}
    want["cosine"] = u @ v / (u.norm() * v.norm())
    for weights in (other, other.state_dict()):
        got = distance(model, weights)
        for key, value in want.items():
            close(got[key], value, what=key)
    close(distance(model, other, "2")[""], 3**0.5)
    flat = measure(
        "distance_from_initialization", Target(model, cross_entropy, uneven(x, y), initial=other)
    )
    close(flat["distance_from_initialization"], want[""])
    assert "distance_from_initialization/cosine" in flat
    refuses("no '0.weight'", distance, model, {})
    refuses(
        "needs the initial weights",
        measure,
        "distance_from_initialization",
        Target(model, cross_entropy, uneven(x, y)),
    )


def test_two_points_vary_less_than_two_draws_where_there_is_a_slope():
    """NSO's argument: [f(w + u) + f(w - u)] / 2 - f(w) has no term of first order in u.

    Its variance is of order sigma⁴, that of the mean of two independent draws of order sigma² as
    long as there is a gradient: their ratio grows with sigma, and is below 1 by an F test
    (0.1 %, of 100 and 100 values) at every sigma. At a stationary point only the even part is
    left, of which two independent draws have half the variance.
    """
    model, x, y = network("mlp")
    sigmas, n = (0.003, 0.01, 0.03, 0.1), 100

    def ratios(target):
        pairs = _rises(target(), sigmas, n, "all", antithetic=True)
        draws = _rises(target(), sigmas, 2 * n, "all", antithetic=False)
        return pairs.var(dim=0) / draws.view(n, 2, len(sigmas)).mean(dim=1).var(dim=0)

    found = ratios(lambda: Target(model, cross_entropy, uneven(x, y), generator=generator()))
    assert found.max() < 1 / F_OF_100
    assert all(a < b for a, b in itertools.pairwise(found.tolist()))

    bowl, loss, batches = quadratic([3.0, 1.0, 0.5, 2.0])
    with torch.no_grad():
        bowl.w.zero_()
    flat = ratios(lambda: Target(bowl, loss, batches, generator=generator()))
    assert flat.min() > 1


F_OF_100 = 1.87
"""The 99.9 % quantile of F with 99 and 99 degrees of freedom."""
