"""What a person can remedy is one sentence; everything else keeps its traceback."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from trainables import methods, models
from trainables.config import TrialConfig
from trainables.errors import PLEASE_REPORT, FlatsweepError, UsageError

ROOT = Path(__file__).parents[1]
FAULTS = {
    ("trainables/__init__.py", "AttributeError"),
    ("sweep/claims/evidence.py", "LookupError"),
    ("sweep/run/recorder.py", "FileNotFoundError"),
    ("trainables/conformance/data_sets.py", "TypeError"),
    ("trainables/data/prepare/store.py", "ValueError"),
    ("trainables/models/variants.py", "TypeError"),
    ("trainables/simulated_gpu.py", "NotImplementedError"),
    ("trainables/simulated_gpu.py", "RuntimeError"),
}
"""Raised where only this package's own code, or a part's, can be at fault."""
CAUGHT = {"DiedError", "NoAnswerError"}
"""Raised to be caught, and said in another's sentence."""
LEAVING = {"Exit", "StopIteration", "SystemExit", "KeyboardInterrupt"}


def sources() -> list[Path]:
    found = [
        p for name in ("sweep", "trainables", "search_spaces") for p in (ROOT / name).rglob("*.py")
    ]
    assert len(found) > 100
    return found


def last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def test_whatever_is_raised_is_one_of_ours() -> None:
    trees = {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text()) for path in sources()}
    classes = [
        node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
    ]
    ours = {"FlatsweepError"}
    for _ in range(5):  # however deep they derive from each other
        ours |= {node.name for node in classes if {last(base) for base in node.bases} & ours}
    assert {"UsageError", "DataError", "StorageError", "TrackingError", "ResourceError"} <= ours
    raised = {
        (path, last(node.exc.func))
        for path, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
    }
    builtin = {(path, name) for path, name in raised if name.endswith("Error") and name not in ours}
    assert {(path, name) for path, name in builtin if name not in CAUGHT} == FAULTS
    assert len(raised - builtin) > 50


def test_bad_usage_is_a_value_error_too() -> None:
    """People's own loops say ``except ValueError``."""
    for wrong in (
        lambda: methods.build("absent"),
        lambda: methods.build("sam", rho=-1.0),
        lambda: models.build("mlp", num_classes=0),
        lambda: TrialConfig(epochs=-1),
        lambda: TrialConfig(absent=1),
    ):
        with pytest.raises(ValueError, match=r".") as caught:
            wrong()
        assert isinstance(caught.value, UsageError)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        ("UsageError('no such thing')", 2, "sweep: no such thing\n"),
        ("FlatsweepError('no disk')", 1, "sweep: no disk\n"),
        ("ValueError('offset overflow')", 1, "ValueError: offset overflow"),
        ("RuntimeError('a fault')", 1, "RuntimeError: a fault"),
    ],
)
def test_only_our_errors_lose_their_traceback(raised: str, code: int, said: str) -> None:
    """A library's ValueError is no bad usage."""
    program = f"""
from sweep import cli
from sweep.cli import listing
from trainables.errors import *
def rows(): raise {raised}
listing.rows = rows
cli.main()
"""
    done = subprocess.run(
        [sys.executable, "-c", program, "list"], cwd=ROOT, text=True, capture_output=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (code, "")
    if said.startswith("sweep"):
        assert done.stderr == said
    else:
        assert "in rows" in done.stderr
        assert done.stderr.endswith(f"{said}\n{PLEASE_REPORT}\n")


def test_a_configuration_that_is_no_json_is_one_sentence(tmp_path: Path) -> None:
    from trainables.__main__ import main

    for text in ("{", "[]", '{"epochs": -1}', '{"absent": 1}'):
        (tmp_path / "c.json").write_text(text)
        assert main([str(tmp_path / "c.json")]) == 2
    (tmp_path / "c.json").write_bytes(b"\xff")
    assert main([str(tmp_path / "c.json")]) == 2
    assert main([str(tmp_path / "none.json")]) == 2


def test_a_sentence_is_one_line_whatever_it_names() -> None:
    """A terminal acts on some characters, and a log is read line by line."""
    error = UsageError("unknown key 'a\nb\x1b[31m\u202e\udcff é ±'")
    assert str(error) == r"unknown key 'a\nb\x1b[31m\u202e\udcff é ±'"
    with pytest.raises(UsageError) as refused:
        TrialConfig(**{"a\nb": 1})
    assert r"a\nb" in str(refused.value)


def test_every_error_of_ours_has_a_code() -> None:
    assert (FlatsweepError.code, UsageError.code) == (1, 2)
