"""InfoMCR's gamma-hat, and its rivals from the same Gram matrix.

For a subset of N' samples, J has the gradient of sample j's cross-entropy as
row j, and xi = J J' (N' x N') shares its non-zero eigenvalues with N' times the
observed Fisher information of the subset.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor, nn

from trainables.errors import UsageError
from trainables.measures.base import Batches, Estimate, Target, registry
from trainables.measures.fisher.gram import gram
from trainables.measures.predictions.classification import require_classes
from trainables.registry import Count, Positive
from trainables.structures import batch_size, join, take, tensors

Subsets = Literal["random", "consecutive"]
"""``random``: each trial draws its samples anew, without repetition inside a trial (Eq. 5).
``consecutive``: disjoint runs in the order of the batches, as InfoMCR's code."""

SAMPLES = TRIALS = 100
"""N' and T of InfoMCR's code; its Appendix D, which has the paper's, is lost."""


def fisher_gram(
    model: nn.Module, inputs: Any, targets: Tensor, logit_scale: float | None = None
) -> tuple[Tensor, Tensor]:
    """xi, as ``xi = diag(r) G diag(r)``: G (n, n) and log r (n,), float64.

    The gradient of sample i is linear in that of its loss in the logits, d_i = p - onehot(y).
    r_i = ‖d_i‖ is taken out before the backward pass, which then carries unit vectors: nothing
    underflows for samples the model is certain of, and xi is as accurate for them as for others.

    Args:
        logit_scale: Rescale each sample's logits to norm 1 / logit_scale first, inside the
            gradient. The code has 0.04 for table 3; None leaves the logits alone (figures 2-4).
    """
    norms: list[Tensor] = []

    def cotangent(logits: Tensor) -> Tensor:
        require_classes(logits, targets)
        d = _logit_gradient(logits.double(), targets, logit_scale)
        norms.append(torch.linalg.vector_norm(d, dim=1))
        return d / norms[0].clamp_min(torch.finfo(d.dtype).tiny)[:, None]

    return gram(model, inputs, cotangent), norms[0].log()


def _logit_gradient(z: Tensor, targets: Tensor, logit_scale: float | None) -> Tensor:
    """Gradient of each sample's cross-entropy in its logits (before rescaling), (n, classes)."""
    if logit_scale is None:
        return _minus_one_hot(z.softmax(dim=1), targets)
    norm = torch.linalg.vector_norm(z, dim=1, keepdim=True)
    unit = z / norm
    d = _minus_one_hot((unit / logit_scale).softmax(dim=1), targets)
    return (d - unit * (d * unit).sum(dim=1, keepdim=True)) / (norm * logit_scale)


def _minus_one_hot(p: Tensor, targets: Tensor) -> Tensor:
    """p - onehot(y), the entry p_y - 1 as minus the sum of the others: exact where p_y is 1."""
    others = p.scatter(1, targets[:, None], 0.0)
    return others.scatter(1, targets[:, None], -others.sum(dim=1, keepdim=True))


@registry.register("fisher_log_det")
def fisher_log_det(
    target: Target,
    *,
    num_samples: Count = SAMPLES,
    num_trials: Count = TRIALS,
    logit_scale: Positive | None = None,
    half: bool = False,
    subsets: Subsets = "random",
) -> Estimate:
    """gamma-hat: the mean of ``ln det xi`` over ``num_trials`` subsets (InfoMCR Eq. 6).

    A subset whose gradients are linearly dependent has ln det = -inf, and so has then the mean.

    Args:
        num_samples: N', samples in a subset.
        num_trials: T, how many subsets; both 100 in InfoMCR's code.
        logit_scale: See `fisher_gram`; 0.04 in the code for table 3.
        half: Give the code's number, the sum of ln s_k(J), which is half of it.
        subsets: See `Subsets`.

    Raises:
        UsageError: if ``batches`` have fewer samples than the subsets need.
    """
    values = [
        _log_det(*fisher_gram(target.model, inputs, targets, logit_scale))
        for inputs, targets in _subsets(target, num_samples, num_trials, subsets)
    ]
    return Estimate.of(torch.stack(values) * (0.5 if half else 1.0))


