"""What a trial is: `TrialConfig` decides its numbers; `Request` is what is measured on it.

A configuration is validated when it is made, completed with the defaults of
its parts, and hashed: the hash is the trial's name in every place a trial is
spoken of (its folder, its MLflow run, a table's footnote). Device, node, paths
and progress bars are not in it, so two sweeps that need one trial share it.
"""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Iterator, Mapping
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    model_validator,
)

from trainables.errors import UsageError
from trainables.needs import BATCHNORM, VECTORS, Needs, OfTrial, given, idle
from trainables.parallel import equivalence
from trainables.registry import (
    Count,
    Fraction,
    Index,
    NonNegative,
    Options,
    Positive,
    Registry,
    explain,
)
from trainables.request import Request

if TYPE_CHECKING:
    from trainables.models import Layers

PROTOCOL_VERSION: Literal[2] = 2
"""Raised whenever the training loop changes numbers: old results then no longer count as done."""

ADDED: dict[str, Any] = {"batchnorm_parts": 1, "schedule.watch": "running"}
"""Fields that came after trials were recorded, by dotted name, each with the value that stands for
what was done before: with it the field is left out of a trial's name (see `Registry.register`)."""


READABLE = {"data.source": "data", "model": "models", "method": "methods"}
"""Fields that hold a part, by dotted name, each with the package that has its registry."""


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
        return type(self)(name=self.name, **_registry(package).resolve(self.name, self.options))

    def declared(self, package: str) -> type[Options]:
        """Its options, as the registry of ``trainables.<package>`` declares them."""
        return _registry(package).schema(self.name)

    def naming(self, package: str) -> dict[str, Any]:
        """Name and options as they enter `TrialConfig.canonical`."""
        options = self.model_dump(mode="json", exclude={"name"})
        return {"name": self.name, **_registry(package).naming(self.name, options)}


