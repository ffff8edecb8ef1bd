"""Fully connected networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from torch import nn

from trainables.errors import UsageError
from trainables.models import Layers, registry
from trainables.models.variants import register_variant
from trainables.needs import Needs
from trainables.registry import Count, Fraction

HIDDEN_LAYER = Needs("a hidden layer (widths)", lambda o: bool(o.widths))


@registry.register("mlp", added={"outputs": None}, layers=lambda o: Layers(dropout=o.dropout > 0))
def mlp(
    *,
    num_classes: int,
    input_shape: Sequence[int],
    widths: tuple[Count, ...] = (256,),
    dropout: Annotated[Fraction, HIDDEN_LAYER] = 0.0,
    init: Literal["he", "torch"] = "he",
    outputs: Count | None = None,
) -> nn.Sequential:
    """Flatten, then Linear-ReLU(-Dropout) for each of ``widths``, then Linear.

    ``(B, *input_shape) -> (B, num_classes)``, for inputs of any shape. The default is FA's
    network, in - 256 - classes with weights ~ N(0, 2 / fan_in) and zero biases (its code);
    812,388 parameters on CIFAR-100. NSO's on MNIST is ``widths=(128,)``, with a log-softmax on
    top that changes nothing under cross-entropy and is left out. ``init="torch"`` keeps torch's
    own initialisation; ``widths=()`` is a linear classifier.

    ``outputs`` is the width of the last layer where it is not one unit per class: FA's code has 100
    for the five classes of its table, and the units that no label names are driven down by the
    softmax alone.

    Args:
        widths: Of the hidden layers.
        dropout: After each hidden layer's ReLU.
        init: See above.
        outputs: See above.

    Raises:
        UsageError: if there are fewer ``outputs`` than classes.
    """
    if outputs is not None and outputs < num_classes:
        raise UsageError(
            f"outputs = {outputs}, but the data have {num_classes} classes; "
            "give as many or more, or None"
        )
    layers: list[nn.Module] = [nn.Flatten()]
    features = math.prod(input_shape)
    for width in widths:
        layers += [nn.Linear(features, width), nn.ReLU()]
        if dropout:
            layers.append(nn.Dropout(dropout))
        features = width
    layers.append(nn.Linear(features, outputs or num_classes))
    model = nn.Sequential(*layers)
    if init == "he":
        for layer in model:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                nn.init.zeros_(layer.bias)
    return model


register_variant("mlp_tiny", mlp, "`mlp` with one hidden layer of 16.", widths=(16,))
