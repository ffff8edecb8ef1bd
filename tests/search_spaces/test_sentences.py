"""What choices, claims, notes and docstrings name exists: options, flags, parts, modules."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import re
from collections.abc import Iterator
from contextlib import suppress
from types import ModuleType
from typing import Any

import pytest
import typer.main

import search_spaces
from search_spaces import presets
from search_spaces.spec import Artifact, Measure
from sweep.aggregate import SELECTIONS
from sweep.cli.commands import app
from sweep.plan.expand import every_cell
from trainables import measures, methods, models
from trainables.config import TrialConfig, merge
from trainables.data import registry as data_registry

ARTIFACTS = search_spaces.artifacts()
FLAGS = {
    flag
    for command in typer.main.get_command(app).commands.values()  # type: ignore[attr-defined]
    for option in command.params
    for flag in option.opts
}
REGISTRIES = (methods.registry, models.registry, measures.registry, data_registry)


def configurations(artifact: Artifact) -> list[dict[str, Any]]:
    """Of the first point of every stage and cell, completed with every default."""
    if artifact.experiment.blocked:
        return []
    made = {}
    for stage in artifact.experiment.stages:
        for cell in filter(stage.covers, every_cell(artifact)):
            given = {
                **artifact.experiment.base,
                **cell.fields,
                **stage.fields,
                **next(stage.points()),
            }
            made.setdefault(repr(given), given)
    return [TrialConfig(**merge({}, given)).model_dump(mode="json") for given in made.values()]


def exists(path: str, configs: list[dict[str, Any]], requests: tuple[Measure, ...]) -> bool:
    """Whether ``path`` leads to a value in one of the trials, their measures or the flags."""
    head, _, rest = path.partition(".")
    if path.startswith("--"):
        return path in FLAGS
    if head == "measure":
        options = [measures.registry.resolve(m.name, m.options) for m in requests]
        return any(not rest or rest in known for known in options)

    def leads(at: Any, steps: list[str]) -> bool:
        if not steps:
            return True
        return isinstance(at, dict) and steps[0] in at and leads(at[steps[0]], steps[1:])

    return any(leads(config, path.split(".")) for config in configs)


@pytest.mark.parametrize("artifact", ARTIFACTS, ids=lambda a: a.id)
def test_the_option_that_a_choice_names_is_one_of_this_artifact(artifact: Artifact) -> None:
    configs = configurations(artifact)
    for choice in artifact.notes.choices:
        if choice.field:
            assert exists(choice.field, configs, artifact.experiment.measures), (
                choice.what,
                choice.field,
            )
        assert all(reading.what for reading in choice.others.values())


def sentences(artifact: Artifact) -> Iterator[str]:
    yield from (
        artifact.notes.title,
        artifact.experiment.selection.stated,
        artifact.experiment.blocked,
        artifact.notes.caveat,
    )
    yield from (*artifact.notes.claims, *artifact.notes.changes)
    for choice in artifact.notes.choices:
        yield from (choice.what, choice.interpretation, choice.why, choice.single)
        yield from (reading.what for reading in choice.others.values())
    for cell in artifact.experiment.cells:
        yield from (number.note for number in cell.reported.values())


NAME = re.compile(r"`([^`]+)`|(--[\w-]+)|\b((?:[a-z]+\.)+[a-z_]+|[a-z]+(?:_[a-z]+)+)\b(?!\()")
"""In back-ticks, a flag, dotted, or with an underscore inside."""
WORDS = {"openml.org"}


@pytest.mark.parametrize("artifact", ARTIFACTS, ids=lambda a: a.id)
def test_the_names_in_sentences_exist(artifact: Artifact) -> None:
    configs = configurations(artifact)
    for sentence in sentences(artifact):
        for match in NAME.finditer(sentence):
            name = next(filter(None, match.groups()))
            known = exists(name, configs, artifact.experiment.measures) or registered(name)
            assert known or name in WORDS, (name, sentence)


def registered(name: str) -> bool:
    """As a part, a selection rule or an artifact."""
    artifacts = {artifact.id.partition("/")[2] for artifact in ARTIFACTS}
    return name in {*SELECTIONS, *artifacts} or any(
        name in registry.names() for registry in REGISTRIES
    )


def test_the_summaries_of_presets_name_what_exists() -> None:
    own = [preset for artifact in ARTIFACTS for preset in artifact.presets.values()]
    for preset in (*presets.PRESETS.values(), *own):
        assert not NAME.findall(preset.summary)


MODULES = [
    importlib.import_module(f"search_spaces.{found.name}")
    for found in pkgutil.walk_packages(search_spaces.__path__)
]


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_the_names_in_single_back_ticks_exist(module: ModuleType) -> None:
    """In every docstring and comment of the file; double back-ticks are for values."""
    for name in re.findall(r"(?<!`)`([A-Za-z_.]+)`(?!`)", inspect.getsource(module)):
        assert resolves(name, module), name


def resolves(name: str, module: ModuleType) -> bool:
    """As something that the file or its classes have, a module of this package, or a part."""
    head, *tail = name.split(".")
    owners = [o for o in (vars(module).get(head), *modules(head)) if o is not None]
    classes = [item for item in vars(module).values() if inspect.isclass(item)]
    return (
        registered(name)
        or any(not tail or has(owner, tail[0]) for owner in owners)
        or any(has(owner, head) for owner in classes)
    )


def modules(name: str) -> Iterator[ModuleType]:
    for path in (name, f"search_spaces.{name}", f"trainables.{name}", f"sweep.{name}"):
        with suppress(ImportError):
            yield importlib.import_module(path)


def has(owner: Any, name: str) -> bool:
    inside = hasattr(owner, "__path__") and importlib.util.find_spec(f"{owner.__name__}.{name}")
    return bool(inside) or hasattr(owner, name) or name in getattr(owner, "__annotations__", {})
