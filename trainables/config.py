"""What a trial is: `TrialConfig` decides its numbers; `Request` is what is measured on it.

A configuration is validated when it is made, completed with the defaults of
its parts, and hashed: the hash is the trial's name in every place a trial is
spoken of (its folder, its MLflow run, a table's footnote). Device, node, paths
and progress bars are not in it, so two sweeps that need one trial share it.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache, reduce
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ValidationError, model_validator

from trainables import trial_id
from trainables.compatibility import misfits
from trainables.errors import UsageError
from trainables.fields import Component, Data, Optimizer, Schedule, Workers, registry_of
from trainables.needs import BATCHNORM, OfTrial, idle
from trainables.parallel import equivalence
from trainables.registry import Count, Index, Options, explain
from trainables.request import Request

if TYPE_CHECKING:
    from trainables.models import Layers

PROTOCOL_VERSION: Literal[3] = 3
"""Raised whenever the training loop changes numbers: old results then no longer count as done."""

READABLE = {"data.source": "data", "model": "models", "method": "methods"}
"""Fields that hold a part, by dotted name, each with the package that has its registry."""


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
        loss: The task (``trainables.tasks``): ``cross_entropy``, ``mse``, ``token_cross_entropy``
            (language modelling) or ``contrastive`` (images and captions).
        epochs: Passes over the training images; ``drop_last`` drops an incomplete last batch.
        batchnorm: Running statistics move with the ``clean`` pass only, with ``all`` passes, or
            with a pass of their own before the step (``separate``); see `methods.build`.
        batchnorm_parts: BatchNorm takes its statistics over this many parts of each batch.
        precision: Of all that is computed; ``float32`` is IEEE's, in convolutions on a GPU too. Two
            are of the training's passes alone, and round their inputs on the way: ``tf32``, on a
            GPU, to 10 bits, ``bfloat16`` (autocast) to 7. A small perturbation drowns in that. In
            bfloat16 so much of what a method adds to the plain gradient is rounding (ResNet-20,
            default options): AMP 2 %, NRS 6 %, NSO 7 %, SAM 19 %, ASAM 55 %; in TF32 the mean loss
            is off by 5e-4. FA and InfoMCR take neither.
        workers: Replicas that share a batch. Part of the identity only where that changes the
            numbers (`trainables.parallel.equivalence`).

    Raises:
        ValueError: in one sentence, naming field, value and what is allowed.
    """

    protocol: Literal[3] = PROTOCOL_VERSION
    data: Data = Data()
    model: Component = Component(name="mlp")
    method: Component = Component(name="erm")
    regularizers: tuple[Component, ...] = ()
    loss: str = "cross_entropy"
    optimizer: Optimizer = Optimizer()
    schedule: Schedule = Schedule()
    epochs: Count = 10
    batch_size: Count = 128
    drop_last: bool = True
    batchnorm: Annotated[
        Literal["clean", "all", "separate"], BATCHNORM, FURTHER_PASSES, NOT_CLEAN_FIRST
    ] = "clean"
    batchnorm_parts: Annotated[Count, BATCHNORM] = 1
    precision: Literal["float32", "tf32", "bfloat16", "float64"] = "float32"
    seed: Index = 0
    workers: Workers = Workers()

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise UsageError(explain(error, "trial")) from None

    @model_validator(mode="after")
    def _ask_parts(self) -> Self:
        self._resolve_parts()
        self._settle_workers()
        self._refuse_misfits()
        self._check_batchnorm_parts()
        self._refuse_what_has_no_effect()
        return self

    def _resolve_parts(self) -> None:
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

    def _refuse_misfits(self) -> None:
        if clauses := misfits(self):
            raise UsageError("; ".join(clauses))

    def _settle_workers(self) -> None:
        if changed := equivalence.options(self):
            object.__setattr__(self, "method", Component(**self.method.model_dump() | changed))

    def _check_batchnorm_parts(self) -> None:
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

    def _refuse_what_has_no_effect(self) -> None:
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
            clauses += registry_of(package).idle(part.name, part.options, self)
        if clauses:
            raise UsageError("; ".join(clauses))

    @classmethod
    def completed(
        cls, fields: Mapping[str, str], canonical: str, switched_off: Sequence[str]
    ) -> Self:
        """The configuration that had these ``fields`` when it was complete, without asking a part.

        Args:
            fields: Its `fields_as_json`.
            canonical, switched_off: Its own (`trainables.declared` keeps all three).
        """
        values = {name: _field(name, text) for name, text in fields.items()}
        values |= {"canonical": canonical, "switched_off": list(switched_off)}
        return _made(cls, values, set(fields))

    def fields_as_json(self) -> dict[str, str]:
        """Every field, a default too, as JSON."""
        return {name: json.dumps(value) for name, value in self.model_dump(mode="json").items()}

    @cached_property
    def canonical(self) -> str:
        """The configuration as JSON with sorted keys: equal for equal trials, on every machine."""
        return trial_id.canonical(self)

    @property
    def method_named(self) -> dict[str, Any]:
        """Name and options of the method as they enter ``canonical``."""
        named: dict[str, Any] = json.loads(self.canonical)["method"]
        return named

    @cached_property
    def trial_id(self) -> str:
        """Its name: 16 hexadecimal digits (`trainables.trial_id`)."""
        return trial_id.trial_id(self.canonical)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's, without validation; ``canonical`` and ``trial_id`` are the copy's own."""
        copied = super().model_copy(update=update, deep=deep)
        for name in ("canonical", "trial_id", "switched_off"):
            copied.__dict__.pop(name, None)
        return copied

    def with_seed(self, seed: int) -> Self:
        """A copy with another seed, which needs no validation. Its name asks no part."""
        name = trial_id.of_seed(self.canonical, seed)
        named = {"canonical": name, "trial_id": trial_id.trial_id(name)}
        return self._of({**self.__dict__, "seed": seed, **named})

    def ids_with_seeds(self, seeds: Iterable[int]) -> list[str]:
        """The ``trial_id`` of `with_seed` for each of ``seeds``, without the copies."""
        return trial_id.of_seeds(self.canonical, seeds)

    def _of(self, values: dict[str, Any]) -> Self:
        """A copy that has these ``values``: what `__copy__` does, in a fourth of the time."""
        return _made(type(self), values, self.__pydantic_fields_set__)

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

    @property
    def varying(self) -> bool:
        """Whether the network declares a layer that has other bits each time on a GPU."""
        return self.layers is not None and self.layers.varying

    @cached_property
    def switched_off(self) -> list[str]:
        """``["epsilon of nrs"]``: strengths that are 0, so that what they scale is switched off."""
        registry = registry_of("methods")
        parts = (self.method, *self.regularizers)
        return [f"{o} of {p.name}" for p in parts for o in registry.off(p.name, p.options)]

    def flat(self) -> dict[str, Any]:
        """``{"optimizer.lr": 0.1, ...}``: one entry per leaf, for tables and MLflow parameters."""
        fields = self.model_dump(mode="json")
        if "workers" not in json.loads(self.canonical):
            del fields["workers"]
        return dict(_leaves(fields))

    def replace(self, **overrides: Any) -> TrialConfig:
        """A copy with dotted fields replaced: ``replace(**{"method.rho": 0.1, "seed": 1})``.

        A ``reading`` of a part replaces the options that it stands for.
        """
        return TrialConfig(**self.fields_with(overrides))

    def fields_with(self, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of `replace`'s copy, which are not validated yet."""
        fields = self.model_dump(mode="json")
        for path, package in READABLE.items():
            if f"{path}.reading" in overrides:
                part = reduce(lambda node, key: node[key], path.split("."), fields)
                for values in registry_of(package).readings(part["name"]).values():
                    for option in values:
                        part.pop(option, None)
        return merge(fields, overrides)


