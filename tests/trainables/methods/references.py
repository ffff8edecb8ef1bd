"""Every method once more, as three lines on dense vectors: (method, options, network) → gradient.

A reference takes the oracle, the weights w, a generator in the state the method gets
it, and the options; noise is drawn as documented (one vector over all parameters).
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from tests.trainables.methods.oracle import Oracle, difference, slopes

EXACT = 1e-10
"""The 1e-12 that methods add to norms of 0.01 and more; float64 rounding is far below it."""


def noise_vector(w: Tensor, law: str, g) -> Tensor:
    x = torch.empty_like(w)
    if law == "normal":
        return x.normal_(generator=g)
    if law == "uniform":
        return x.uniform_(-(3**0.5), 3**0.5, generator=g)
    if law == "laplace":
        first = x.exponential_(generator=g).clone()
        return (first - torch.empty_like(w).exponential_(generator=g)) / 2**0.5
    if law == "rademacher":
        return torch.where(x.random_(0, 2, generator=g) > 0, 1.0, -1.0).to(w)
    bits = torch.randint(16, w.shape, generator=g)
    ones = sum((bits >> k) & 1 for k in range(4)).to(w)
    return ones - 2 if law == "binomial" else ones


def moved(o, perturb) -> Tensor:
    """True for the entries of w that are perturbed."""
    return torch.cat([torch.full((p.numel(),), perturb == "all" or p.dim() >= 2) for p in o.params])


def noise_on(o, w, law, g, perturb) -> Tensor:
    """Noise of the entries that are perturbed, in their order; 0 elsewhere."""
    here, u = moved(o, perturb), torch.zeros_like(w)
    u[here] = noise_vector(w[here], law, g)
    return u


def erm(o: Oracle, w, g):
    return o.gradient(w)


def sam(o, w, g, rho=0.05, perturb="all"):
    slope = o.gradient(w) * moved(o, perturb)
    return o.gradient(w + rho * slope / slope.norm())


def usam(o, w, g, rho=0.01, perturb="all"):
    return o.gradient(w + rho * o.gradient(w) * moved(o, perturb))


def asam(o, w, g, rho=0.1, eta=0.0, scaled="all", perturb="all"):
    """With ``scaled = "weight"`` step by step as in asam.py of Kwon et al.'s release.

    There t_w is |w| + eta of the tensors with "weight" in their name; the gradient of these
    alone is multiplied by it, once before the norm of all tensors is taken and once after.
    """
    if scaled == "all":
        size, slope = w.abs() + eta, o.gradient(w) * moved(o, perturb)
        return o.gradient(w + rho * size**2 * slope / (size * slope).norm())
    names = [name for name, _ in o.model.named_parameters()]
    slopes, norms, there = o.split(o.gradient(w) * moved(o, perturb)), [], []
    for name, slope, part in zip(names, slopes, o.split(w), strict=True):
        norms.append((slope * (part.abs() + eta) if "weight" in name else slope).norm())
    norm = sum(n**2 for n in norms) ** 0.5 + 1e-16
    for name, slope, part in zip(names, slopes, o.split(w), strict=True):
        eps = slope * (part.abs() + eta) ** 2 if "weight" in name else slope
        there.append(part + eps * (rho / norm))
    return o.gradient(torch.cat(there))


def rsam(o, w, g, rho=0.05, sigma=0.01, lam=1.0, code_faithful=False, perturb="all"):
    u = sigma * noise_on(o, w, "normal", g, perturb)
    if not code_faithful:
        slope = o.gradient(w + u) * moved(o, perturb)
        return o.gradient(w + rho * slope / slope.norm())
    parts = []
    for noise, weight, p in zip(o.split(u), o.split(w), o.params, strict=True):
        rows = weight.view_as(p).norm(dim=1, keepdim=True) if p.dim() == 2 else 1.0
        parts.append((noise.view_as(p) * rows).reshape(-1))
    u = torch.cat(parts)
    slope = o.gradient(w + u) * moved(o, perturb)
    pairs = zip(o.split(slope), o.split(u), strict=True)
    size = sum((lam * a.norm() + b.norm()) ** 2 for a, b in pairs) ** 0.5
    return o.gradient(w + rho * slope / size)


def bsam(o, w, g, rho=0.05, sigma=0.01, posterior="fixed", perturb="all", **rest):
    if posterior == "fixed":
        return rsam(o, w, g, rho, sigma, perturb=perturb)
    N, delta = rest.get("num_data", 50_000), 5e-4
    s = torch.full_like(w, 1 / (N * sigma**2))
    slope = o.gradient(w + noise_on(o, w, "normal", g, perturb) / (N * s) ** 0.5)
    slope = slope * moved(o, perturb)
    descent = o.gradient(w + rho * slope / s)
    return (1 - rest.get("beta1", 0.9)) * (descent + delta * w) / s


def amp(o, w, g, epsilon=0.5, inner_lr=1.0, inner_steps=1, norm="global", clip=None, perturb="all"):
    def clipped(slope):
        return slope if clip is None else slope * min(1.0, clip / (float(slope.norm()) + 1e-6))

    delta = torch.zeros_like(w)
    for _ in range(inner_steps):
        delta = delta + inner_lr * clipped(o.gradient(w + delta)) * moved(o, perturb)
        pieces = [delta] if norm == "global" else o.split(delta)
        delta = torch.cat([d * min(1.0, epsilon / max(float(d.norm()), 1e-30)) for d in pieces])
    return clipped(o.gradient(w + delta))


def rmp(o, w, g, epsilon=0.1, reading="paper", perturb="all"):
    here, u = moved(o, perturb), torch.zeros_like(w)
    if reading == "paper":
        u = noise_on(o, w, "normal", g, perturb)
        radius = torch.empty(1, dtype=w.dtype).uniform_(generator=g)
        return o.gradient(w + epsilon * radius ** (1 / int(here.sum())) * u / u.norm())
    u[here] = torch.empty_like(w[here]).uniform_(-1, 1, generator=g)
    return o.gradient(w + torch.cat([(epsilon / len(d)) ** 0.5 * d for d in o.split(u)]))


def neighbor(o, w, g, epsilon, scale="relative", ball="uniform_in_ball", perturb="all") -> Tensor:
    def direction(law):
        u = torch.empty_like(w)
        if law == "per_coordinate_uniform":
            return u.uniform_(-1, 1, generator=g)
        return u.normal_(generator=g)

    if scale == "gaussian_literal":
        ball = "gaussian"
    u = direction(ball)
    if scale in ("literal", "gaussian_literal"):
        if ball == "on_sphere":
            u = u / u.norm()
        if ball == "uniform_in_ball":
            radius = torch.empty(1, dtype=w.dtype).uniform_(generator=g)
            u = radius ** (1 / len(w)) * u / u.norm()
    if perturb == "weights":
        u = torch.cat(
            [d * (p.dim() > 1) for d, p in zip(o.split(u), o.params, strict=True)]
        )  # fmt: skip
    if scale == "relative":
        return epsilon * w.norm() * u / u.norm()
    if scale == "unit_then_scale":
        return epsilon * u / u.norm()
    if scale == "relative_per_tensor":
        return torch.cat(
            [
                epsilon * t.norm() * d / d.norm() if d.any() else d
                for d, t in zip(o.split(u), o.split(w), strict=True)
            ]
        )
    return epsilon * u / w.norm()


def shards(size: int, count: int) -> list[slice]:
    edges = [size * i // count for i in range(count + 1)]
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


def rpr(o, w, g, epsilon=0.1, num_devices=1, **reading):
    total = torch.zeros_like(w)
    for rows in shards(len(o.inputs), num_devices):
        share = (rows.stop - rows.start) / len(o.inputs)
        total += share * o.gradient(w + neighbor(o, w, g, epsilon, **reading), rows)
    return total


def nrs(
    o, w, g, epsilon=0.1, alpha=1.0, num_devices=1, loss="as_printed", dropout="same", **reading
):
    """The gradient flows through both networks: each term's by its own backward pass."""
    total = torch.zeros_like(w)
    for rows in shards(len(o.inputs), num_devices):
        share = (rows.stop - rows.start) / len(o.inputs)
        there = w + neighbor(o, w, g, epsilon, **reading)
        p, q = o.logits(w, rows).detach(), o.logits(there, rows).detach()

        def kl(p_logits, q_logits):
            p_log, q_log = p_logits.log_softmax(1), q_logits.log_softmax(1)
            return (p_log.exp() * (p_log - q_log)).sum(1).mean()

        ce = 0.5 if loss == "averaged" else 1.0
        part = ce * (o.gradient(w, rows) + o.gradient(there, rows))
        by_q = torch.autograd.grad(kl(p, o.logits(there, rows)), o.params)
        part += alpha * torch.cat([t.reshape(-1) for t in by_q])
        if loss != "detached_target":
            by_p = torch.autograd.grad(kl(o.logits(w, rows), q), o.params)
            part += alpha * torch.cat([t.reshape(-1) for t in by_p])
        total += share * part
    return total


