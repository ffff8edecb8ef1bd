"""Names for interchangeable parts: methods, models, data sets, augmentations, measures.

A part is a class or a function. Its keyword-only parameters *are* its options:
their annotations say what is allowed, their defaults complete a configuration,
so that a part is written, validated, hashed and documented in one place. A class
is a keyword-only dataclass, or has a keyword-only ``__init__``.

    methods = Registry("method")

    @methods.register("sam")
    @dataclass(kw_only=True)
    class SAM(Method):
        rho: Positive = 0.05

    methods.build("sam", rho=0.1)
    methods.build("sma")  # ValueError: unknown method 'sma' (did you mean 'sam'?); known: ...
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Generic, NamedTuple, Self, TypeVar, get_type_hints

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
    model_validator,
)

from trainables.errors import UsageError, unknown
from trainables.needs import OffAtZero, OfTrial, Searched, declared, idle

Part = TypeVar("Part", bound=Callable[..., Any])

# The ranges options are declared in. NaN and infinity are never allowed (see `Options`).
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Index = Annotated[int, Field(ge=0)]
Strength = Annotated[float, Field(ge=0), OffAtZero()]
"""A strength of 0 is allowed, switches off what it scales, and is named in tables."""


Readings = Mapping[str, Mapping[str, Any]]
"""``{"text": {...}, "code": {...}}``: values of a part's options that stand for what its paper says
and for what its authors' code does. A part declares them as its ``READINGS``."""


class Options(BaseModel):
    """Options of a part. Annotations say which values are allowed, and what an option needs."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True, strict=False)

    @model_validator(mode="after")
    def _each_has_an_effect(self) -> Self:
        if clauses := idle(type(self), self):
            raise UsageError("; ".join(clauses))
        return self


def import_all(package: str) -> None:
    """Import every module below ``package``, so that what they register is known."""
    folder = importlib.import_module(package).__path__
    for module in pkgutil.walk_packages(folder, f"{package}."):
        importlib.import_module(module.name)


class NameTakenError(UsageError):
    """Two parts of a kind have one name."""


class Registration(NamedTuple):
    """A part that was registered, of any kind.

    Attributes:
        module: The name of that in which it is defined.
    """

    registry: Registry[Any]
    name: str
    module: str


_registered: list[Registration] = []
_dropped: list[str] = []


def registered() -> int:
    """How often a part was registered or dropped so far, of any kind: what was asked before may
    have changed since."""
    return len(_registered) + len(_dropped)


def registrations() -> Sequence[Registration]:
    """All that were registered so far, in order, also those that were dropped since."""
    return _registered


class Registry(Generic[Part]):
    """The parts of one kind, by name.

    Args:
        kind: What a part is called in messages, e.g. ``"method"``.
        given: Names of keyword-only parameters that the caller supplies at
            build time and that are no options (``num_classes``, ``input_shape``).
    """

    def __init__(self, kind: str, given: Iterable[str] = ()) -> None:
        self.kind = kind
        self.given = frozenset(given)
        self._parts: dict[str, Part] = {}
        self._schemas: dict[str, type[Options]] = {}
        self._added: dict[str, Mapping[str, Any]] = {}
        self._needs: dict[str, OfTrial] = {}
        self._versions: dict[str, str] = {}

    def register(
        self,
        name: str,
        added: Mapping[str, Any] | None = None,
        needs: OfTrial | None = None,
        version: str = "",
    ) -> Callable[[Part], Part]:
        """Class or function decorator that enrols a part under ``name``.

        Args:
            added: Options that the part got after trials were recorded with it, each with the
                value that stands for what was done before. With that value an option is left out
                of a trial's name, so that no older result is lost because a part learnt something.
            needs: What the part as a whole needs of a trial to have an effect.
            version: Of the part's code, such as ``"2"``: it enters the names of its trials, so that
                results of another version are those of other trials. Empty: it does not.
        """

        def enrol(part: Part) -> Part:
            known = self._parts.get(name)
            if known is not None and known is not part:
                raise NameTakenError(self._taken(name, known))
            self._parts[name] = part
            _registered.append(Registration(self, name, part.__module__))
            self._added[name] = dict(added or {})
            self._versions[name] = str(version)
            if needs is not None:
                self._needs[name] = needs
            return part

        return enrol

    def _taken(self, name: str, known: Part) -> str:
        ours = known.__module__.partition(".")[0] == __name__.partition(".")[0]
        owner = "is one of flatsweep's own" if ours else "is registered twice"
        return f"{self.kind} {name!r} {owner}: give yours another name"

    def drop(self, name: str) -> None:
        """Undo `register`; nothing where there is no such part."""
        for known in (self._parts, self._schemas, self._added, self._needs, self._versions):
            known.pop(name, None)
        _dropped.append(name)

    def origins(self) -> set[str]:
        """The top-level packages whose code the parts are."""
        return {part.__module__.partition(".")[0] for part in self._parts.values()}

    def names(self) -> list[str]:
        """The registered names, sorted."""
        return sorted(self._parts)

    def get(self, name: str) -> Part:
        """The part itself. Raises ValueError that lists the known names."""
        try:
            return self._parts[name]
        except (KeyError, TypeError):
            raise UsageError(unknown(self.kind, name, self.names())) from None

    def readings(self, name: str) -> Readings:
        """The ``text`` and ``code`` of part ``name``, where these differ; else nothing."""
        return getattr(self.get(name), "READINGS", {})

    def read(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """``options`` with ``reading`` replaced by the values that it stands for.

        An option that is given beside it wins.

        Raises:
            ValueError: part ``name`` has no such reading.
        """
        others = {option: value for option, value in options.items() if option != "reading"}
        if len(others) == len(options):
            return others
        reading, readings = options["reading"], self.readings(name)
        if isinstance(reading, str) and reading in readings:
            return {**readings[reading], **others}
        if "reading" in self.schema(name).model_fields:  # an option of its own, as RMP has
            return dict(options)
        if readings:
            allowed = " and ".join(map(repr, readings))
            raise UsageError(f"{self.kind} {name!r}: reading = {reading!r}: allowed are {allowed}")
        having = [known for known in self.names() if self.readings(known)]
        raise UsageError(
            f"{self.kind} {name!r} has one reading, so reading = {reading!r} would have no effect; "
            f"with two: {', '.join(having) or 'none'}"
        )

    def resolve(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """All options of part ``name``: those given, validated, and the defaults of the others.

        A ``reading`` among them is replaced (see `read`).

        Raises:
            ValueError: naming the part, the option, its value and what is allowed.
        """
        schema, options = self.schema(name), self.read(name, options)
        for option in options:
            if option not in schema.model_fields:
                what = f"option of {self.kind} {name!r}"
                raise UsageError(unknown(what, option, sorted(schema.model_fields)))
        try:
            return schema(**options).model_dump()
        except ValidationError as error:
            raise UsageError(explain(error, f"{self.kind} {name!r}")) from None

    def added(self, part: Part) -> Mapping[str, Any]:
        """What ``part`` was registered with as ``added``; empty if it is not registered."""
        names = [name for name, known in self._parts.items() if known is part]
        return self._added[names[0]] if names else {}

    def idle(self, name: str, options: Mapping[str, Any], trial: Any) -> list[str]:
        """Clauses that say what of part ``name`` with these options has no effect in ``trial``."""
        schema, need = self.schema(name), self._needs.get(name)
        if need is None and not declared(schema, OfTrial):
            return []
        values = schema.model_construct(**options)
        clauses = [f"{self.kind} {name!r}: {clause}" for clause in idle(schema, values, trial)]
        if need is not None and not need.met(values, trial):
            clauses.append(f"{self.kind} {name!r} would have no effect: it needs {need.words}")
        return clauses

    def off(self, name: str, options: Mapping[str, Any]) -> list[str]:
        """Names of those options of part ``name`` that are strengths and are 0."""
        return [o for o, _ in declared(self.schema(name), OffAtZero) if options[o] == 0]

    def searched(self, name: str) -> dict[str, Searched]:
        """The values that were searched for options of part ``name``, where it declares them."""
        return dict(declared(self.schema(name), Searched))

    def naming(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """The resolved ``options`` that enter a trial's id; see ``added`` in `register`.

        With the part's ``version``, if it has one, under a name that no option can have.
        """
        added, version = self._added[name], self._versions.get(name)
        return ({"@version": version} if version else {}) | {
            option: value
            for option, value in options.items()
            if option not in added or value != added[option]
        }

    def build(self, name: str, **options: Any) -> Any:
        """Make part ``name`` with these options; parameters in ``given`` are not validated."""
        given = {key: options.pop(key) for key in self.given & options.keys()}
        part = self.get(name)
        accepted = inspect.signature(part).parameters
        passed = {key: value for key, value in given.items() if key in accepted}
        return part(**passed, **self.resolve(name, options))

    def schema(self, name: str) -> type[Options]:
        """The class of part ``name``'s options: a field for each, with default, range and needs."""
        if name not in self._schemas:
            self._schemas[name] = _schema_of(self.get(name), self.given)
        return self._schemas[name]


