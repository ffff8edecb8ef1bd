"""The regularizers by hand on a case: what a rule that is composed with them must see."""

from __future__ import annotations

import torch
from torch.nn import functional

from tests.trainables.methods.oracle import Case, Oracle

CLASSES = 3


def one_hot(targets):
    return targets if targets.is_floating_point() else functional.one_hot(targets, CLASSES).double()


def cross_entropy(logits, q):
    return -(q * (logits - logits.logsumexp(1, keepdim=True))).sum(1).mean()


def label_smoothing(given, g, smoothing=0.2, convention="uniform"):
    q, rows = one_hot(given.targets), []
    for row in q:
        if convention == "uniform":
            rows.append([(1 - smoothing) * v + smoothing / CLASSES for v in row])
        else:
            rows.append(
                [(1 - smoothing) * v + smoothing * (1 - v) / (CLASSES - 1) for v in row]
            )  # fmt: skip
    smooth = torch.tensor(rows, dtype=torch.float64)
    return Oracle(Case(given.model, given.inputs, smooth, cross_entropy))


def flooding(given, g, level=0.02):
    return Oracle(given, transform=lambda J: J if level < J else 2 * level - J)


def mixup(given, g, alpha=1.0, per="batch"):
    size = len(given.inputs)
    order = torch.randperm(size, generator=g)
    shape = torch.full((2, size if per == "sample" else 1), alpha, dtype=torch.float64)
    gamma = torch._standard_gamma(shape, generator=g)
    inputs, q = torch.empty_like(given.inputs), one_hot(given.targets)
    targets = torch.empty_like(q)
    for i in range(size):
        m = (gamma[0] / (gamma[0] + gamma[1]))[i if per == "sample" else 0]
        inputs[i] = m * given.inputs[i] + (1 - m) * given.inputs[order[i]]
        targets[i] = m * q[i] + (1 - m) * q[order[i]]
    return Oracle(Case(given.model, inputs, targets, given.loss_fn))


def adversarial(given, g, epsilon=1 / 255, step=1 / 255, num_steps=1, random_start=True, std=()):
    unit = torch.ones(1) if not std else (1 / torch.tensor(std, dtype=torch.float64))
    unit = unit.view(-1, *[1] * (given.inputs.dim() - 2)) if std else 1.0
    oracle = Oracle(given)
    oracle.model.eval()
    x = given.inputs.clone()
    if random_start:
        x = x + epsilon * unit * torch.empty_like(x).uniform_(-1, 1, generator=g)
    for _ in range(num_steps):
        x = x.detach().requires_grad_()
        given.loss_fn(oracle.model(x), given.targets).backward()
        x = x + step * unit * torch.sign(x.grad)
        x = given.inputs + torch.clamp((x - given.inputs) / unit, -epsilon, epsilon) * unit
    return Oracle(Case(given.model, x.detach(), given.targets, given.loss_fn))


def l2_sp(given, g, lam=1e-4, scope="all", head_lam=None, start=None):
    sizes = [(p.numel(), p.dim()) for p in given.params]
    start = given.weights if start is None else start

    def extra(w):
        total = 0.0
        for i, (a, b, (_, dims)) in enumerate(
            zip(
                w.split([n for n, _ in sizes]),
                start.split([n for n, _ in sizes]),
                sizes,
                strict=True,
            )
        ):
            head = head_lam is not None and i >= len(sizes) - 2  # last linear layer: weight, bias
            if head:
                total = total + (head_lam * a.square().sum() if dims > 1 else 0.0)
            elif scope == "all" or dims > 1:
                total = total + lam * (a - b).square().sum()
        return total

    return Oracle(given, extra=extra)


BY_HAND = {
    "label_smoothing": label_smoothing, "flooding": flooding, "mixup": mixup,
    "adversarial": adversarial, "l2_sp": l2_sp,
}  # fmt: skip

REGULARIZER_OPTIONS = {
    "label_smoothing": [{}, {"smoothing": 0.3, "convention": "others"}],
    "flooding": [{"level": 5.0}, {"level": 1e-3}],
    "mixup": [{}, {"per": "sample", "alpha": 0.4}],
    "adversarial": [
        {"epsilon": 0.3, "step": 0.2},
        {"epsilon": 0.3, "step": 0.2, "num_steps": 3, "random_start": False},
    ],
    "l2_sp": [{"lam": 0.3}, {"lam": 0.3, "scope": "weights"}, {"lam": 0.3, "head_lam": 0.7}],
}
