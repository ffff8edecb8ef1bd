"""The examples of the pages in docs/ do what the pages say, each page in a folder of its own."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.sweep.called import call

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
EXECUTED = {"claims": 2, "results": 14, "selection": 4, "record": 12, "search": 5}
"""Page -> how many commands and programs it has."""


def blocks(page: str) -> list[tuple[str, str]]:
    """Language and text of the blocks of a page, in their order."""
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    found: list[tuple[str, str]] = re.findall(
        r"^```(yaml|sh|python)\n(.*?)^```$", text, re.M | re.S
    )
    return found


@pytest.mark.parametrize("page", EXECUTED)
def test_every_example_of_a_page_runs(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = 0
    for language, text in blocks(page):
        if language == "yaml":
            (name,) = re.findall(r"\A# (\w+\.yaml)\n", text)
            Path(name).write_text(text, encoding="utf-8")
            continue
        if language == "python":
            exec(compile(text, f"{page}.md", "exec"), {})
            done += 1
            continue
        for command in text.splitlines():
            program, *words = command.split()
            assert program == "sweep"
            code, _, error = call(*words)
            assert code == 0, (command, error)
            done += 1
    assert done == EXECUTED[page]


def test_the_record_is_shared_as_its_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for language, text in blocks("record"):
        if language == "yaml":
            Path(re.findall(r"\A# (\w+\.yaml)\n", text)[0]).write_text(text)
    trained = []
    for name in ("first.yaml", "second.yaml", "second.yaml"):
        assert call("run", name, "--executor", "serial")[0] == 0
        trained.append(len(list(Path("results/trials").glob("*/result.json"))))
    assert trained == [4, 6, 6]
    assert {path.name for path in Path("results").iterdir()} >= {
        "trials", "mlflow.db", "mlflow.db.mirror",
    }  # fmt: skip
    result = json.loads(next(Path("results/trials").glob("*/result.json")).read_text())
    assert {"config", "metrics", "provenance", "protocol", "sha256"} <= result.keys()


# -- docs/cluster.md: its commands need clusters, so they are only read ----------------------------

COMMANDS = [
    command
    for language, text in blocks("cluster")
    if language == "sh"
    for command in text.replace("\\\n", " ").splitlines()
]


def sweep_words(command: str) -> list[str]:
    """Arguments of `sweep` in a command that calls it, in whichever way; empty if none does."""
    words = shlex.split(command)
    if "-lc" in words:
        return sweep_words(words[-1])
    for program in ("sweep", "sweep.sbatch"):
        if program in words and not {"cp", "configmap"} & {*words}:
            return words[words.index(program) + 1 :]
    return []


def test_every_sweep_on_the_cluster_page_has_the_options_that_there_are() -> None:
    called = [words for command in COMMANDS if (words := sweep_words(command))]
    assert len(called) == 14
    for words in called:
        code, _, error = call(*words, "--help")
        assert code == 0, (words, error)


def test_a_wrong_option_on_the_cluster_page_would_be_found() -> None:
    words = sweep_words("sbatch --nodes=4 sweep.sbatch run my_sweep.yaml --gpu 1")
    assert words == ["run", "my_sweep.yaml", "--gpu", "1"]
    assert call(*words, "--help")[0] == 2


def test_every_ray_command_of_the_cluster_page_is_known() -> None:
    from ray.scripts.scripts import cli as ray_cli

    called = [shlex.split(command)[1:] for command in COMMANDS if command.startswith("ray ")]
    assert len(called) == 8
    for words in called:
        before = words[: words.index("--")] if "--" in words else words
        found = CliRunner().invoke(ray_cli, [*before, "--help"])
        assert found.exit_code == 0, (words, found.output)


def test_every_file_of_this_project_on_the_cluster_page_is_there() -> None:
    named = [word for command in COMMANDS for word in shlex.split(command) if "examples/" in word]
    assert len(named) == 7
    assert [path for path in named if not (ROOT / path).exists()] == []
