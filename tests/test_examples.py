"""The examples, and the page on a sweep of one's own, do what they say."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import search_spaces
from sweep.files import load
from tests.sweep.called import call
from tests.sweep.files.cases import artifact, ids, planned
from trainables import methods
from trainables.own_parts.load import forget_all

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _forget_own_parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Other tests know the methods of this package alone."""
    monkeypatch.setattr(methods.registry, "_parts", dict(methods.registry._parts))
    yield
    for name in [name for name in sys.modules if name.startswith("own_")]:
        del sys.modules[name]


EXAMPLES = ROOT / "examples"
PAGE = (ROOT / "docs" / "own-sweep.md").read_text(encoding="utf-8")
PARTS = (ROOT / "docs" / "own-method.md").read_text(encoding="utf-8")
FILES = re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
COMMANDS = re.findall(r"^sweep (.*)$", "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.S)), re.M)


def test_our_comparison_is_one_file() -> None:
    made = load(EXAMPLES / "compare_methods.yaml")
    ours = search_spaces.find("compare/methods")
    assert ids(planned(made)) == ids(planned(ours, "paper"))
    assert made.experiment.selection.on == ours.experiment.selection.on
    assert [m.key for m in made.view.metrics] == [m.key for m in ours.view.metrics]
    assert (made.view.rows, made.view.columns) == (ours.view.rows, ours.view.columns)


def test_a_sweep_of_ones_own_from_python(tmp_path: Path) -> None:
    """With a method in a file beside it, three methods on digits."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "own_sweep.py"), "smoke", str(tmp_path / "results")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("10 trials\nmine/rho-on-digits")
    assert re.search(r"^ +mine test error % +\d+\.\d+ +1 +\{.*factor", done.stdout, re.M)
    assert re.search(r"^10 trials with \d+ columns$", done.stdout, re.M)
    assert re.search(r"^\d+ numbers are recorded$", done.stdout, re.M)
    assert re.search(r"^one trial: test error 0\.\d+$", done.stdout, re.M)


def test_a_sweep_of_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rows, whose answers are written and judged."""
    monkeypatch.chdir(tmp_path)
    file = str(EXAMPLES / "word_problems.yaml")
    asked = ("--preset", "smoke")
    assert call("run", file, *asked, "--executor", "serial")[0] == 0
    code, out, _ = call("table", file, *asked, "--format", "json")
    assert code == 0
    cells = json.loads(out)["cells"]
    assert [cell["n"] for cell in cells] == [1] * 3 * 3
    found = {cell["row"]["method"] for cell in cells}
    assert found == {"AdamW", "SAM", "NSO"}


def test_what_the_page_does_in_python_the_example_does() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    example = {line.strip() for line in (EXAMPLES / "own_sweep.py").read_text().splitlines()}
    assert [line for line in program.splitlines() if line and line not in example] == []


@pytest.mark.parametrize("text", FILES, ids=range(len(FILES)))
def test_every_file_on_the_page_is_read(text: str) -> None:
    found = artifact(text)
    for preset in ("full", *found.presets):
        assert planned(found, preset).size > 1
    assert len(FILES) == 4


def test_every_command_on_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(COMMANDS) == 9
    for command in COMMANDS:
        code, _, error = call(*command.split())
        assert code == 0, (command, error)
    assert {path.name for path in tmp_path.iterdir()} == {
        "my_sweep.yaml", "nrs.yaml", "grid.png", "results",
    }  # fmt: skip


def test_the_example_runs_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parts are looked for beside it."""
    monkeypatch.chdir(tmp_path)
    for file in EXAMPLES.glob("*.*"):
        (tmp_path / "there").mkdir(exist_ok=True)
        shutil.copy(file, tmp_path / "there")
    code, out, _ = call("show", "there/rho_on_digits.yaml")
    assert code == 0
    assert "cell mine: method = my_method" in out


def test_every_command_on_the_page_of_parts_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the code that stands on it; between a run and what follows, the code changes."""
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n# my_parts\.py\n(.*?)```", PARTS, re.S)
    (tmp_path / "my_parts.py").write_text(code)
    (tmp_path / "my_sweep.yaml").write_text(
        "import: my_parts.py\nbase: {model: mlp_tiny, epochs: 1, data.subset: 99, batch_size: 32}\n"
        "compare: {ERM: erm, mine: scaled}\nseeds: 1\n"
    )
    commands = re.findall(
        r"^sweep (.*)$", "\n".join(re.findall(r"```sh\n(.*?)```", PARTS, re.S)), re.M
    )
    assert len(commands) == 6
    codes = {}
    try:
        for command in commands:
            codes[command], _, error = call(*command.split())
            assert codes[command] == 0, (command, error)
            if command.startswith("run") and "changed" not in command:
                (tmp_path / "my_parts.py").write_text(f"{code}\n# changed\n")
                assert call(*command.split())[0] == 1
    finally:
        forget_all()
