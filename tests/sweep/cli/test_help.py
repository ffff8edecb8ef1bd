"""What every command says of itself, and what shells complete."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import typer

from sweep.cli import commands, complete
from tests.sweep.called import call

ROOT = Path(__file__).parents[3]


def every_command(group: Any, *names: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Names by which each command is called, and the command."""
    for name, command in getattr(group, "commands", {}).items():
        if hasattr(command, "commands"):
            yield from every_command(command, *names, name)
        else:
            yield (*names, name), command


COMMANDS = dict(every_command(typer.main.get_command(commands.app)))


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_every_command_has_an_example_that_it_takes(names: tuple[str, ...]) -> None:
    code, out, _ = call(*names, "--help")
    assert code == 0
    assert call(*names, "-h")[1] == out
    _, _, example = out.partition("Example: ")
    words = shlex.split(" ".join(example.partition("\n\n")[0].split()))
    if names == ("completion",):
        words = words[words.index("<(sweep") :] if "<(sweep" in words else words[1].split("(")[1:]
        words = shlex.split(" ".join(words).strip(")"))
    assert tuple(words[: 1 + len(names)]) == ("sweep", *names)
    COMMANDS[names].make_context(" ".join(names), words[1 + len(names) :])  # raises if it is wrong


DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def lines_of(document: Path) -> list[list[str]]:
    """Words of every command ``sweep`` in a document's programs, continued lines joined.

    Without the parts of one's own that it imports: a parser would import them, too.
    """
    text = document.read_text(encoding="utf-8").replace("\\\n", " ")
    programs = "\n".join(re.findall(r"```sh\n(.*?)```", text, re.S))
    programs += "\n".join(re.findall(r"^    .*$", text, re.M))
    found = re.findall(r"^ *(?:\.venv/bin/)?sweep (.*)$", programs, re.M)
    plain = [re.sub(r"--import \S+", "", line) for line in found]
    return [shlex.split(line, comments=True) for line in plain]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_every_command_in_the_documents_is_taken(document: Path) -> None:
    for words in lines_of(document):
        names = next(words[:n] for n in (2, 1) if tuple(words[:n]) in COMMANDS)
        COMMANDS[tuple(names)].make_context(" ".join(names), words[len(names) :])


def test_there_are_commands_in_the_documents() -> None:
    assert sum(map(len, map(lines_of, DOCUMENTS))) > 30


def test_the_version_is_said() -> None:
    assert call("--version")[:2] == (0, f"flatsweep {metadata.version('flatsweep')}\n")


def asked(shell: str, words: str, **variables: str) -> list[str]:
    """What a shell is told when Tab is pressed after ``words``."""
    done = subprocess.run(
        [sys.executable, "-c", "from sweep.cli.commands import main; main()"],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            complete.VARIABLE: f"complete_{shell}",
            "_TYPER_COMPLETE_ARGS": words,
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.split()


def test_bash_completes_by_the_script_that_is_printed(tmp_path: Path) -> None:
    command = tmp_path / "sweep"
    command.write_text(
        f"#!{sys.executable}\nimport sys\nsys.argv[0] = 'sweep'\n"
        "from sweep.cli.commands import main\nmain()\n"
    )
    command.chmod(0o755)
    program = """
        source <(sweep completion bash)
        press() {
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
            _sweep_completion sweep
            echo "${COMPREPLY[@]}"
        }
        press sweep repr
        press sweep plan nrs/ta
        press sweep table nrs/table1 --preset s
        press sweep run nrs/table1 --selection best_v
    """
    done = subprocess.run(
        ["bash", "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == [
        "reproduce",
        "nrs/table1 nrs/table2 nrs/table3",
        "small smoke",
        "best_validation",
    ]
    assert done.stderr == ""


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_ask_for_the_same(shell: str) -> None:
    script = call("completion", shell)[1]
    assert f"{complete.VARIABLE}=complete_{shell}" in script
    told = asked(shell, "sweep plan nrs/ta", _TYPER_COMPLETE_FISH_ACTION="get-args")
    assert [name for name in told if "nrs/table1" in name]
    assert not [name for name in told if "nrs/figure1" in name]


def test_a_shell_that_is_not_known_is_refused() -> None:
    code, _, error = call("completion", "tcsh")
    assert code == 2
    assert "'bash', 'zsh', 'fish'" in error


def test_a_command_says_as_much_as_it_is_asked_to(offer: None, tmp_path: Path) -> None:
    words = ["run", "test/tiny", "--executor", "serial", "--set", "epochs=1"]
    said = {}
    for flag in ("--quiet", "-v"):
        storage = ["--storage", str(tmp_path / flag)]
        code, _, said[flag] = call(*words, *storage, flag)
        assert code == 0
    assert said["--quiet"] == "4 trials recorded; `sweep ui` shows them\n"
    assert said["-v"].count("epoch 1 of 1\n") == 4
    assert "[4/4] erm · seed 1: test error" in said["-v"]
    code, _, error = call(*words, "-q", "-v")
    assert (code, error) == (2, "sweep: --quiet and --verbose exclude each other\n")


def test_a_quiet_command_says_what_failed(offer: None, tmp_path: Path) -> None:
    words = ["run", "test/tiny", "--executor", "serial", "--set", "batch_size=5000", "-q"]
    code, _, error = call(*words, "--seeds", "1", "--storage", str(tmp_path))
    assert code == 1
    first, *_ = error.splitlines()
    assert "seed 0: failed: DataError: " in first
    assert "to run" not in error


ANSWERS = {
    "plan nrs/table1": 0,
    "show nrs/table1": 0,
    "table nrs/table1": 0,
    "status": 0,
    "doctor": 0,
    "plot nrs/figure1": 1,
    "report nrs/table1": 1,
    "export runs.csv": 1,
    "ui": 1,
}
"""Command that only reads -> its exit code where nothing was ever recorded."""


@pytest.mark.parametrize("words", ANSWERS)
def test_a_command_that_reads_makes_nothing(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, error = call(*words.split())
    assert code == ANSWERS[words]
    file = tmp_path / "results" / "mlflow.db"
    if words == "doctor":
        assert f"note   mlflow: no record at {file}, give --storage" in out
    elif words.split()[0] not in ("plan", "show"):
        assert error.removeprefix("sweep: ") == f"no record at {file}, give --storage\n"
    assert list(tmp_path.iterdir()) == []
