"""The registered parts, in words and as data: `sweep list methods`, `models`, `data`, ..."""

from __future__ import annotations

import importlib
import inspect
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What `sweep list` can list."""

    artifacts = "artifacts"
    methods = "methods"
    models = "models"
    data = "data"
    augmentations = "augmentations"
    measures = "measures"
    losses = "losses"


PACKAGES = {
    Kind.methods: "trainables.methods",
    Kind.models: "trainables.models",
    Kind.data: "trainables.data",
    Kind.augmentations: "trainables.data.augment.moves",
    Kind.measures: "trainables.measures",
    Kind.losses: "trainables.tasks",
}


def rows(kind: Kind) -> list[dict[str, Any]]:
    """One row per registered part of this kind.

    Returns:
        ``name``, ``title`` (the first sentence of its description), ``options``: for each its
        ``name``, ``default``, what is ``allowed``, and where it was ``searched`` and by whom; and
        ``readings``: the options that ``reading: text`` and ``reading: code`` stand for.
    """
    registry = importlib.import_module(PACKAGES[kind]).registry
    return [
        {
            "name": name,
            "title": _first_sentence(registry.get(name)),
            "options": _options(registry, name),
            "readings": registry.readings(name),
        }
        for name in registry.names()
    ]


def _first_sentence(part: Any) -> str:
    paragraph = (inspect.getdoc(part) or "").partition("\n\n")[0]
    return " ".join(paragraph.split())


def _options(registry: Any, name: str) -> list[dict[str, Any]]:
    schema = registry.schema(name)
    allowed = schema.model_json_schema()["properties"]
    searched = registry.searched(name)
    shown = []
    for option, field in schema.model_fields.items():
        row = {
            "name": option,
            "default": None if field.is_required() else _plain(field.default),
            "allowed": _allowed(allowed[option]),
        }
        if found := searched.get(option):
            row |= {"searched": list(found.values), "source": found.source}
        shown.append(row)
    return shown


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _allowed(schema: dict[str, Any]) -> str:
    """``number, above 0`` from a JSON schema."""
    if "anyOf" in schema:
        return " or ".join(_allowed(choice) for choice in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return ", ".join(map(str, schema.get("enum", [schema.get("const")])))
    bounds = {
        "exclusiveMinimum": "above",
        "minimum": "at least",
        "exclusiveMaximum": "below",
        "maximum": "at most",
    }
    said = [f"{word} {schema[key]}" for key, word in bounds.items() if key in schema]
    kind = {"null": "none", "array": "list", "boolean": "true or false"}
    return ", ".join([kind.get(schema.get("type", ""), schema.get("type", "any")), *said])


def text(listed: list[dict[str, Any]]) -> str:
    """One line per part, and below it one per option."""
    lines = []
    for row in listed:
        lines.append(f"{row['name']}: {row['title']}")
        for option in row["options"]:
            line = f"    {option['name']} = {_shown(option['default'])}  ({option['allowed']})"
            if "searched" in option:
                values = ", ".join(f"{value:g}" for value in option["searched"])
                line += f"; searched: {values} ({option['source']})"
            lines.append(line)
        for reading, values in row["readings"].items():
            stands_for = ", ".join(
                f"{option} = {_shown(value)}" for option, value in values.items()
            )
            lines.append(f"    reading = {reading}: {stands_for}")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


__all__ = ["Kind", "rows", "text"]
