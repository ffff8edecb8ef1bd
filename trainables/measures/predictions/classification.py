"""How good the predictions are: error, likelihood and calibration.

All functions take (n, classes) logits or probabilities and (n,) class indices
and return fractions or nats. Nothing here is random and nothing is estimated.
torchmetrics is the reference in the tests, not a dependency at run time: its
import takes longer than torch's own, and it counts a confidence of exactly 1
(which a saturated float32 softmax gives) in a bin of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from trainables.errors import UsageError
from trainables.measures.base import Target, registry
from trainables.registry import Count, Fraction
from trainables.structures import join


def top_k_error(logits: Tensor, targets: Tensor, k: int = 1) -> Tensor:
    """Fraction of samples whose class is not among the ``k`` largest logits (0 if k >= classes)."""
    best = logits.topk(min(k, logits.shape[1]), dim=1).indices
    return (best != targets[:, None]).all(dim=1).double().mean()


def negative_log_likelihood(logits: Tensor, targets: Tensor) -> Tensor:
    """Mean of -log softmax(logits)[target], nats."""
    return cross_entropy(logits, targets)


def brier_score(probabilities: Tensor, targets: Tensor) -> Tensor:
    """Mean over samples of ``sum_k (p_k - [k = target])**2``, in [0, 2]."""
    chosen = probabilities.gather(1, targets[:, None]).squeeze(1)
    return (probabilities.square().sum(dim=1) - 2 * chosen + 1).mean()


@dataclass(frozen=True)
class Reliability:
    """Reliability diagram: samples by confidence, in equal-width bins ``(a, b]`` of (0, 1].

    Attributes:
        edges: (bins + 1,), from 0 to 1.
        count: (bins,), samples in each bin.
        confidence: (bins,), mean confidence; NaN in an empty bin.
        accuracy: (bins,), fraction predicted right; NaN in an empty bin.
    """

    edges: Tensor
    count: Tensor
    confidence: Tensor
    accuracy: Tensor


def reliability_diagram(probabilities: Tensor, targets: Tensor, bins: int = 15) -> Reliability:
    """Confidence (largest probability) against accuracy; 15 bins: Guo et al. 2017, section 5."""
    edges, count, confidence, correct = _binned(probabilities, targets, bins)
    return Reliability(edges, count.long(), confidence / count, correct / count)


def expected_calibration_error(probabilities: Tensor, targets: Tensor, bins: int = 15) -> Tensor:
    """``sum_m |B_m| / n * |accuracy(B_m) - confidence(B_m)|`` (Guo et al. 2017, Eq. 3).

    Bins as in `reliability_diagram`. AMP (figure 7) does not print its number
    of bins; 15 is that of Guo et al., whom it cites.
    """
    _, _, confidence, correct = _binned(probabilities, targets, bins)
    return (correct - confidence).abs().sum() / len(targets)


def _binned(probabilities: Tensor, targets: Tensor, bins: int) -> tuple[Tensor, ...]:
    """Bin edges and, for each bin, the number of samples, sum of confidences, number correct."""
    confidence, predicted = probabilities.max(dim=1)
    edges = torch.linspace(0, 1, bins + 1, device=probabilities.device, dtype=confidence.dtype)
    index = torch.bucketize(confidence, edges[1:-1])
    samples = torch.stack(
        [torch.ones_like(confidence), confidence, (predicted == targets).to(confidence.dtype)]
    ).double()
    sums = samples.new_zeros(3, bins).index_add_(1, index, samples)
    return edges, sums[0], sums[1], sums[2]


Convention = Literal["k", "k_minus_1"]


def smoothed_loss(
    logits: Tensor, targets: Tensor, smoothing: float = 0.2, convention: Convention = "k_minus_1"
) -> Tensor:
    """Cross-entropy against smoothed labels, nats: what AMP prints as label smoothing's test NLL.

    The off-target classes share ``smoothing``: each has s / (K - 1) in AMP's
    code (``k_minus_1``), or s / K with the target keeping 1 - s + s / K, as in
    torch (``k``). AMP uses s = 0.2 (section 5.1).
    """
    classes = logits.shape[1]
    mass = smoothing if convention == "k" else smoothing * classes / (classes - 1)
    return cross_entropy(logits, targets, label_smoothing=mass)


def summary(logits: Tensor, targets: Tensor, bins: int = 15) -> dict[str, float]:
    """``error error_top5 nll ece brier`` of (n, classes) logits and (n,) class indices.

    Errors are fractions, ``nll`` is in nats; see the functions above. Waits for the device once.
    """
    logits = logits.detach()
    if logits.dtype in (torch.float16, torch.bfloat16):
        logits = logits.float()
    misses = logits.topk(min(5, logits.shape[1]), dim=1).indices != targets[:, None]
    probabilities = logits.softmax(dim=1)
    values = {
        "error": misses[:, 0].double().mean(),
        "error_top5": misses.all(dim=1).double().mean(),
        "nll": negative_log_likelihood(logits, targets),
        "ece": expected_calibration_error(probabilities, targets, bins),
        "brier": brier_score(probabilities, targets),
    }
    numbers = torch.stack([value.double() for value in values.values()]).tolist()
    return dict(zip(values, numbers, strict=True))


def require_classes(outputs: Any, targets: Any) -> None:
    """Raise UsageError unless these are logits (n, classes) and class indices (n,)."""
    classes = isinstance(targets, Tensor) and targets.ndim == 1 and not targets.is_floating_point()
    if not (classes and isinstance(outputs, Tensor) and outputs.ndim == 2):
        raise UsageError("it is of classifiers: it needs one class of each sample, and its logits")


@torch.no_grad()
def predict(model: nn.Module, batches: Iterable[tuple[Any, Any]]) -> tuple[Tensor, Tensor]:
    """Logits (n, classes) and targets (n,) of all batches, in the model's present mode.

    Raises:
        UsageError: the model is no classifier.
    """
    outputs, targets = join([(model(inputs), targets) for inputs, targets in batches])
    require_classes(outputs, targets)
    return outputs, targets


@registry.register("classification")
def classification(
    target: Target,
    *,
    bins: Count = 15,
) -> dict[str, float]:
    """``error error_top5 nll ece brier`` of the model on the batches; see `summary`.

    Args:
        bins: Of the calibration error; 15 as in Guo et al. 2017.
    """
    return summary(*predict(target.model, target.batches), bins=bins)


@registry.register("smoothed_nll")
def smoothed_nll(
    target: Target,
    *,
    smoothing: Fraction = 0.2,
    convention: Convention = "k_minus_1",
) -> float:
    """The smoothed test loss of AMP's label-smoothing rows, in nats.

    Args:
        smoothing, convention: See `smoothed_loss`.
    """
    return float(smoothed_loss(*predict(target.model, target.batches), smoothing, convention))
