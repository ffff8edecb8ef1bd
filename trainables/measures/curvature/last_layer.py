"""The Hessian block of a linear last layer under cross-entropy, exact (NRS table 3).

With features h (a 1 appended for the bias), logits z = V h and p = softmax(z),

    H = E[(diag(p) - p p') ⊗ h h']

is the Hessian and the Gauss-Newton block at once, since z is linear in V. Its
product with V costs two matrix products on stored features, no network pass.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trainables.errors import UsageError
from trainables.measures.base import Target, registry
from trainables.measures.curvature.spectrum import TOLERANCE, extreme_eigenvalues
from trainables.measures.parameters import last_linear
from trainables.measures.predictions.classification import require_classes
from trainables.methods.objective import LossFn
from trainables.methods.ops.noise import fill
from trainables.registry import Positive


class LastLayerHessian:
    """The block as a float64 operator on V, (classes, features [+ 1]), flattened row by row.

    Args:
        features: (n, features), the layer's inputs.
        logits: (n, classes), its outputs.
        bias: Whether the layer's bias is in the block.
    """

    def __init__(self, features: Tensor, logits: Tensor, bias: bool = True) -> None:
        h = features.double()
        self.features = torch.cat([h, h.new_ones(len(h), 1)], dim=1) if bias else h
        self.probabilities = logits.double().softmax(dim=1)
        self.size = self.features.shape[1] * logits.shape[1]

    def __matmul__(self, vector: Tensor) -> Tensor:
        h, p = self.features, self.probabilities
        ps = p * (h @ vector.view(p.shape[1], -1).T)
        moved = ps - p * ps.sum(dim=1, keepdim=True)
        return (moved.T @ h).reshape(-1) / len(h)

    def kronecker_factors(self) -> tuple[Tensor, Tensor]:
        """E[diag(p) - p p'] and E[h h'], whose product Botev et al. 2017 take for the block."""
        h, p = self.features, self.probabilities
        return (torch.diag(p.sum(dim=0)) - p.T @ p) / len(p), h.T @ h / len(h)


@torch.no_grad()
def last_layer_hessian(target: Target, bias: bool = True) -> LastLayerHessian:
    """The block over all samples, from one pass that keeps the last linear layer's inputs.

    Raises:
        ValueError: if the model's output is not that layer's, or the loss is not cross-entropy
            (label smoothing does no harm: it does not enter the Hessian).
    """
    name, layer = last_linear(target.model)
    seen: list[tuple[Tensor, Tensor]] = []
    hook = layer.register_forward_hook(lambda _, inputs, output: seen.append((inputs[0], output)))
    logits = []
    try:
        for inputs, targets in target.batches:
            logits.append(target.model(inputs))
            one = isinstance(logits[-1], Tensor) and len(seen) == len(logits)
            if not one or not torch.equal(seen[-1][1], logits[-1]):
                raise UsageError(
                    f"the model's output is not that of its last linear layer {name!r}"
                )
            if len(logits) == 1:
                require_classes(logits[0], targets)
                _require_cross_entropy(target.loss_fn, logits[0], targets)
    finally:
        hook.remove()
    return LastLayerHessian(
        torch.cat([features for features, _ in seen]),
        torch.cat(logits),
        bias and layer.bias is not None,
    )


def _require_cross_entropy(loss_fn: LossFn, logits: Tensor, targets: Tensor) -> None:
    with torch.enable_grad():
        z = logits.detach().double().requires_grad_()
        (gradient,) = torch.autograd.grad(loss_fn(z, targets), z, create_graph=True)
        direction = (
            torch.linspace(-1, 1, z.numel(), dtype=z.dtype, device=z.device).sin().view_as(z)
        )
        got = torch.zeros_like(z)
        if gradient.requires_grad:
            (got,) = torch.autograd.grad(gradient, z, direction)
    p = z.detach().softmax(dim=1)
    expected = (p * direction - p * (p * direction).sum(dim=1, keepdim=True)) / len(p)
    if not torch.allclose(got, expected, rtol=1e-6, atol=1e-9 / len(p)):
        raise UsageError(
            "the last layer's exact Hessian is that of cross-entropy; loss_fn is not it"
        )


@registry.register("last_layer_eigenvalue")
def last_layer_eigenvalue(
    target: Target,
    *,
    bias: bool = True,
    tolerance: Positive = TOLERANCE,
) -> dict[str, float]:
    """Largest eigenvalue of the last layer's Hessian block over all samples (NRS table 3).

    Args:
        bias: Whether the layer's bias is in the block.
        tolerance: Relative error at which Lanczos stops.

    Returns:
        The exact one under the measure's own name, and ``kronecker``:
        lambda_max(E[diag(p) - p p']) * lambda_max(E[h h']), as in Botev et al. 2017, whom NRS
        cites. NRS says neither which it prints nor whether the bias is in the block.
    """
    block = last_layer_hessian(target, bias)
    start = block.features.new_empty(block.size)
    fill(start, "normal", target.generator)
    exact = extreme_eigenvalues(
        block.__matmul__,
        start,
        tolerance=tolerance,
        max_products=block.size,
        generator=target.generator,
    )
    outputs, features = (torch.linalg.eigvalsh(f)[-1] for f in block.kronecker_factors())
    return {"": exact.largest[0], "kronecker": float(outputs * features)}
