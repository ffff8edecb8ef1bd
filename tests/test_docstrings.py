"""Every public name says what it is: here or, where it overrides one, there.

Ruff asks modules, classes and functions; of methods it does not know which one inherits its words.
"""

import functools
import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

import search_spaces
import sweep
import trainables
from trainables import data, measures, methods, models
from trainables.data import augment
from trainables.registry import Registry

REGISTRIES = (methods.registry, models.registry, data.registry, augment.registry, measures.registry)

NAMES = [
    found.name
    for package in (trainables, search_spaces, sweep)
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
    if not found.name.endswith("__main__")
]


def public(module: ModuleType) -> Iterator[type]:
    """The classes that the module makes."""
    for name, found in vars(module).items():
        if inspect.isclass(found) and found.__module__ == module.__name__ and name[0] != "_":
            yield found


def documented(kind: type, name: str) -> bool:
    """Whether the class, or one that it is made from, says what its member ``name`` is."""
    return any(inspect.getdoc(vars(base)[name]) for base in kind.__mro__ if name in vars(base))


@pytest.mark.parametrize("name", NAMES)
def test_public_methods_and_properties_are_documented(name: str) -> None:
    members = (property, classmethod, staticmethod, functools.cached_property)
    silent = [
        f"{kind.__name__}.{member}"
        for kind in public(importlib.import_module(name))
        for member, found in vars(kind).items()
        if member[0] != "_" and (inspect.isfunction(found) or isinstance(found, members))
        if not documented(kind, member)
    ]
    assert not silent


def words(part: Any, registry: Registry[Any], seen: frozenset[Any] = frozenset()) -> str:
    """A part's docstring and those of what it refers to in single backticks."""
    text = inspect.getdoc(part) or ""
    for name in re.findall(r"(?<!`)`[\w.]*?(\w+)`(?!`)", text):
        if name in registry.names():
            referred = registry.get(name)
        else:
            referred = getattr(sys.modules[part.__module__], name, None)
        if (inspect.isfunction(referred) or inspect.isclass(referred)) and referred not in seen:
            text += words(referred, registry, seen | {part, referred})
    return text


@pytest.mark.parametrize(
    ("registry", "name"),
    [(registry, name) for registry in REGISTRIES for name in registry.names()],
    ids=lambda value: value if isinstance(value, str) else value.kind,
)
def test_every_option_is_documented(registry: Registry[Any], name: str) -> None:
    said = set(re.findall(r"\w+", words(registry.get(name), registry)))
    assert set(registry.schema(name).model_fields) - said == set()


def test_silence_is_noticed() -> None:
    """The test of the test: an override inherits its words, and a name of its own does not."""

    class Said:
        def method(self) -> None:
            """Says what it does."""

    class Silent(Said):
        def method(self) -> None:
            pass

        @property
        def other(self) -> int:
            return 0

    assert documented(Silent, "method")
    assert not documented(Silent, "other")
