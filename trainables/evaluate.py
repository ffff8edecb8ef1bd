"""How good the model is on held-out data: one pass in evaluation mode."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor, nn

from trainables.measures import classification


def evaluate(
    model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], loss: str
) -> dict[str, float]:
    """Numbers of one split: see `classification.summary`; for a regression, ``loss`` alone (MSE).

    The model is left in the mode it was in.
    """
    training = model.training
    model.eval()
    try:
        outputs, targets = classification.predict(model, batches)
    finally:
        model.train(training)
    if loss == "mse":
        return {"loss": float(nn.functional.mse_loss(outputs.double(), targets.double()))}
    return classification.summary(outputs, targets)
