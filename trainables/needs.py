"""When an option has an effect: declared beside the option, and refused where it can have none.

    lam: Annotated[NonNegative, given(code_faithful=True)] = 1.0
    perturbation: Annotated[Literal["global", "local"], SEVERAL_WORKERS] = "global"

An option that differs from its default although its need is not met would be ignored without a
word, so the configuration is refused when it is made. A need on other options of the same part is
checked wherever the part is made, one on the rest of the trial (`OfTrial`) where the trial is.

A strength of 0 switches a rule off on purpose. It is allowed with whatever stands beside it: a
grid that has 0 among its values keeps its other options. Needs therefore never ask for a strength.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pydantic import BaseModel

    from trainables.models import Layers

Mark = TypeVar("Mark")


@dataclass(frozen=True)
class Needs:
    """A condition on the other options of a part, without which an option has no effect.

    Attributes:
        words: The condition in words; in a refusal they follow "it needs".
        met: ``met(options)``: whether it holds; ``options`` have the part's options as attributes.
    """

    words: str
    met: Callable[[Any], bool]


@dataclass(frozen=True)
class OfTrial:
    """A condition on the rest of the trial, without which an option or a part has no effect.

    Attributes:
        words: As in `Needs`.
        met: ``met(options, trial)``; ``trial`` is the `trainables.config.TrialConfig`.
    """

    words: str
    met: Callable[[Any, Any], bool]


@dataclass(frozen=True)
class OffAtZero:
    """Marks an option that is a strength: at 0 what it scales is switched off, on purpose."""


@dataclass(frozen=True)
class Searched:
    """Marks an option whose values were searched by somebody: a start for one's own search.

    Attributes:
        values: In ascending order, in the option's unit.
        source: Who searched them, or used them.
        between: Whether values between them may be tried; false for counts that cost time.
    """

    values: tuple[float, ...]
    source: str
    between: bool = True


def given(**values: Any) -> Needs:
    """The condition that each of these options has this value, or one of this tuple of values."""
    allowed = {
        name: value if isinstance(value, tuple) else (value,) for name, value in values.items()
    }
    words = " and ".join(
        f"{name} = {' or '.join(map(repr, choice))}" for name, choice in allowed.items()
    )
    return Needs(words, lambda o: all(getattr(o, name) in c for name, c in allowed.items()))


def idle(schema: type[BaseModel], options: Any, trial: Any = None) -> list[str]:
    """The options that would have no effect, each as a clause that says what it needs.

    Args:
        schema: Declares the options: fields, defaults, and needs in their annotations.
        options: Holds their values, as attributes.
        trial: Checks the conditions on this trial; None: those on the part itself.
    """
    clauses = []
    for name, need in declared(schema, Needs if trial is None else OfTrial):
        value, default = getattr(options, name), schema.model_fields[name].default
        if value == default:
            continue
        if not (need.met(options) if isinstance(need, Needs) else need.met(options, trial)):
            clauses.append(f"{name} = {value!r} would have no effect: it needs {need.words}")
    return clauses


@cache
def declared(schema: type[BaseModel], kind: type[Mark]) -> tuple[tuple[str, Mark], ...]:
    """(option, mark) for every mark of type ``kind`` in the annotations of ``schema``."""
    return tuple(
        (name, mark)
        for name, field in schema.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, kind)
    )


# Needs on the trial that several parts share.


def _has(kind: str) -> Callable[[Any, Any], bool]:
    """Whether the trial's model has layers of this kind; yes where it does not say."""

    def met(_: Any, trial: Any) -> bool:
        layers: Layers | None = trial.layers
        return layers is None or bool(getattr(layers, kind))

    return met


SEVERAL_WORKERS = OfTrial("workers.count above 1", lambda _, trial: trial.workers.count > 1)
SEVERAL_IMAGES = OfTrial("batch_size above 1", lambda _, trial: trial.batch_size > 1)
BATCHNORM = OfTrial("a model with BatchNorm", _has("batchnorm"))
DROPOUT = OfTrial("a model with dropout", _has("dropout"))
VECTORS = OfTrial("a model with biases or normalization", _has("vectors"))
SEVERAL_TENSORS = OfTrial("a model with several tensors of weights", _has("several_tensors"))


__all__ = [
    "BATCHNORM",
    "DROPOUT",
    "SEVERAL_IMAGES",
    "SEVERAL_TENSORS",
    "SEVERAL_WORKERS",
    "VECTORS",
    "Needs",
    "OfTrial",
    "OffAtZero",
    "Searched",
    "declared",
    "given",
    "idle",
]
