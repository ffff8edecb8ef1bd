"""Whether the devices of this machine train: one step forward and backward on each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.errors import reason

if TYPE_CHECKING:
    import torch
    from torch import Tensor

CLOSE = 1e-4
"""Of the gradient's norm: a thousand times the rounding of float32, a tenth of that of TF32."""


def fault(device: torch.device) -> str:
    """Why a trial on ``device`` would go wrong, as one step of a small network shows it; or empty.

    Its gradient must be that of the CPU.
    """
    import torch

    try:
        found, expected = gradient(device), gradient(torch.device("cpu"))
    except RuntimeError as error:
        return f"a step of a small network fails ({reason(error)})"
    off = float((found - expected).norm() / expected.norm())
    if off <= CLOSE:
        return ""
    return f"a step of a small network has another gradient than on the CPU (off by {off:.1g})"


def gradient(device: torch.device) -> Tensor:
    """Of a network with convolutions and BatchNorm on made-up images: one vector, on the CPU."""
    import torch

    from trainables import models
    from trainables.execution import reproducible
    from trainables.seeding import global_seed

    with reproducible(threads=1), global_seed(0, "doctor"):
        images, classes = torch.randn(8, 1, 8, 8), torch.randint(10, (8,))
        model = models.build("resnet_tiny", input_shape=(1, 8, 8)).to(device)
        logits = model(images.to(device))
        loss = torch.nn.functional.cross_entropy(logits, classes.to(device))
        slopes = torch.autograd.grad(loss, list(model.parameters()))
        return torch.cat([slope.flatten() for slope in slopes]).cpu()


__all__ = ["CLOSE", "fault", "gradient"]
