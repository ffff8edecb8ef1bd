"""What is wrong in a sweep's file: one sentence with file and line, exit 2, before anything is."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sweep.called import call
from tests.sweep.files.cases import SMALL

BAD: dict[str, tuple[str, str]] = {
    "a wrong key": (SMALL.replace("seeds: 2", "seds: 2"), "7: unknown key 'seds' (did you mean"),
    "a wrong type": (SMALL.replace("seeds: 2", "seeds: two"), "7: seeds = 'two': input should be"),
    "a wrong name": (SMALL.replace("{method: sam", "{method: sma"), "5: unknown method 'sma' (did"),
    "an empty grid": (SMALL.replace("[0.05, 0.1]", "[]"), "6: grid.optimizer.lr is empty"),
    "a grid over a field that the method has not": (
        SMALL.replace("optimizer.lr: [", "method.rho: ["),
        "6: unknown option of method 'erm' 'rho'; known: none",
    ),
    "two rows of one name": (SMALL.replace("SAM:", "ERM:"), "5: 'ERM' stands twice, first in line"),
    "a cycle": (f"{SMALL}import: cycle.py\n", "8: cycle.py imports itself: cycle.py > cycle.py"),
    "a file that imports a file": (f"{SMALL}import: f.yaml\n", "8: f.yaml is no Python file"),
    "the second of its imports": (
        f"{SMALL}import:\n  - nothing.py\n  - f.yaml\n", "10: f.yaml is no Python file",
    ),
    "two wrong keys": (f"{SMALL.replace('seeds: 2', 'seds: 2')}grit: {{}}\n", "7: unknown key 'se"),
    "two faults, the second of a key that is known": (
        SMALL.replace("epochs: 2}", "epochs: 2}\nsede: 2").replace("seeds: 2", "seeds: two"),
        "3: unknown key 'sede'",
    ),
    "no YAML": (SMALL.replace("seeds: 2", "seeds: [2"), "7: no YAML: "),
    "nothing": ("", "1: a sweep's file is a mapping"),
    "a bomb": ("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "1: anchors and aliases (& and *)"),
    "a tag": (f"{SMALL}title: !!python/object/apply:os.system [ls]\n", "8: tags such as "),
    "a deep nest": (SMALL + "grid: " + "[" * 50 + "]" * 50, "8: more than 40 levels"),
}  # fmt: skip


@pytest.mark.parametrize("command", ["run", "plan", "table", "show", "new"])
@pytest.mark.parametrize("fault", BAD)
def test_a_fault_is_one_sentence_with_file_and_line(
    fault: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, said = BAD[fault]
    monkeypatch.chdir(tmp_path)
    Path("f.yaml").write_text(text)
    Path("cycle.py").write_text("from sweep.files import load\n\nload('f.yaml')\n")
    Path("nothing.py").write_text("")
    words = ["new", "made.yaml", "--from", "f.yaml"] if command == "new" else [command, "f.yaml"]
    code, out, error = call(*words)
    assert (code, out) == (2, "")
    assert error.startswith(f"sweep: f.yaml:{said}")
    assert error.count("\n") == 1
    left = {path.name for path in tmp_path.iterdir()} - {"__pycache__"}
    assert left == {"f.yaml", "cycle.py", "nothing.py"}


@pytest.mark.parametrize(
    "chosen", ["base: {data.validation: 0}", "base: {epochs: 1}\nselect: {on: test_error}"]
)
def test_a_winner_that_is_selected_on_test_data_is_allowed_and_said(
    chosen: str, tmp_path: Path
) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(f"{chosen}\ngrid: {{optimizer.lr: [0.1, 0.2]}}\n")
    storage = ["--storage", str(tmp_path / "none")]
    assert call("plan", str(file), *storage)[0] == 0
    code, out, _ = call("table", str(file), *storage, "--format", "md")
    assert code == 0
    assert "(chosen on the test set, so optimistic)" in out