def nso(
    o, w, g, sigma=0.01, num_perturbations=1, two_point=True, distribution="normal", lam=0.0,
    perturb="all",
):  # fmt: skip
    noisy, count = torch.zeros_like(w), 0
    for _ in range(num_perturbations):
        u = sigma * noise_on(o, w, distribution, g, perturb)
        for sign in (1, -1) if two_point else (1,):
            noisy += o.gradient(w + sign * u)
            count += 1
    return (lam * o.gradient(w) if lam else 0) + (1 - lam) * noisy / count


def wp_sgd(o, w, g, **options):
    return nso(o, w, g, two_point=False, **options)


def infomcr(o, w, g, alpha=1e-4, beta=10.0, num_splits=8, statistics="sub_batch", split="order"):
    if split == "random":
        order = torch.randperm(len(o.inputs), generator=g)
        o.inputs, o.targets = o.inputs[order], o.targets[order]
    parts = shards(len(o.inputs), min(num_splits, len(o.inputs)))
    slopes = [o.gradient(w, rows) for rows in parts]
    shares = [(rows.stop - rows.start) / len(o.inputs) for rows in parts]
    clean = o.gradient(w)
    if statistics == "sub_batch":
        clean = sum(share * s for share, s in zip(shares, slopes, strict=True))
    rises = [s - o.gradient(w - alpha * s, r) for s, r in zip(slopes, parts, strict=True)]
    return clean + beta * sum(rises) / len(parts)


