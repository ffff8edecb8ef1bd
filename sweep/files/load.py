"""Reading a sweep's file: what it says is checked to the last trial before anything starts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

import search_spaces
from search_spaces.spec import Artifact, Cell, Stage
from sweep import own_parts
from sweep.files import source as sources
from sweep.files.build import Built, build
from sweep.files.keys import SweepFile
from sweep.files.source import Path_, Source
from trainables import declared
from trainables.config import merge
from trainables.errors import CodeError, UsageError, unknown
from trainables.metric_name import MetricName

SUFFIXES = (".yaml", ".yml")
"""Of the name of a sweep's file."""

Given = Sequence[tuple[str, Any, Path_]]
"""Fields of a trial in the order in which they are applied: name, value, place in the file."""


def load(file: Path | str) -> Artifact:
    """The sweep that a file describes.

    Raises:
        UsageError: ``FILE:LINE: what is wrong``, in one sentence.
    """
    return artifact_of(sources.read(Path(file)), Path(file).parent)


def artifact_of(source: Source, folder: Path = Path()) -> Artifact:
    """The sweep that ``source`` describes.

    Args:
        folder: In which the files and folders of ``import`` are looked for.

    Raises:
        UsageError: as `load`.
    """
    keys = validated(source)
    _import(keys, source, folder)
    if keys.project in {paper.key for paper in search_spaces.papers()}:
        raise source.error(
            ("project",), f"project {keys.project!r} is a paper's; take another word"
        )
    for i, measure in enumerate(keys.measures):
        try:
            declared.resolve("measures", measure.name, measure.options)
        except UsageError as error:
            raise source.error(("measures", i), str(error)) from None
    built = build(keys, source)
    check(built)
    for name in keys.presets:
        check(_shrunk(built, name))
    return built.artifact


def _shrunk(built: Built, preset: str) -> Built:
    """What a preset of the file makes of it; its fields stand where the preset has them."""
    given = built.artifact.presets[preset].fields
    paths = {name: ("presets", preset, name) for name in given}
    return Built(
        search_spaces.apply(built.artifact, preset),
        built.source,
        {**built.base, **paths},
        {key: {**found, **paths} for key, found in built.cells.items()},
        {key: {**found, **paths} for key, found in built.stages.items()},
    )


def validated(source: Source) -> SweepFile:
    """What a file says, by the keys that there are.

    Raises:
        UsageError: a wrong key or a value of a wrong type, with its line.
    """
    if not isinstance(source.value, dict):
        raise source.error((), "a sweep's file is a mapping: name, base, compare, grid, seeds, ...")
    try:
        return SweepFile.model_validate(source.value)
    except ValidationError as error:
        first = min(error.errors(), key=lambda found: source.line(found["loc"]) or 0)
        raise source.error(first["loc"], _sentence(first, source)) from None


def _sentence(found: ErrorDetails, source: Source) -> str:
    """pydantic's report of one fault, in words."""
    path = _steps(found["loc"], source)
    name = ".".join(map(str, path))
    match found["type"]:
        case "extra_forbidden":
            return unknown("key", path[-1], _keys_at(found["loc"][:-1]))
        case "list_type":
            return f"{name} = {found['input']!r}: write a list, such as [{found['input']}]"
        case "too_short":
            return f"{name} is empty: write at least one value, or leave it out"
        case "missing":
            return f"{name + ': ' if name else ''}{found['loc'][-1]} is required"
        case "value_error":
            return f"{name}: {found['msg'].removeprefix('Value error, ')}"
        case _:
            return f"{name} = {found['input']!r}: {found['msg'][0].lower()}{found['msg'][1:]}"


def _steps(loc: Sequence[str | int], source: Source) -> Path_:
    """``loc`` without the names of kinds, which do not stand in the file."""
    at: Path_ = ()
    for step in loc:
        if (*at, step) in source.lines:
            at = (*at, step)
    return at


def _keys_at(loc: Sequence[str | int]) -> list[str]:
    """The keys that are allowed where ``loc`` leads."""
    from sweep.files import schema

    return schema.keys_at(loc)


def _import(keys: SweepFile, source: Source, folder: Path) -> None:
    listed = isinstance(source.value.get("import"), list)
    for i, name in enumerate(keys.import_):
        at: Path_ = ("import", i) if listed else ("import",)
        if Path(name).suffix in SUFFIXES:
            raise source.error(
                at, f"{name} is no Python file; a sweep's file imports parts, no sweep"
            )
        try:
            own_parts.load([name], folder)
        except CodeError as error:  # with its traceback, in lines
            raise CodeError(f"{source.error(at, '')}{error}") from None
        except UsageError as error:
            if str(error).startswith(f"{source.name}:"):  # parts that ask for the file itself
                raise
            raise source.error(at, str(error)) from None


