"""A part's options are written once: as fields of a dataclass, or in an ``__init__``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

import pytest

from trainables import measures
from trainables.methods.rules.sam import Ascent
from trainables.needs import given
from trainables.registry import Count, Positive, Registry, registered


class Base:
    state: list[Any]


@dataclass(kw_only=True)
class AsFields(Base):
    rho: Positive = 0.05
    twice: Annotated[bool, given(rho=1.0)] = False
    seen: list[int] = field(default_factory=list, init=False)


class AsParameters(Base):
    def __init__(self, *, rho: Positive = 0.05, twice: Annotated[bool, given(rho=1.0)] = False):
        self.rho, self.twice = rho, twice


class WithItsOwn(AsFields):
    """A dataclass only by what it comes from."""

    def __init__(self, *, count: Count = 3):
        super().__init__(rho=1.0, twice=True)
        self.count = count


@dataclass(kw_only=True)
class Elsewhere(Ascent):
    """Its field ``perturbation`` is annotated with names of another module."""

    rho: Positive = 0.5


def registry(part: Any, **options: Any) -> Registry[Any]:
    made: Registry[Any] = Registry("thing")
    made.register("one", **options)(part)
    return made


@pytest.mark.parametrize("part", [AsFields, AsParameters])
def test_fields_and_parameters_are_options(part: Any) -> None:
    parts = registry(part)
    assert parts.resolve("one", {}) == {"rho": 0.05, "twice": False}
    built = parts.build("one", rho=1, twice=True)
    assert (built.rho, built.twice) == (1.0, True)
    with pytest.raises(ValueError, match="'one': rho = -1: input should be greater than 0"):
        parts.build("one", rho=-1)
    with pytest.raises(ValueError, match=r"twice = True would have no effect: it needs rho = 1\.0"):
        parts.resolve("one", {"twice": True})
    with pytest.raises(ValueError, match="unknown option of thing 'one' 'seen'"):
        parts.build("one", seen=[1])


def test_an_init_of_its_own_wins_over_inherited_fields() -> None:
    parts = registry(WithItsOwn)
    assert parts.resolve("one", {}) == {"count": 3}
    with pytest.raises(ValueError, match="count = 0"):
        parts.build("one", count=0)


def test_inherited_fields_are_understood_where_they_were_written() -> None:
    parts = registry(Elsewhere)
    assert parts.resolve("one", {}) == {
        "rho": 0.5, "perturbation": "global", "perturb": "all",
    }  # fmt: skip
    with pytest.raises(ValueError, match="perturbation = 'both'"):
        parts.build("one", perturbation="both")


def test_a_field_with_the_name_of_a_method_is_refused() -> None:
    @dataclass(kw_only=True)
    class Hidden:
        step: Positive = 0.1

        def step(self) -> None:  # noqa: F811
            """Takes the field's place, and becomes its default."""

    with pytest.raises(ValueError, match="option 'step' of Hidden has the name of a method"):
        registry(Hidden).resolve("one", {})


def test_a_version_enters_the_name_and_nothing_else() -> None:
    """Of a part that has one alone; and under a name that no option can have."""
    parts: Registry[Any] = Registry("part")
    parts.register("one")(AsFields)
    parts.register("two", version="2")(AsParameters)
    assert parts.naming("one", {"rho": 1.0}) == {"rho": 1.0}
    assert parts.naming("two", {"rho": 1.0}) == {"@version": "2", "rho": 1.0}
    assert parts.resolve("two", {}) == parts.resolve("one", {})


def test_what_is_dropped_leaves_its_name() -> None:
    parts: Registry[Any] = Registry("part")
    parts.register("one", version="2")(AsFields)
    before = registered()
    parts.drop("one")
    assert registered() != before  # what was asked of it is asked again
    parts.register("one")(AsParameters)
    assert parts.naming("one", {}) == {}


def test_a_measure_has_no_version() -> None:
    with pytest.raises(ValueError, match=r"measure 'm': a version enters a trial's name, and"):
        measures.registry.register("m", version="2")