def _schema_of(part: Callable[..., Any], given: frozenset[str]) -> type[Options]:
    parameters = inspect.signature(part).parameters
    hints = get_type_hints(_annotated(part, parameters), include_extras=True)
    fields: dict[str, Any] = {}
    for parameter in parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.name not in given:
            default = ... if parameter.default is parameter.empty else parameter.default
            if inspect.isfunction(
                default
            ):  # in a dataclass the later of the two definitions counts
                raise UsageError(
                    f"option {parameter.name!r} of {part.__name__} has the name of a method of its "
                    "class; give one of them another"
                )
            fields[parameter.name] = (hints.get(parameter.name, Any), default)
    return create_model(f"{part.__name__}Options", __base__=Options, **fields)


def _annotated(part: Callable[..., Any], parameters: Iterable[str]) -> Callable[..., Any]:
    """The object with the annotations of ``parameters``: a dataclass itself, whose fields may be
    inherited from another module and are resolved there; of another class ``__init__``."""
    if not inspect.isclass(part):
        return part
    fields = {f.name for f in dataclasses.fields(part)} if dataclasses.is_dataclass(part) else set()
    return part if fields.issuperset(parameters) else part.__init__


def explain(error: ValidationError, what: str) -> str:
    """pydantic's report as one sentence: field, value, and what is allowed."""
    parts = []
    for item in error.errors():
        field = ".".join(str(step) for step in item["loc"]) or what
        rule = item["msg"].removeprefix("Value error, ")
        if item["type"] == "missing":
            parts.append(f"{field} is required")
        elif item["type"] == "value_error":
            parts.append(rule if not item["loc"] else f"{field}: {rule}")
        else:
            parts.append(f"{field} = {item['input']!r}: {rule[0].lower()}{rule[1:]}")
    return f"{what}: " + "; ".join(parts)
