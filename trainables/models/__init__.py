"""Networks by name: ``build("wrn_28_10", num_classes=100)``.

Every file of this package is imported, so that a new architecture is one new
file. A network's keyword-only parameters are its options; the number of
classes and the shape of one input come from the data set. A network of other inputs than images and
feature vectors is registered with its kind of ``inputs`` (`trainables.compatibility`) and takes
``spec`` instead of a shape: what the data set declares of its inputs, such as
``spec["vocabulary"]``. It is called with a batch's inputs as they are, a dict or a pair. Initial
weights are drawn from torch's global generator: seed it first (`trainables.seeding`).

No network has an activation that works in place or an operation without second
derivatives, so that every method and curvature measure can go through it.
Names that end in ``_tiny`` are the same architectures with a few thousand
parameters, for smoke runs; they take the options of the large ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from trainables.compatibility import ARRAYS, Fitted
from trainables.errors import UsageError
from trainables.needs import OfTrial
from trainables.registry import import_all


@dataclass(frozen=True)
class Layers:
    """The kinds of layers in a network that decide which options have an effect.

    Attributes:
        batchnorm: Whether it has layers that normalize by the batch's statistics.
        dropout: Whether it drops units at random.
        vectors: Whether it has parameters with fewer than two dimensions.
        several_tensors: Whether it has more than one parameter tensor.
        varying: Whether one of them has no deterministic kernel on a GPU, which torch says in an
            error. Its trials then have other bits there each time.
    """

    batchnorm: bool = False
    dropout: bool = False
    vectors: bool = True
    several_tensors: bool = True
    varying: bool = False


class Spec(dict[str, int]):
    """What a data set declares of its inputs, `trainables.data.base.Dataset.spec`."""

    def __missing__(self, key: str) -> int:
        declared = ", ".join(self) or "nothing"
        raise UsageError(f"it needs {key!r} of the data, which declare {declared}")


class Networks(Fitted):
    """Networks by name, each with a declaration of its `Layers`.

    Validating a configuration needs only the declaration, so no network is built for it.
    """

    def __init__(self) -> None:
        super().__init__("model", given=("num_classes", "input_shape", "spec"))
        self._layers: dict[str, Callable[[Any], Layers]] = {}

    def register(
        self,
        name: str,
        added: Mapping[str, Any] | None = None,
        needs: OfTrial | None = None,
        version: str = "",
        inputs: str = ARRAYS,
        losses: tuple[str, ...] = (),
        layers: Layers | Callable[[Any], Layers] | None = None,
    ) -> Callable[[Any], Any]:
        """As `Fitted.register`.

        Args:
            layers: The layers, or a function from an object with the network's options as
                attributes to them. None: not known, and any layer is taken to be there.
        """
        if layers is not None:
            self._layers[name] = layers if callable(layers) else lambda _: layers
        return super().register(name, added, needs, version, inputs, losses)

    def drop(self, name: str) -> None:
        """As `Fitted.drop`."""
        super().drop(name)
        self._layers.pop(name, None)

    def layers(self, name: str, options: Mapping[str, Any]) -> Layers | None:
        """The layers of network ``name`` with these resolved options; None if not declared."""
        declared = self._layers.get(name)
        return declared and declared(self.schema(name).model_construct(**options))

    def declaration(self, network: Callable[..., nn.Module]) -> Callable[[Any], Layers] | None:
        """The ``layers`` that ``network`` was registered with, as a function; for its variants."""
        named = (name for name, part in self._parts.items() if part is network)
        return self._layers.get(next(named, ""))


registry = Networks()


def build(
    name: str,
    num_classes: int = 10,
    input_shape: Sequence[int] = (3, 32, 32),
    spec: Mapping[str, int] | None = None,
    **options: Any,
) -> nn.Module:
    """Network ``name`` for inputs of ``input_shape``: ``(B, *input_shape) -> (B, num_classes)``.

    Args:
        spec: For a network of other inputs than arrays: what the data set declares of them.

    Raises:
        ValueError: unknown name or option, an option out of range, or a network
            that cannot take inputs of this shape. One sentence each.
    """
    shape, declared = tuple(input_shape), Spec(spec or {})
    takes_arrays = registry.fit(name).inputs == ARRAYS
    if takes_arrays and (num_classes < 1 or not shape or min(shape) < 1):
        raise UsageError(f"num_classes = {num_classes}, input_shape = {shape}: all must be >= 1")
    options = registry.resolve(name, options)
    try:
        model = registry.build(
            name, num_classes=num_classes, input_shape=shape, spec=declared, **options
        )
    except ValueError as error:
        raise UsageError(f"model {name!r}: {error}") from None
    assert isinstance(model, nn.Module)
    return model


def layers(name: str, options: Mapping[str, Any]) -> Layers | None:
    """The layers of network ``name`` with these resolved ``options``; None if not declared."""
    return registry.layers(name, options)


def names() -> list[str]:
    """Every registered network, sorted."""
    return registry.names()


import_all(__name__)

__all__ = ["Layers", "build", "layers", "names", "registry"]