def _regularizer(given: Component) -> Component:
    importlib.import_module("trainables.methods").require_regularizer(given.name)
    return given.resolved("methods")


def merge(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with dotted ``overrides`` applied, in order; neither argument is changed.

    A whole part is replaced by its plain key (``"method": {"name": "sam"}``),
    a leaf by its dotted one (``"method.rho": 0.1``). Of several parts one goes by its name
    (``"data.augmentation.cutout.size": 8``).

    Raises:
        UsageError: there is no part of that name, or several, or it is a value that has no fields.
    """
    merged: dict[str, Any] = {key: _copy(value) for key, value in base.items()}
    for path, value in overrides.items():
        *parents, leaf = path.split(".")
        at: Any = merged
        for parent in parents:
            place: Any = _named(at, parent, path) if isinstance(at, list) else parent
            child = at[place] if isinstance(at, list) else at.get(place, {})
            child = {"name": child} if isinstance(child, str) else child
            if not isinstance(child, dict | list):
                raise UsageError(f"{path}: {parent} is {child!r}, which has no fields")
            at[place] = child
            at = child
        if isinstance(at, list):
            raise UsageError(f"{path}: write the whole list, or name an option of a part in it")
        at[leaf] = _copy(value)
    return merged


def _named(parts: Sequence[Any], name: str, path: str) -> int:
    """Where the part called ``name`` is among ``parts``."""
    names = [part.get("name") if isinstance(part, dict) else part for part in parts]
    if names.count(name) != 1:
        raise UsageError(f"{path}: there must be one {name!r}, and there are: {names}")
    return names.index(name)


def _copy(value: Any) -> Any:
    if isinstance(value, str | int | float | None):
        return value
    if isinstance(value, Mapping):
        return {key: _copy(item) for key, item in value.items()}
    return [_copy(item) for item in value] if isinstance(value, list | tuple) else value


GROUPS: dict[str, type[BaseModel]] = {
    "data": Data,
    "model": Component,
    "method": Component,
    "optimizer": Optimizer,
    "schedule": Schedule,
    "workers": Workers,
}
"""Fields of a configuration that have fields of their own."""


@lru_cache(maxsize=10_000)
def _field(name: str, text: str) -> Any:
    """The value of a complete configuration's field. Equal ones are one object: none is changed."""
    value = _as_tuples(json.loads(text))
    if name == "data":
        value["source"] = Component.model_construct(**value["source"])
        value["augmentation"] = _components(value["augmentation"])
    if name == "regularizers":
        return _components(value)
    if (group := GROUPS.get(name)) is None:
        return value
    open_ended = group.model_config.get("extra") == "allow"  # a part, which has options
    return group.model_construct(**value) if open_ended else _made(group, value, set(value))


Model = TypeVar("Model", bound=BaseModel)


def _made(model: type[Model], values: dict[str, Any], given: set[str]) -> Model:
    """The object of class ``model`` that has these complete and validated ``values``: what
    `model_construct` makes, in a fifth of the time (a plan makes ten thousand)."""
    made = model.__new__(model)
    for name, value in (
        ("__dict__", values),
        ("__pydantic_fields_set__", given),
        ("__pydantic_extra__", None),
        ("__pydantic_private__", None),
    ):
        object.__setattr__(made, name, value)
    return made


def _components(values: Sequence[Mapping[str, Any]]) -> tuple[Component, ...]:
    return tuple(Component.model_construct(**value) for value in values)


def _as_tuples(value: Any) -> Any:
    """JSON's arrays as the tuples that options have."""
    if type(value) is dict:
        return {key: _as_tuples(item) for key, item in value.items()}
    return tuple(map(_as_tuples, value)) if type(value) is list else value


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
