"""Tests mirror the tree: a folder of tests has the name of the folder that it tests."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
BENCHMARKS = "benchmarks"
MIRRORED = ("sweep", "trainables", "search_spaces")
OWN = {"bad_input", "facts", "golden", "mutants"}
"""Folders of what tests of several rooms are made of."""


def folders(below: Path) -> set[str]:
    """Folders with Python in them, as paths below the project's or the tests' own folder."""
    found = {file.parent for file in below.rglob("*.py")}
    return {str(folder.relative_to(below)) for folder in found if folder != below}


def imports(tree: ast.AST) -> Iterator[str]:
    """Full names of what is imported anywhere, in programs that are written as strings too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and "import" in str(node.value):
            yield from _in_a_string(str(node.value))


def _in_a_string(text: str) -> Iterator[str]:
    for line in text.splitlines():
        match line.split():
            case ["import" | "from", name, *_]:
                yield name


@pytest.mark.parametrize("room", MIRRORED)
def test_a_folder_of_tests_has_the_name_of_what_it_tests(room: str) -> None:
    lacking = folders(TESTS / room) - folders(ROOT / room)
    assert lacking == set()


def test_what_crosses_rooms_is_a_file_at_the_top() -> None:
    top = {folder.split("/")[0] for folder in folders(TESTS)}
    assert top == {*MIRRORED, *OWN}


def test_tests_need_no_benchmark() -> None:
    """A benchmark's own tests lie beside it; the tests' support may serve benchmarks."""
    found = {
        str(file.relative_to(ROOT))
        for file in TESTS.rglob("*.py")
        for name in imports(ast.parse(file.read_text(encoding="utf-8")))
        if name.split(".")[0] == BENCHMARKS
    }
    assert found == set()


@pytest.mark.parametrize(
    "source",
    [
        f"import {BENCHMARKS}.nodes",
        f"def f():\n    from {BENCHMARKS} import nodes",
        f"CODE = '''\nimport sys\nfrom {BENCHMARKS}.nodes import Nodes\n'''",
    ],
)
def test_an_import_of_a_benchmark_is_found(source: str) -> None:
    assert BENCHMARKS in {name.split(".")[0] for name in imports(ast.parse(source))}


def test_a_file_of_tests_has_tests_and_no_other_file_has_them() -> None:
    """What a file with another name calls a test, nobody would run."""
    wrong = set()
    for file in [*TESTS.rglob("*.py"), *(ROOT / BENCHMARKS).rglob("*.py")]:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        tests = [f for f in tree.body if isinstance(f, ast.FunctionDef) and f.name[:5] == "test_"]
        if bool(tests) != (file.name[:5] == "test_"):
            wrong.add(str(file.relative_to(ROOT)))
    assert wrong == set()
