"""Options that several commands take: declared once, taken in groups, handed on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer
from typer.testing import CliRunner

from sweep.cli import commands
from sweep.cli.options import (
    ExecutionOptions,
    PartsOptions,
    RecordOptions,
    SweepOptions,
    VariantOptions,
    option_groups,
    parse_options,
)
from tests.sweep.called import call
from trainables.errors import UsageError

RUNS_A_SWEEP = {"run", "reproduce", "search", "measure"}
STARTS_TRIALS = RUNS_A_SWEEP | {"grid"}
READS_A_SWEEP = RUNS_A_SWEEP | {
    *("plan", "table", "claims", "plot", "show", "status", "report", "profile"),
}
READS_THE_RECORD = READS_A_SWEEP | {
    "grid",
    "ui",
    "export",
    "doctor",
    "logs",
    "cancel",
    "gc",
    "sync",
}
TAKES_PARTS = READS_A_SWEEP | {"list", "new", "grid", "doctor", "export", "sync"}
SOME = {"new": {"preset", "where"}, "grid": {"selection"}, "cancel": {"preset"}}
"""Commands with some of a group's options, by their names."""


def parameters(command: str) -> set[str]:
    found = typer.main.get_command(commands.app).commands[command]
    return {str(parameter.name) for parameter in found.params}


@pytest.mark.parametrize(
    ("group", "takers"),
    [
        (RecordOptions, READS_THE_RECORD),
        (SweepOptions, READS_A_SWEEP),
        (VariantOptions, READS_A_SWEEP | {"export"}),
        (ExecutionOptions, STARTS_TRIALS),
        (PartsOptions, TAKES_PARTS),
    ],
)
def test_a_group_is_taken_whole_by_the_commands_that_need_it(group: type, takers: set[str]) -> None:
    own = set(vars(group)["__annotations__"]) - {"data", "seeds"}  # others have them of their own
    for command in typer.main.get_command(commands.app).commands:
        taken = own if command in takers else SOME.get(command, set()) & own
        assert parameters(command) & own == taken, command


@pytest.mark.usefixtures("offer")
@pytest.mark.parametrize("command", sorted(STARTS_TRIALS))
def test_what_is_said_of_the_execution_reaches_the_executor(
    command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[tuple[str, dict[str, Any]]] = []

    def executor(name: str, **options: Any) -> None:
        seen.append((name, options))
        raise UsageError("seen")

    monkeypatch.setattr("sweep.run.executor.executor", executor)
    own = {"measure": ["--measure", "hessian_trace", "--retrain"]}.get(command, [])
    words = (
        "--executor serial --address there:1 --cpus 2 --gpus 0.5 --concurrency 3 --trial-timeout 2h"
    )
    storage = ["--storage", str(tmp_path / "none")]
    what = "epochs=1" if command == "grid" else "test/tiny"
    code, _, error = call(command, what, *own, *words.split(), *storage)
    assert (code, error) == (2, "sweep: seen\n")
    options = {
        "address": "there:1",
        "cpus": 2.0,
        "gpus": 0.5,
        "concurrency": 3,
        "trial_timeout": 7200.0,
    }
    assert seen == [("serial", options)]
    assert not (tmp_path / "none").exists()


@dataclass(frozen=True, kw_only=True)
class Group:
    """Two options."""

    size: Annotated[int, typer.Option("--size", help="How large.")] = 1
    name: Annotated[str, typer.Argument(help="What.")]


@dataclass(frozen=True, kw_only=True)
class Larger(Group):
    """The same, with another default and one more."""

    size: Annotated[int, typer.Option("--size", help="How large.")] = 10
    deep: Annotated[bool, typer.Option("--deep")] = False


def test_a_command_gets_its_groups_as_objects() -> None:
    told: list[Any] = []
    app = typer.Typer(rich_markup_mode=None)

    @app.command("small")
    @option_groups
    def small(group: Group, own: Annotated[str, typer.Option("--own")] = "") -> None:
        """Small."""
        told.append((group, own))

    @app.command("large")
    @option_groups
    def large(group: Larger) -> None:
        """Large."""
        told.append(group)

    def run(*words: str) -> int:
        return CliRunner().invoke(app, words).exit_code

    assert run("small", "this", "--size", "3", "--own", "mine") == 0
    assert run("large", "that", "--deep") == 0
    assert told == [(Group(name="this", size=3), "mine"), Larger(name="that", size=10, deep=True)]
    assert run("small", "--size", "3") == 2
    assert "How large.  [default: 10]" in CliRunner().invoke(app, ["large", "--help"]).output


def test_options_of_parts_are_json_or_text() -> None:
    assert parse_options(["size=128", "path=a=b", "on=true", "size=64"]) == {
        "size": 64,
        "path": "a=b",
        "on": True,
    }
    deep, digits = "[" * 100_000, "9" * 5000  # more than Python reads: then they are texts
    assert parse_options([f"a={deep}", f"b={digits}"]) == {"a": deep, "b": digits}
    for wrong in ("size", "=3"):
        with pytest.raises(UsageError, match=f"--option '{wrong}': write it as name=value"):
            parse_options([wrong])
