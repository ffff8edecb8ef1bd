"""Groups of fields of a trial's configuration (`trainables.config.TrialConfig`)."""

from __future__ import annotations

import importlib
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from trainables.errors import UsageError
from trainables.needs import BATCHNORM, VECTORS, Needs, OfTrial, given
from trainables.registry import Count, Fraction, Index, NonNegative, Options, Positive, Registry


class Component(BaseModel):
    """A registered part and its options, written flat: ``{"name": "amp", "epsilon": 0.5}``.

    An option ``reading`` stands for several options (`trainables.registry.Readings`), by which it
    is replaced.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @property
    def options(self) -> dict[str, Any]:
        """Everything that was given beside the name."""
        return dict(self.model_extra or {})

    def resolved(self, package: str) -> Self:
        """Completed and checked against the registry of ``trainables.<package>``."""
        return type(self)(name=self.name, **registry_of(package).resolve(self.name, self.options))

    def declared(self, package: str) -> type[Options]:
        """Its options, as the registry of ``trainables.<package>`` declares them."""
        return registry_of(package).schema(self.name)

    def naming(self, package: str) -> dict[str, Any]:
        """Name and options as they enter `TrialConfig.canonical`."""
        options = self.model_dump(mode="json", exclude={"name"})
        return {"name": self.name, **registry_of(package).naming(self.name, options)}


def registry_of(package: str) -> Registry[Any]:
    """The registry of ``trainables.<package>``, whose parts are imported for it."""
    registry: Registry[Any] = importlib.import_module(f"trainables.{package}").registry
    return registry


class Data(Options):
    """Which images, how many, and what is done to them.

    Attributes:
        source: The data set and its options.
        subset: Use only this many training images, drawn from ``split_seed`` (None: all).
        validation: Held-out part of the training images: a fraction if below 1, else a count.
        split_seed: Seed of subset and splits; None takes the trial's own seed.
        augmentation: Applied in this order to each training batch, anew every epoch.
    """

    source: Component = Component(name="digits")
    subset: Count | None = None
    validation: NonNegative = 0.1
    split_seed: Index | None = None
    augmentation: tuple[Component, ...] = ()


MOMENTUM = Needs("name = 'sgd' and momentum above 0", lambda o: o.name == "sgd" and o.momentum > 0)
ADAM = given(name=("adam", "adamw"))


class Optimizer(Options):
    """torch.optim's own optimisers.

    ``weight_decay`` is torch's: added to the gradient for SGD and Adam,
    decoupled for AdamW. ``decay`` says which parameters it is applied to:
    ``all``, or ``weights`` (those with two or more dimensions: no biases, no
    normalisation). ``eps`` is what Adam adds to the root of its second moment.
    ``clip_norm`` clips the method's gradient by its global norm.
    """

    name: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: Positive = 0.1
    momentum: Annotated[Fraction, given(name="sgd")] = 0.9
    nesterov: Annotated[bool, MOMENTUM] = False
    betas: Annotated[tuple[Fraction, Fraction], ADAM] = (0.9, 0.999)
    eps: Annotated[Positive, ADAM] = 1e-8
    amsgrad: Annotated[bool, ADAM] = False
    weight_decay: NonNegative = 5e-4
    decay: Annotated[Literal["all", "weights"], VECTORS] = "all"
    clip_norm: Positive | None = None


AFTER_WARMUP = OfTrial(
    "more epochs than schedule.warmup_epochs",
    lambda schedule, trial: trial.epochs > schedule.warmup_epochs,
)
PLATEAU_ENDS = OfTrial(
    "more epochs than schedule.patience + 2: a plateau cannot end sooner",
    lambda schedule, trial: schedule.name != "plateau" or len(schedule.levels(trial.epochs)) > 1,
)
REACHED = OfTrial(
    "a milestone before the end of the training (epochs)",
    lambda schedule, trial: len(schedule.levels(trial.epochs)) > 1,
)


class Schedule(Options):
    """Learning rate over time.

    ``cosine`` and ``linear`` fall to 0 at the last step, step by step. ``step`` multiplies by
    ``gamma`` at each of ``milestones`` (epochs; a fraction below 1 is of all
    epochs). ``plateau`` multiplies by ``gamma`` when the training loss has not
    fallen for ``patience`` epochs: the ``running`` one, which the steps see, or the
    ``clean`` one of all training images in evaluation mode after each epoch (``watch``).
    ``warmup_epochs`` rise linearly from 0.
    """

    name: Annotated[
        Literal["constant", "cosine", "linear", "step", "plateau"], AFTER_WARMUP, PLATEAU_ENDS
    ] = "cosine"
    warmup_epochs: NonNegative = 0.0
    milestones: Annotated[tuple[Positive, ...], given(name="step"), REACHED] = ()
    gamma: Annotated[Positive, given(name=("step", "plateau"))] = 0.1
    patience: Annotated[Count, given(name="plateau")] = 10
    watch: Annotated[Literal["running", "clean"], given(name="plateau")] = "running"

    @model_validator(mode="after")
    def _step_needs_milestones(self) -> Self:
        if self.name == "step" and not self.milestones:
            raise UsageError("name = 'step' needs milestones, the epochs at which the rate falls")
        return self

    def drops(self, epoch: float, epochs: int) -> int:
        """How many of a ``step`` schedule's milestones ``epoch`` (of ``epochs``) has reached."""
        if self.name != "step":
            return 0
        return sum(epoch >= m for m in self._in_epochs(epochs))

    def levels(self, epochs: int) -> set[int]:
        """How often the rate has fallen, at any time of a training, e.g. {0, 1, 2}; for a plateau,
        whose drops depend on the loss, how often it can have."""
        if self.name == "plateau":
            return set(range(1 + max(0, epochs - 2) // (self.patience + 1)))
        return {self.drops(m, epochs) for m in (0.0, *self._in_epochs(epochs)) if m < epochs}

    def _in_epochs(self, epochs: int) -> list[float]:
        """The milestones in epochs; rounded, so that 0.3 of 10 epochs is 3.0 exactly."""
        return [m if m >= 1 else round(m * epochs, 9) for m in self.milestones]


SEVERAL = Needs("count above 1", lambda workers: workers.count > 1)


class Workers(Options):
    """Replicas that share each batch, written ``4`` or ``{"count": 4, "batchnorm": "sync"}``.

    ``batchnorm``: statistics of each worker's part of the batch (``local``; running ones are
    averaged), or of the whole batch (``sync``).
    """

    count: Count = 1
    batchnorm: Annotated[Literal["local", "sync"], SEVERAL, BATCHNORM] = "local"

    @model_validator(mode="before")
    @classmethod
    def _from_count(cls, value: Any) -> Any:
        return {"count": value} if isinstance(value, int) else value


__all__ = ["Component", "Data", "Optimizer", "Schedule", "Workers", "registry_of"]
