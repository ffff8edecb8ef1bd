"""What a cell's trials are tried with: the grids and points of a file, put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from sweep.files import fields, ranges
from sweep.files.keys import Draws, Point, Range, Space, SweepFile
from sweep.files.source import Path_, Source
from trainables.errors import UsageError

Settings = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class SearchSpace:
    """Values of fields that are tried.

    Attributes:
        grid: Field -> values, each with each.
        settings: Fields that go together, each with every point of the grid; empty: the grid alone.
        paths: Field -> where its values stand in the file.
    """

    grid: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    settings: Settings = ()
    paths: Mapping[str, Path_] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The fields."""
        return list(dict.fromkeys([*self.grid, *(name for s in self.settings for name in s)]))

    @property
    def size(self) -> int:
        """How many points it has."""
        return len(_points(self))

    def without(self, fixed: Sequence[str]) -> SearchSpace:
        """What is left where these fields have one value."""
        settings = [
            {name: value for name, value in setting.items() if name not in fixed}
            for setting in self.settings
        ]
        distinct = tuple(s for i, s in enumerate(settings) if s not in settings[:i])
        return SearchSpace(
            {name: tried for name, tried in self.grid.items() if name not in fixed},
            distinct if any(distinct) else (),
            self.paths,
        )

    def times(self, other: SearchSpace) -> SearchSpace:
        """Both together. Where both try a field, ``other`` counts."""
        here = self.without(other.names)
        settings = tuple(
            {**ours, **theirs}
            for ours, theirs in product(here.settings or ({},), other.settings or ({},))
        )
        return SearchSpace(
            {**here.grid, **other.grid},
            settings if any(settings) else (),
            {**self.paths, **other.paths},
        )


def space_of(keys: Space | SweepFile, path: Path_, source: Source) -> SearchSpace:
    """What a mapping with ``grid`` and ``points`` tries.

    Args:
        path: Of the mapping in the file.

    Raises:
        UsageError: an unknown field, a value twice, or a range that makes no sense; with its line.
    """
    grid = _grid(keys.grid, (*path, "grid"), source)
    settings = _settings(keys.points, (*path, "points"), source)
    for name in settings.names:
        if name in grid:
            raise source.error(settings.paths[name], f"{name} is tried in grid and in points")
    alone = SearchSpace(fields.values(grid), (), {name: at for name, (_, at) in grid.items()})
    return alone.times(settings)


def _grid(
    given: Mapping[str, Any], path: Path_, source: Source
) -> dict[str, tuple[tuple[Any, ...], Path_]]:
    found = {}
    for name, axis in given.items():
        at = (*path, name)
        tried = _range(axis, at, source) if isinstance(axis, Range) else axis
        ((name, (values, at)),) = fields.flat({name: tried}, path, source).items()
        for i, value in enumerate(values):
            if value in values[:i]:
                raise source.error((*at, i), f"{name} has {value!r} twice")
        found[name] = (values, at)
    return found


def _range(axis: Range, at: Path_, source: Source) -> list[Any]:
    try:
        return ranges.values(axis)
    except UsageError as error:
        raise source.error(at, f"{at[-1]}: {error}") from None


def _settings(given: Draws | list[Point], path: Path_, source: Source) -> SearchSpace:
    if isinstance(given, Draws):
        kind = "sobol" if given.sobol is not None else "random"
        named = fields.flat(getattr(given, kind) or {}, (*path, kind), source)
        try:
            drawn = ranges.points(given)
        except UsageError as error:
            raise source.error(path, f"points: {error}") from None
        return SearchSpace({}, tuple(drawn), {name: at for name, (_, at) in named.items()})
    settings: list[Mapping[str, Any]] = []
    paths: dict[str, Path_] = {}
    for i, point in enumerate(given):
        at = (*path, i)
        own = fields.flat(point.fields, at, source, Point.model_fields)
        inner = space_of(point, at, source).without(list(own))
        found = [{**fields.values(own), **tried} for tried in _points(inner)]
        if not any(found):
            raise source.error(at, "it sets no field")
        for setting in found:
            if setting in settings:
                raise source.error(at, f"{setting} is there twice")
            settings.append(setting)
        paths |= {**{name: where for name, (_, where) in own.items()}, **inner.paths}
    return SearchSpace({}, tuple(settings), paths)


def _points(space: SearchSpace) -> list[dict[str, Any]]:
    return [
        {**setting, **dict(zip(space.grid, values, strict=True))}
        for setting in space.settings or ({},)
        for values in product(*space.grid.values())
    ]


__all__ = ["SearchSpace", "space_of"]
