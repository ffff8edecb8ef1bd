"""How good the model is on held-out data: one pass in evaluation mode."""

from __future__ import annotations

from itertools import chain

from torch import Tensor, nn

from trainables.data.loader import Batches
from trainables.measures.predictions import classification
from trainables.parallel.group import ALONE, Group


def evaluate(
    model: nn.Module, batches: Batches, loss: str, group: Group = ALONE
) -> dict[str, float]:
    """Numbers of one split: see `classification.summary`; for a regression, ``loss`` alone (MSE).

    The model is left in the mode it was in. Workers evaluate whole batches, a part each, and all
    get the same numbers, bit for bit those of one.
    """
    training = model.training
    model.eval()
    try:
        outputs, targets = _predict(model, batches, group)
    finally:
        model.train(training)
    if loss == "mse":
        return {"loss": float(nn.functional.mse_loss(outputs.double(), targets.double()))}
    return classification.summary(outputs, targets)


def _predict(model: nn.Module, batches: Batches, group: Group) -> tuple[Tensor, Tensor]:
    mine = iter(group.portion(batches))
    first = next(mine, None)  # with fewer batches than workers, some have none
    if first is None:
        return group.gather(None), group.gather(None)
    outputs, targets = classification.predict(model, chain([first], mine))
    return group.gather(outputs), group.gather(targets)