def _registry(package: str) -> Registry[Any]:
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
    normalisation). ``clip_norm`` clips the method's gradient by its global norm.
    """

    name: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: Positive = 0.1
    momentum: Annotated[Fraction, given(name="sgd")] = 0.9
    nesterov: Annotated[bool, MOMENTUM] = False
    betas: Annotated[tuple[Fraction, Fraction], ADAM] = (0.9, 0.999)
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

    ``cosine`` falls to 0 at the last step, step by step. ``step`` multiplies by
    ``gamma`` at each of ``milestones`` (epochs; a fraction below 1 is of all
    epochs). ``plateau`` multiplies by ``gamma`` when the training loss has not
    fallen for ``patience`` epochs: the ``running`` one, which the steps see, or the
    ``clean`` one of all training images in evaluation mode after each epoch (``watch``).
    ``warmup_epochs`` rise linearly from 0.
    """

    name: Annotated[
        Literal["constant", "cosine", "step", "plateau"], AFTER_WARMUP, PLATEAU_ENDS
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


FURTHER_PASSES = OfTrial(
    "a method with more than one pass per step",
    lambda trial, _: trial.batchnorm != "all" or trial.rules[0].passes > 1,
)
NOT_CLEAN_FIRST = OfTrial(
    "a method whose first pass is displaced or of a part of the batch",
    lambda trial, _: trial.batchnorm != "separate" or not trial.rules[0].clean_first,
)


class TrialConfig(Options):
    """One training run. See the module's docstring; fields are documented in their classes.

    Attributes:
        method: The update rule (``trainables.methods``) and its hyper-parameters.
        regularizers: Loss-side regularisers composed with it (``label_smoothing``, ``l2_sp``, ...).
        epochs: Passes over the training images; ``drop_last`` drops an incomplete last batch.
        batchnorm: Running statistics move with the ``clean`` pass only, with ``all`` passes, or
            with a pass of their own before the step (``separate``); see `methods.build`.
        batchnorm_parts: BatchNorm takes its statistics over this many parts of each batch.
        workers: Replicas that share a batch. Part of the identity only where that changes the
            numbers (`trainables.parallel.equivalence`).

    Raises:
        ValueError: in one sentence, naming field, value and what is allowed.
    """

    protocol: Literal[2] = PROTOCOL_VERSION
    data: Data = Data()
    model: Component = Component(name="mlp")
    method: Component = Component(name="erm")
    regularizers: tuple[Component, ...] = ()
    loss: Literal["cross_entropy", "mse"] = "cross_entropy"
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    epochs: Count = 10
    batch_size: Count = 128
    drop_last: bool = True
    batchnorm: Annotated[
        Literal["clean", "all", "separate"], BATCHNORM, FURTHER_PASSES, NOT_CLEAN_FIRST
    ] = "clean"
    batchnorm_parts: Annotated[Count, BATCHNORM] = 1
    precision: Literal["float32", "float64", "bfloat16"] = "float32"
    seed: Index = 0
    workers: Workers = Workers()

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise UsageError(explain(error, "trial")) from None

    @model_validator(mode="after")
    def _resolve_parts(self) -> Self:
        resolved = {
            "data": self.data.model_copy(
                update={
                    "source": self.data.source.resolved("data"),
                    "augmentation": tuple(
                        a.resolved("data.augment") for a in self.data.augmentation
                    ),
                }
            ),
            "model": self.model.resolved("models"),
            "method": self.method.resolved("methods"),
            "regularizers": tuple(_regularizer(r) for r in self.regularizers),
        }
        for name, value in resolved.items():
            object.__setattr__(self, name, value)
        return self

    @model_validator(mode="after")
    def _check_workers(self) -> Self:
        if changed := equivalence.options(self):
            object.__setattr__(self, "method", Component(**self.method.model_dump() | changed))
        return self

    @model_validator(mode="after")
    def _check_batchnorm_parts(self) -> Self:
        parts = self.batchnorm_parts
        if parts > self.batch_size:
            raise UsageError(f"batchnorm_parts = {parts} exceeds batch_size = {self.batch_size}")
        own = self.rules[0].own_parts if parts > 1 else 1
        if own > 1 and (parts <= own or parts % own):
            raise UsageError(
                f"batchnorm_parts = {parts}: each of the {own} parts of a batch that method "
                f"{self.method.name!r} makes has statistics of its own anyway; a larger multiple "
                f"of {own} is allowed"
            )
        return self

    @model_validator(mode="after")
    def _each_has_an_effect_in_this_trial(self) -> Self:
        parts = [
            ("data", self.data.source),
            *(("data.augment", a) for a in self.data.augmentation),
            ("models", self.model),
            ("methods", self.method),
            *(("methods", r) for r in self.regularizers),
        ]
        clauses = idle(type(self), self, self)
        for name in ("data", "optimizer", "schedule", "workers"):
            nested = getattr(self, name)
            clauses += [f"{name}.{clause}" for clause in idle(type(nested), nested, self)]
        for package, part in parts:
            clauses += _registry(package).idle(part.name, part.options, self)
        if clauses:
            raise UsageError("; ".join(clauses))
        return self

    @cached_property
    def canonical(self) -> str:
        """The configuration as JSON with sorted keys: equal for equal trials, on every machine."""
        fields = self._shown()
        fields["data"]["source"] = self.data.source.naming("data")
        fields["data"]["augmentation"] = [a.naming("data.augment") for a in self.data.augmentation]
        fields["model"] = self.model.naming("models")
        fields["method"] = self.method.naming("methods")
        fields["regularizers"] = [r.naming("methods") for r in self.regularizers]
        for path, before in ADDED.items():
            *parents, leaf = path.split(".")
            at = reduce(lambda node, key: node[key], parents, fields)
            if at[leaf] == before:
                del at[leaf]
        return json.dumps(fields, sort_keys=True, separators=(",", ":"))

    def _shown(self) -> dict[str, Any]:
        fields = self.model_dump(mode="json")
        if not equivalence.change_numbers(self):
            del fields["workers"]
        return fields

    @cached_property
    def trial_id(self) -> str:
        """The first 16 hexadecimal digits of SHA-256 over ``canonical``."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()[:16]

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's, without validation; ``canonical`` and ``trial_id`` are the copy's own."""
        copied = super().model_copy(update=update, deep=deep)
        for name in ("canonical", "trial_id"):
            copied.__dict__.pop(name, None)
        return copied

    @property
    def rules(self) -> tuple[Any, ...]:
        """The method, built, and then its regularizers; they declare what their passes are."""
        made = importlib.import_module("trainables.methods").build(
            self.method.name,
            regularizers=[(r.name, r.options) for r in self.regularizers],
            **self.method.options,
        )
        return made, *made.composition.regularizers

    @property
    def layers(self) -> Layers | None:
        """The kinds of layers that the network declares; None where it declares nothing."""
        layers: Layers | None = importlib.import_module("trainables.models").layers(
            self.model.name, self.model.options
        )
        return layers

    def switched_off(self) -> list[str]:
        """``["epsilon of nrs"]``: strengths that are 0, so that what they scale is switched off."""
        registry = _registry("methods")
        parts = (self.method, *self.regularizers)
        return [f"{o} of {p.name}" for p in parts for o in registry.off(p.name, p.options)]

    def flat(self) -> dict[str, Any]:
        """``{"optimizer.lr": 0.1, ...}``: one entry per leaf, for tables and MLflow parameters."""
        return dict(_leaves(self._shown()))

    def replace(self, **overrides: Any) -> TrialConfig:
        """A copy with dotted fields replaced: ``replace(**{"method.rho": 0.1, "seed": 1})``.

        A ``reading`` of a part replaces the options that it stands for.
        """
        fields = self.model_dump(mode="json")
        for path, package in READABLE.items():
            if f"{path}.reading" in overrides:
                part = reduce(lambda node, key: node[key], path.split("."), fields)
                for values in _registry(package).readings(part["name"]).values():
                    for option in values:
                        part.pop(option, None)
        return TrialConfig(**merge(fields, overrides))


def _regularizer(given: Component) -> Component:
    importlib.import_module("trainables.methods").require_regularizer(given.name)
    return given.resolved("methods")


def merge(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with dotted ``overrides`` applied, in order; neither argument is changed.

    A whole part is replaced by its plain key (``"method": {"name": "sam"}``),
    a leaf by its dotted one (``"method.rho": 0.1``).
    """
    merged: dict[str, Any] = {key: _copy(value) for key, value in base.items()}
    for path, value in overrides.items():
        *parents, leaf = path.split(".")
        at = merged
        for parent in parents:
            child = at.get(parent, {})
            at[parent] = child = {"name": child} if isinstance(child, str) else child
            at = child
        at[leaf] = _copy(value)
    return merged


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list | tuple) else value


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            yield f"{prefix}{key}", json.dumps(value, sort_keys=True)
        else:
            yield f"{prefix}{key}", value


__all__ = [
    "PROTOCOL_VERSION",
    "Component",
    "Data",
    "Optimizer",
    "Request",
    "Schedule",
    "TrialConfig",
    "Workers",
    "merge",
]
