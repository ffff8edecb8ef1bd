"""The JSON Schema that is shipped is that of the keys, and says of files what reading them says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import search_spaces
from sweep.files import schema
from sweep.files.keys import SweepFile
from sweep.files.source import parse
from sweep.files.write import starter, text_of
from tests.sweep.files.cases import SMALL
from tests.sweep.files.test_load import FULL

EXAMPLES = Path(__file__).parents[3] / "examples"
SHIPPED: dict[str, Any] = json.loads(schema.FILE.read_text())
CHECK = jsonschema.Draft202012Validator(SHIPPED)


def test_what_is_shipped_is_what_is_made() -> None:
    """Written again by ``python -m sweep.files.schema``."""
    assert schema.FILE.read_text() == schema.text()
    jsonschema.Draft202012Validator.check_schema(SHIPPED)


def test_every_key_is_described() -> None:
    keys = {field.alias or name for name, field in SweepFile.model_fields.items()}
    assert set(SHIPPED["properties"]) == keys
    assert all("description" in SHIPPED["properties"][key] for key in keys)


WRITTEN = {
    "small": SMALL,
    "full": FULL,
    "starter": starter("x"),
    **{file.name: file.read_text() for file in sorted(EXAMPLES.glob("*.yaml"))},
    **{
        name: text_of(search_spaces.apply(search_spaces.find(name), "paper"), "x")
        for name in ("nrs/table1", "amp/figure6", "nso/figure3")
    },
}


@pytest.mark.parametrize("name", WRITTEN)
def test_files_that_are_read_are_valid(name: str) -> None:
    errors = [error.message for error in CHECK.iter_errors(parse(WRITTEN[name], name).value)]
    assert errors == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("seeds:", "seds:"),
        ("seeds: 2", "seeds: two"),
        ("epochs: 2", "epoch: 2"),
        ("epochs: 2", "epochs: 0"),
        ("[0.05, 0.1]", "[]"),
        ("[0.05, 0.1]", "{lug: [1, 2], num: 3}"),
        ("method: sam,", "method: sam, methot.rho: 3,"),
    ],
)
def test_what_an_editor_can_see_is_seen(old: str, new: str) -> None:
    assert old in SMALL
    assert not CHECK.is_valid(parse(SMALL.replace(old, new), "f.yaml").value)
