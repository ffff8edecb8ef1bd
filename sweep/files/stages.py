"""What is trained of a file's cells, and in which order: its stages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from search_spaces.spec import Cell, Stage
from sweep.files import fields
from sweep.files.keys import SweepFile
from sweep.files.source import Path_, Source
from sweep.files.spaces import SearchSpace, space_of
from trainables.config import READABLE
from trainables.errors import unknown

LONGEST = 40
"""Characters of what tells the name of a stage from others."""


@dataclass(frozen=True)
class CellSpace:
    """A cell of the file, what it is tried with, and how often."""

    cell: Cell
    space: SearchSpace
    seeds: int


class StageBuilder:
    """Makes the stages of a file.

    Attributes:
        paths: Name of a stage -> field -> where it stands in the file.
    """

    def __init__(
        self,
        keys: SweepFile,
        source: Source,
        base: Mapping[str, Path_],
        of_cells: Mapping[tuple[tuple[str, str], ...], Mapping[str, Path_]],
    ) -> None:
        self.keys, self.source = keys, source
        self._base, self._of_cells = base, of_cells
        self.paths: dict[str, Mapping[str, Path_]] = {}

    def short(self, cells: list[CellSpace]) -> tuple[Stage, ...]:
        """One per space that is searched, and for each those that train its winner.

        Raises:
            UsageError: a wrong field or value, with its line.
        """
        groups: dict[str, list[CellSpace]] = {}
        for each in cells:
            alike = repr((each.space.grid, each.space.settings, each.seeds))
            groups.setdefault(alike, []).append(each)
        every = [each.cell for each in cells]
        parts = [part for group in groups.values() for part in _products(group, every)]
        stages = []
        for number, (group, where) in enumerate(parts, 1):
            space, seeds = group[0].space, group[0].seeds
            suffix = _suffix(where, number) if len(parts) > 1 else ""
            stage = Stage(
                ("grid" if space.size > 1 else "train") + suffix,
                where,
                grid=space.grid,
                settings=space.settings,
                seeds=seeds,
            )
            self.paths[stage.name] = space.paths
            stages.append(stage)
            if self.keys.then:
                self._refuse_lost_options(stage, group)
            stages += self._then(stage, where, suffix)
        return tuple(stages)

    def _refuse_lost_options(self, stage: Stage, group: Iterable[CellSpace]) -> None:
        """Raise if what a winner hands on as a whole would be changed by an option below it."""
        whole = [name for name in stage.searched if name in READABLE]
        for p in group:
            places = {**self._base, **self._of_cells[tuple(p.cell.key.items())]}
            for name, at in places.items():
                if (part := name.rpartition(".")[0]) in whole:
                    raise self.source.error(
                        at,
                        f"{part} is searched, and its winner goes on as a whole: write {name} "
                        "beside it in points",
                    )

    def _then(self, before: Stage, where: Mapping[str, Any], suffix: str) -> list[Stage]:
        stages: list[Stage] = []
        tried: dict[str, None] = dict.fromkeys(before.searched)
        for i, keys in enumerate(self.keys.then):
            at: Path_ = (
                ("then", i) if isinstance(self.source.value.get("then"), list) else ("then",)
            )
            own = fields.flat(keys.fields, at, self.source, type(keys).model_fields)
            space = space_of(keys, at, self.source).without(list(own))
            number = str(i + 1) if len(self.keys.then) > 1 else ""
            stage = Stage(
                f"then{number}{suffix}",
                where,
                fields.values(own),
                space.grid,
                keys.seeds or before.seeds,
                after=before.name,
                inherit=_inherited(tried, [*own, *space.names]),
                settings=space.settings,
            )
            self.paths[stage.name] = {**fields.places(own), **space.paths}
            tried |= dict.fromkeys(stage.searched)
            stages.append(stage)
            before = stage
        return stages

    def in_full(self, cells: list[Cell]) -> tuple[Stage, ...]:
        """Those that the file has in full.

        Raises:
            UsageError: a name twice, a cell without a stage or the other way round; with its line.
        """
        stages: list[Stage] = []
        for i, keys in enumerate(self.keys.stages):
            at = ("stages", i)
            own = fields.flat(keys.fields, at, self.source, type(keys).model_fields)
            space = space_of(keys, at, self.source)
            names = [stage.name for stage in stages]
            if keys.name in names:
                raise self.source.error((*at, "name"), f"a stage {keys.name!r} is there twice")
            if keys.after is not None and keys.after not in names:
                raise self.source.error((*at, "after"), unknown("earlier stage", keys.after, names))
            for name in keys.inherit:
                fields.flat({name: None}, (*at, "inherit"), self.source)
            stage = Stage(
                keys.name,
                {k: tuple(v) if isinstance(v, list) else v for k, v in keys.where.items()},
                fields.values(own),
                space.grid,
                keys.seeds,
                keys.after,
                None if keys.match is None else tuple(keys.match),
                tuple(keys.inherit),
                space.settings,
            )
            if not any(map(stage.covers, cells)):
                raise self.source.error((*at, "where"), f"stage {stage.name} covers no cell")
            self.paths[stage.name] = {**fields.places(own), **space.paths}
            stages.append(stage)
        for i, cell in enumerate(cells):
            if not any(stage.covers(cell) for stage in stages):
                uncovered: Path_ = ("cells", i) if self.keys.cells else ("stages",)
                raise self.source.error(
                    uncovered, f"no stage trains {' / '.join(cell.key.values())}"
                )
        return tuple(stages)


def _inherited(tried: Iterable[str], fixed: Iterable[str]) -> tuple[str, ...]:
    """The fields that a winner hands on: a whole part, where the part itself is searched."""
    fixed = set(fixed)
    names = [name for name in tried if name not in fixed]
    whole = {name for name in names if name in READABLE}
    return tuple(name for name in names if name.rpartition(".")[0] not in whole)


def _products(
    group: list[CellSpace], cells: list[Cell]
) -> list[tuple[list[CellSpace], dict[str, str | tuple[str, ...]]]]:
    """The group, by the entries that its cells and no others have; or each of its cells alone."""
    where: dict[str, str | tuple[str, ...]] = {}
    for label in group[0].cell.key:
        here = tuple(dict.fromkeys(p.cell.key.get(label, "") for p in group))
        if len(here) < len({cell.key.get(label) for cell in cells}):
            where[label] = here if len(here) > 1 else here[0]
    covered = [cell for cell in cells if Stage("", where).covers(cell)]
    if len(covered) == len(group):
        return [(group, where)]
    return [([p], dict(p.cell.key)) for p in group]


def _suffix(where: Mapping[str, Any], number: int) -> str:
    """Of a stage's name: the entries of its cells, or its number where these are many."""
    entries = ["+".join([v] if isinstance(v, str) else v) for v in where.values()]
    words = "".join("-" + re.sub(r"\s+", "_", entry) for entry in entries)
    return words if len(words) <= LONGEST else f"-{number}"


__all__ = ["CellSpace", "StageBuilder"]
