"""The JSON Schema of a sweep's file, by which editors complete and check it.

It is made from the keys (`sweep.files.keys`) and the fields of a trial, and shipped as
``sweep.schema.json`` beside this file: ``python -m sweep.files.schema`` writes it again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sweep.files import fields
from sweep.files.keys import (
    CellKeys,
    Entry,
    Fields,
    Point,
    PresetKeys,
    Row,
    StageKeys,
    SweepFile,
    Then,
)
from trainables.config import READABLE, TrialConfig

FILE = Path(__file__).with_name("sweep.schema.json")
WITH_FIELDS = (Fields, Row, Entry, Point, PresetKeys, CellKeys, StageKeys, Then)


def made() -> dict[str, Any]:
    """The schema."""
    tree = SweepFile.model_json_schema(by_alias=True)
    of_trial = _of_trial()
    for kind in WITH_FIELDS:
        found = tree["$defs"][kind.__name__]
        # A file's own keys win: `seeds` is no field.
        found["properties"] = {**of_trial, **found.get("properties", {})}
        found["patternProperties"] = {rf"^({'|'.join((*READABLE, *fields.SEVERAL))})\..+": {}}
        found["additionalProperties"] = False
    _allow(tree["properties"]["compare"], {"type": "string"}, {"type": "null"})
    _allow(tree["properties"]["columns"]["additionalProperties"], {"type": "null"})
    for listed in ("metrics", "measures"):
        tree["properties"][listed]["items"] = {
            "anyOf": [{"type": "string"}, tree["properties"][listed]["items"]]
        }
    figure = tree["$defs"]["Figure"]["properties"]["y"]["anyOf"][0]
    figure["items"] = {"anyOf": [{"type": "string"}, figure["items"]]}
    for one in ("import", "then"):
        several = tree["properties"][one]
        tree["properties"][one] = {
            "anyOf": [several["items"], {"type": "array", "items": several["items"]}],
            **{key: several[key] for key in ("description", "default", "title") if key in several},
        }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **tree, "title": "A sweep"}


def _allow(mapping: dict[str, Any], *others: dict[str, Any]) -> None:
    """Let the values of a mapping be written in further ways."""
    mapping["additionalProperties"] = {"anyOf": [mapping["additionalProperties"], *others]}


def _of_trial() -> dict[str, Any]:
    """Dotted name of a field -> its schema, descriptions included."""
    found: dict[str, Any] = {}
    for name in fields.known():
        head, _, rest = name.partition(".")
        group = fields.SECTIONS[head] if rest else TrialConfig
        tree = group.model_json_schema()
        found[name] = _plain(tree["properties"][rest or head])
    return found | {name: {"type": "object"} for name in fields.SECTIONS}


def _plain(tree: Mapping[str, Any]) -> dict[str, Any]:
    """A part may be a name or a mapping; titles and defaults of ours say nothing to a writer."""
    if "$ref" in tree or "items" in tree or "allOf" in tree or "prefixItems" in tree:
        return {}
    return {key: value for key, value in tree.items() if key != "title"}


def keys_at(loc: Sequence[str | int]) -> list[str]:
    """The keys that are allowed in the mapping to which the steps of a validation error lead."""
    tree = SweepFile.model_json_schema(by_alias=True)
    at: Any = tree
    for step in loc:
        at = _resolved(at, tree)
        if "anyOf" in at:
            at = next(
                (
                    option
                    for option in (_resolved(each, tree) for each in at["anyOf"])
                    if "items" in option or "additionalProperties" in option
                ),
                at,
            )
        if isinstance(step, int):
            at = at.get("items", at)
        elif step in at.get("properties", {}):
            at = at["properties"][step]
        elif isinstance(at.get("additionalProperties"), dict):
            at = at["additionalProperties"]
        else:  # the name of a kind, of a list or a mapping
            at = next(
                (
                    option
                    for option in (_resolved(each, tree) for each in at.get("oneOf", ()))
                    if ("items" in option) == (step == "list")
                ),
                at,
            )
    return sorted(_resolved(at, tree).get("properties", {}))


def _resolved(at: Any, tree: Mapping[str, Any]) -> Any:
    while "$ref" in at:
        at = tree["$defs"][at["$ref"].rpartition("/")[2]]
    return at


def text() -> str:
    """The schema as the shipped file has it."""
    return json.dumps(made(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
