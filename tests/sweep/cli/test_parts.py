"""`sweep list methods`, `models`, ...: the registries, as they are."""

from __future__ import annotations

import importlib
import json

import pytest
from typer.testing import CliRunner

from sweep.cli import commands, parts
from sweep.cli.parts import PACKAGES, Kind
from trainables import methods


@pytest.mark.parametrize("kind", PACKAGES)
def test_every_registered_part_is_listed_with_all_its_options(kind: Kind) -> None:
    registry = importlib.import_module(PACKAGES[kind]).registry
    listed = {row["name"]: row for row in parts.rows(kind)}
    assert list(listed) == registry.names()
    for name, row in listed.items():
        assert row["title"]
        assert [o["name"] for o in row["options"]] == list(registry.schema(name).model_fields)
        assert all(option["allowed"] != "any" for option in row["options"]), name


def test_where_an_option_was_searched_is_said_and_has_its_default() -> None:
    """So that a search of one's own that begins there begins around what is known to work."""
    searched = {
        (name, option): (found, methods.registry.schema(name).model_fields[option].default)
        for name in methods.names()
        for option, found in methods.registry.searched(name).items()
    }
    assert {name for name, _ in searched} >= {"nrs", "amp", "infomcr", "nso", "fa", "sam", "bsam"}
    for found, default in searched.values():
        assert found.source
        assert list(found.values) == sorted(set(found.values))
        assert found.values[0] <= default <= found.values[-1]


def test_as_text_and_as_json() -> None:
    runner = CliRunner()
    text = runner.invoke(commands.app, ["list", "methods"]).output
    said = "rho = 0.05  (number, at least 0); searched: 0.01, 0.02, 0.05 (NSO's authors' scripts)"
    assert f"    {said}\n" in text
    assert "    reading = code: norm = per_tensor, clip = 50\n" in text
    rows = json.loads(runner.invoke(commands.app, ["list", "methods", "--format", "json"]).output)
    (amp,) = [row for row in rows if row["name"] == "amp"]
    assert amp["readings"]["code"] == {"norm": "per_tensor", "clip": 50.0}
    assert runner.invoke(commands.app, ["list", "metods"]).exit_code == 2