def check(built: Built) -> None:
    """Complete every trial's configuration, and of a wrong one find the line.

    Raises:
        UsageError: in one sentence, with file and line.
    """
    for cell, stage in _covered(built.artifact):
        for point in stage.points():
            given = list(_given(built, cell, stage, point))
            try:
                declared.configuration(_merged(given))
            except UsageError as error:
                sentence = str(error).removeprefix("trial: ")
                raise built.source.error(_blamed(given, str(error)), sentence) from None
    _check_selection(built)


def _covered(artifact: Artifact) -> Iterator[tuple[Cell, Stage]]:
    for stage in artifact.experiment.stages:
        for cell in filter(stage.covers, artifact.experiment.cells):
            yield cell, stage


def _given(built: Built, cell: Cell, stage: Stage, point: Mapping[str, Any]) -> Iterator[Any]:
    """The fields of a trial, in the order in which the plan applies them."""
    of_cell = built.cells.get(tuple(cell.key.items()), {})
    of_stage = built.stages.get(stage.name, {})
    for found, paths in (
        (built.artifact.experiment.base, built.base),
        (cell.fields, of_cell),
        (stage.fields, of_stage),
        (_inherited(built, cell, stage), of_stage),
        (point, of_stage),
    ):
        for name, value in found.items():
            yield name, value, paths.get(name, ())


def _inherited(built: Built, cell: Cell, stage: Stage) -> Mapping[str, Any]:
    """What the stage would take over if the first point of the stage before won."""
    if stage.after is None:
        return {}
    before = built.artifact.experiment.stage(stage.after)
    labels = tuple(cell.key) if stage.match is None else stage.match
    parents = [
        other
        for other in built.artifact.experiment.cells
        if before.covers(other) and all(other.key.get(n) == cell.key.get(n) for n in labels)
    ]
    if not parents:
        raise built.source.error(
            ("stages",), f"stage {stage.name}: {' / '.join(cell.key.values())} has no parent in "
            f"stage {before.name} that agrees on {', '.join(labels)}",
        )  # fmt: skip
    given = list(_given(built, parents[0], before, next(before.points())))
    settings = declared.configuration(_merged(given)).model_dump(mode="json")
    return {
        name: reduce(lambda node, key: node[key], name.split("."), settings)
        for name in stage.inherit
    }


def _merged(given: Given) -> dict[str, Any]:
    return merge({}, {name: value for name, value, _ in given})


def _blamed(given: Given, message: str) -> Path_:
    """Where the field stands without which the message is another one.

    Of several, the one that the message names; of these, the last one that is applied.
    """
    culprits = [
        (name, value, path)
        for i, (name, value, path) in enumerate(given)
        if path and not _same(list(given[:i]) + list(given[i + 1 :]), message)
    ]
    words = set(re.findall(r"[\w.]+", message))
    named = [path for name, _, path in culprits if words & {name, name.rpartition(".")[2]}]
    valued = [path for _, value, path in culprits if str(value) in words]
    return [(), *(path for _, _, path in culprits), *valued, *named][-1]


def _same(given: Given, message: str) -> bool:
    try:
        declared.configuration(_merged(given))
    except UsageError as error:
        return str(error) == message
    return False


def _check_selection(built: Built) -> None:
    """Raise UsageError if a searched trial holds nothing out and its winner needs that."""
    experiment, source = built.artifact.experiment, built.source
    rule = experiment.selection
    for cell, stage in _covered(built.artifact):
        searched = len(list(stage.points())) > 1
        judged = searched and MetricName(rule.on).data_split == "validation"
        if not judged and rule.epoch != "best_validation":
            continue
        for point in stage.points():
            fields = {**experiment.base, **cell.fields, **stage.fields, **point}
            if fields.get("data.validation") == 0:
                at = built.cells.get(tuple(cell.key.items()), {}).get("data.validation")
                raise source.error(
                    at or built.base.get("data.validation", ("select",)),
                    f"{' / '.join(cell.key.values())} holds no images out (data.validation: 0), "
                    f"and select needs {rule.on} at {rule.epoch}: hold some out, or select on "
                    "test_error",
                )


__all__ = ["SUFFIXES", "artifact_of", "check", "load", "validated"]
