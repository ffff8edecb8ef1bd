"""InfoMCR's rival "robustness": how fast the prediction changes with the image."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

from trainables.measures.base import Target, registry
from trainables.structures import batch_size, one_tensor

BLOCK_ENTRIES = 2**26
"""Entries of the Jacobians held at once."""


Outputs = Literal["probabilities", "logits"]


def jacobian_norms(model: nn.Module, inputs: Tensor, outputs: Outputs = "probabilities") -> Tensor:
    """‖d softmax(z(x)) / dx‖_2² of each sample, (n,), float64: squared spectral norms, exact.

    With J = dz/dx (classes x pixels, one backward pass per class) and S = diag(p) - p p', the
    norm is the largest eigenvalue of the (classes x classes) matrix S J J' S; of the logits
    themselves, z, S is the identity.
    """
    constants = {name: p.detach() for name, p in model.named_parameters()}
    x = inputs.detach().requires_grad_()
    with torch.enable_grad():
        logits = functional_call(model, constants, (x,))
        rows = [
            torch.autograd.grad(column.sum(), x, retain_graph=True)[0].flatten(1)
            for column in logits.unbind(dim=1)
        ]
    jacobian = torch.stack(rows, dim=1)
    inner = torch.bmm(jacobian, jacobian.transpose(1, 2)).double()
    if outputs == "logits":
        return torch.linalg.eigvalsh(inner)[:, -1].clamp_min(0)
    p = logits.detach().double().softmax(dim=1)
    s = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    return torch.linalg.eigvalsh(s @ inner @ s)[:, -1].clamp_min(0)


@registry.register("robustness")
def robustness(target: Target, *, outputs: Outputs = "probabilities") -> float:
    """Mean over all samples of `jacobian_norms` (Sokolic et al. 2017, as InfoMCR section 7.1).

    x is what the model is given: the normalised image.

    Args:
        outputs: Whose Jacobian: ``probabilities``, since InfoMCR's f_w maps to the probability
            simplex (section 3), or ``logits``, which go into the softmax.
    """
    total, samples = 0.0, 0
    for given, targets in target.batches:
        inputs = one_tensor(given, "measure 'robustness'")
        with torch.no_grad():
            classes = target.model(inputs[:1]).shape[1]
        step = max(1, BLOCK_ENTRIES // (classes * inputs[0].numel()))
        for part in inputs.split(step):
            total += float(jacobian_norms(target.model, part, outputs).sum())
        samples += batch_size(targets)
    return total / samples