def fa(
    o, w, g, lam=0.01, num_probes=3, distribution="normal", along=None, estimator="squared_norm"
):
    """Central differences of the penalty: no third derivative is ever taken.

    With ``along``, only the components of the gradient along its rows.
    """
    probes = [noise_vector(w, distribution, g) for _ in range(num_probes)]

    def penalty(at):
        products = o.products(at, probes)
        if estimator == "squared_form":
            return (
                float(sum((v @ h) ** 2 for v, h in zip(probes, products, strict=True))) / num_probes
            )
        return float(sum(h.square().sum() for h in products)) / num_probes

    if along is None:
        return o.gradient(w) + lam / len(o.inputs) * difference(penalty, w)
    return along @ o.gradient(w) + lam / len(o.inputs) * slopes(penalty, w, along)


REFERENCES = {
    "erm": erm, "sam": sam, "usam": usam, "asam": asam, "rsam": rsam, "bsam": bsam, "amp": amp,
    "rmp": rmp, "rpr": rpr, "nrs": nrs, "nso": nso, "wp_sgd": wp_sgd, "infomcr": infomcr, "fa": fa,
}  # fmt: skip

SCALES = ("relative", "relative_per_tensor", "unit_then_scale", "literal", "gaussian_literal")
BALLS = ("uniform_in_ball", "on_sphere", "gaussian", "per_coordinate_uniform")
LAWS = ("normal", "laplace", "uniform", "binomial", "binomial_uncentered")

