"""Fields of a trial as a file names them: by dotted names, or one in another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from sweep.files.source import Path_, Source
from trainables.config import GROUPS, READABLE, TrialConfig
from trainables.errors import unknown

SECTIONS: dict[str, type[BaseModel]] = {
    name: group for name, group in GROUPS.items() if name not in READABLE
}
"""Fields that have fields of their own, and are no parts."""

SEVERAL = ("data.augmentation", "regularizers")
"""Fields of several parts, whose options go by their names (``data.augmentation.cutout.size``)."""

OTHERWISE_SAID = {
    "seed": "repetitions are counted by seeds: 3, and each has a seed of its own",
    "protocol": "it is the program's own",
}
"""Fields that a file does not give."""


def known() -> list[str]:
    """Dotted names of all fields, the options of parts left out."""
    names = [name for name in TrialConfig.model_fields if name not in OTHERWISE_SAID]
    inner = [f"{name}.{field}" for name, group in SECTIONS.items() for field in group.model_fields]
    return [*(name for name in names if name not in SECTIONS), *inner]


def flat(
    given: Mapping[str, Any], path: Path_, source: Source, beside: Iterable[str] = ()
) -> dict[str, tuple[Any, Path_]]:
    """Dotted name -> (value, where it stands).

    Sections and options of a part without its name may be mappings (``optimizer: {lr: 0.1}``).

    Args:
        beside: Keys that are allowed there, too, and are no fields; a message lists them.

    Raises:
        UsageError: a name that no field has, with its line.
    """
    return {
        name: (as_tuples(value), at)
        for name, value, at in _leaves(given, "", path)
        if not _refused(name, at, source, beside)
    }


def values(found: Mapping[str, tuple[Any, Path_]]) -> dict[str, Any]:
    """Of what `flat` gives, the values."""
    return {name: value for name, (value, _) in found.items()}


def places(found: Mapping[str, tuple[Any, Path_]]) -> dict[str, Path_]:
    """Of what `flat` gives, where it stands."""
    return {name: at for name, (_, at) in found.items()}


def _leaves(given: Mapping[str, Any], prefix: str, path: Path_) -> Iterator[tuple[str, Any, Path_]]:
    for key, value in given.items():
        name, at = f"{prefix}{key}", (*path, key)
        options = name in READABLE and isinstance(value, Mapping) and "name" not in value
        if isinstance(value, Mapping) and (options or name in SECTIONS):
            yield from _leaves(value, f"{name}.", at)
        else:
            yield name, value, at


def _refused(name: str, at: Path_, source: Source, beside: Iterable[str]) -> bool:
    if name in OTHERWISE_SAID:
        raise source.error(at, f"{name} cannot be given: {OTHERWISE_SAID[name]}")
    parts = (*READABLE, *SEVERAL)
    part = next((part for part in parts if name.startswith(f"{part}.")), None)
    if part is None and name not in known() and name not in SECTIONS:
        section, _, option = name.rpartition(".")
        inner = next((part for part in READABLE if part.rpartition(".")[0] == section != ""), None)
        hint = f"; an option of {inner} is {inner}.{option}" if inner else ""
        raise source.error(at, unknown("key", name, [*beside, *known()]) + hint)
    return False


def as_tuples(value: Any) -> Any:
    """YAML's lists as the tuples that settings have."""
    if isinstance(value, Mapping):
        return {key: as_tuples(item) for key, item in value.items()}
    return tuple(map(as_tuples, value)) if isinstance(value, list | tuple) else value


__all__ = ["SECTIONS", "as_tuples", "flat", "known", "places", "values"]