def _log_det(g: Tensor, log_r: Tensor) -> Tensor:
    sign, value = torch.linalg.slogdet(g)
    return torch.where(sign > 0, value + 2 * log_r.sum(), -torch.inf)


@registry.register("fisher_spectrum")
def fisher_spectrum(
    target: Target,
    *,
    num_samples: Count = SAMPLES,
    num_trials: Count = TRIALS,
    logit_scale: Positive | None = None,
    subsets: Subsets = "random",
) -> dict[str, Estimate]:
    """All that InfoMCR takes from xi, at the cost of one: means over the same subsets.

    Args:
        num_samples: N', samples in a subset.
        num_trials: T, how many subsets; both 100 in InfoMCR's code.
        logit_scale: See `fisher_gram`; 0.04 in the code for table 3.
        subsets: See `Subsets`.

    Returns:
        ``log_det`` (see `fisher_log_det`), ``frobenius_squared`` = ‖xi / N'‖_F² and
        ``spectral_radius`` = lambda_max(xi) / N': by the paper's Eq. 1 those of the Hessian at
        a minimum. How the paper estimates the two is lost with its Appendix D; those of the
        true Hessian are in `trainables.measures.curvature.subset_hessian`.
    """
    rows = []
    for inputs, targets in _subsets(target, num_samples, num_trials, subsets):
        g, log_r = fisher_gram(target.model, inputs, targets, logit_scale)
        r = log_r.exp()
        eigenvalues = torch.linalg.eigvalsh(r[:, None] * g * r) / num_samples
        squares = eigenvalues.square().sum()
        rows.append(torch.stack([_log_det(g, log_r), squares, eigenvalues[-1]]))
    columns = torch.stack(rows, dim=1)
    names = ("log_det", "frobenius_squared", "spectral_radius")
    return {name: Estimate.of(column) for name, column in zip(names, columns, strict=True)}


@registry.register("fisher_frobenius")
def fisher_frobenius(
    target: Target,
    *,
    num_samples: Count = SAMPLES,
    num_trials: Count = TRIALS,
    subsets: Subsets = "random",
) -> Estimate:
    """Mean of ‖xi / N'‖_F², InfoMCR's squared Frobenius norm. Options: `fisher_spectrum`."""
    every = fisher_spectrum(
        target,
        num_samples=num_samples,
        num_trials=num_trials,
        subsets=subsets,
    )
    return every["frobenius_squared"]


@registry.register("fisher_spectral_radius")
def fisher_spectral_radius(
    target: Target,
    *,
    num_samples: Count = SAMPLES,
    num_trials: Count = TRIALS,
    subsets: Subsets = "random",
) -> Estimate:
    """Mean of lambda_max(xi) / N', InfoMCR's spectral radius. Options: `fisher_spectrum`."""
    every = fisher_spectrum(
        target,
        num_samples=num_samples,
        num_trials=num_trials,
        subsets=subsets,
    )
    return every["spectral_radius"]


def _subsets(target: Target, size: int, trials: int, how: Subsets) -> Iterator[tuple[Any, Any]]:
    """``trials`` pairs (inputs, targets) of ``size`` samples."""
    counts = [batch_size(targets) for _, targets in target.batches]
    total = sum(counts)
    needed = size if how == "random" else size * trials
    if total < needed:
        raise UsageError(
            f"{how} subsets need {needed} samples, there are {total}: "
            "lower num_samples or num_trials, or give more data"
        )
    ends = torch.tensor(counts).cumsum(0)
    generator = target.generator
    device = generator.device if generator is not None else "cpu"
    for trial in range(trials):
        if how == "random":
            index = torch.randperm(total, generator=generator, device=device)[:size].cpu()
        else:
            index = torch.arange(trial * size, (trial + 1) * size)
        yield _pick(target.batches, index.sort().values, ends)


def _pick(batches: Batches, index: Tensor, ends: Tensor) -> tuple[Any, Any]:
    """The samples at ``index`` (ascending) of the concatenation of ``batches``."""
    owner = torch.searchsorted(ends, index, right=True)
    chosen = []
    for number, batch in enumerate(batches):
        at = index[owner == number] - (int(ends[number - 1]) if number else 0)
        if len(at):
            chosen.append(take(batch, at.to(tensors(batch)[0].device)))
    return join(chosen)