OPTIONS: dict[str, list[dict]] = {
    "erm": [{}],
    "sam": [{}, {"rho": 0.3}, {"rho": 0.3, "perturb": "weights"}],
    "usam": [{}, {"rho": 0.4}, {"rho": 0.4, "perturb": "weights"}],
    "asam": [
        {},
        {"rho": 0.5, "eta": 0.05},
        {"rho": 0.5, "eta": 0.01, "scaled": "weight"},
        {"rho": 0.5, "scaled": "weight"},
        {"rho": 0.5, "eta": 0.05, "perturb": "weights"},
        {"rho": 0.5, "eta": 0.05, "scaled": "weight", "perturb": "weights"},
    ],
    "rsam": [
        {},
        {"rho": 0.3, "sigma": 0.2},
        {"rho": 0.3, "sigma": 0.2, "lam": 0.7, "code_faithful": True},
        {"rho": 0.3, "sigma": 0.2, "perturb": "weights"},
        {"rho": 0.3, "sigma": 0.2, "code_faithful": True, "perturb": "weights"},
    ],
    "bsam": [
        {"rho": 0.3, "sigma": 0.2},
        {"rho": 0.3, "sigma": 0.2, "code_faithful": True},
        {"posterior": "adaptive", "num_data": 50.0, "sigma": 0.1, "beta1": 0.4},
        {"rho": 0.3, "sigma": 0.2, "perturb": "weights"},
        {"posterior": "adaptive", "num_data": 50.0, "sigma": 0.1, "perturb": "weights"},
    ],
    "amp": [
        {},
        {"epsilon": 0.05},
        {"epsilon": 0.3, "inner_steps": 3, "inner_lr": 0.7},
        {"epsilon": 0.05, "norm": "per_tensor"},
        {"epsilon": 0.05, "norm": "per_tensor", "inner_lr": 0.4},
        {"epsilon": 0.1, "norm": "per_tensor", "inner_steps": 2, "clip": 0.1},
        {"clip": 0.2},
        {"clip": 50.0, "inner_lr": 0.2},
        {"epsilon": 0.3, "inner_steps": 3, "inner_lr": 0.7, "perturb": "weights"},
        {"epsilon": 0.05, "norm": "per_tensor", "clip": 0.1, "perturb": "weights"},
    ],
    "rmp": [
        {"epsilon": 0.5},
        {"epsilon": 0.5, "reading": "code"},
        {"epsilon": 0.5, "perturb": "weights"},
        {"epsilon": 0.5, "reading": "code", "perturb": "weights"},
    ],
    "rpr": [{}, *[{"scale": s, "epsilon": 0.3} for s in SCALES], {"num_devices": 3}],
    "nrs": [
        {},
        *[{"scale": s, "epsilon": 0.3, "alpha": 1.7} for s in SCALES],
        *[{"scale": "literal", "ball": b, "epsilon": 0.7} for b in BALLS],
        {"scale": "relative", "ball": "per_coordinate_uniform"},
        {"num_devices": 3, "alpha": 0.5},
        {"perturb": "weights"},
        {"perturb": "weights", "scale": "relative_per_tensor"},
        {"loss": "averaged"},
        {"loss": "detached_target"},
    ],
    "nso": [
        {},
        {"sigma": 0.2, "num_perturbations": 3},
        {"sigma": 0.2, "two_point": False},
        {"sigma": 0.2, "lam": 0.3},
        {"sigma": 0.2, "num_perturbations": 2, "perturb": "weights"},
        *[{"sigma": 0.2, "distribution": d} for d in LAWS],
    ],
    "wp_sgd": [
        {},
        {"sigma": 0.2, "num_perturbations": 2, "lam": 0.5},
        {"sigma": 0.2, "perturb": "weights"},
        *[{"sigma": 0.2, "distribution": d} for d in LAWS],
    ],
    "infomcr": [
        {"alpha": 0.05},
        {"alpha": 0.05, "num_splits": 3, "beta": 2.0},
        {"alpha": 0.05, "num_splits": 2, "statistics": "full_batch"},
        {"alpha": 0.05, "num_splits": 4, "split": "random"},
        {"alpha": 1e-4, "beta": 10.0, "num_splits": 4},
    ],
    "fa": [
        {"lam": 0.5},
        {"lam": 0.5, "num_probes": 1, "distribution": "rademacher"},
        {"lam": 0.02, "num_probes": 2, "estimator": "squared_form"},
    ],
}


def tolerance(name: str) -> float:
    """Rounding, except for FA, whose reference is a finite difference.

    Its step 1e-5 leaves a truncation of about 1e-10 and 1e-16 / 1e-5 of rounding, both
    relative to penalties of order 1; 1e-6 is far below any fault and far above both.
    """
    return 1e-6 if name == "fa" else EXACT
