"""A test is skipped only for hardware, data or a program, and the last lines of a run say so."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import needs

HERE = Path(__file__).parent
OTHER_WAYS = {"skip", "skipif", "skipIf", "skipUnless", "SkipTest", "importorskip", "xfail"}


def skips(source: str) -> Iterator[int]:
    """Lines of ``source`` that skip, or forgive, a test."""
    for node in ast.walk(ast.parse(source)):
        name = {ast.Attribute: "attr", ast.Name: "id", ast.alias: "name"}.get(type(node))
        if name and getattr(node, name) in OTHER_WAYS:
            yield node.lineno  # type: ignore[attr-defined]


def test_no_test_skips_in_another_way() -> None:
    found = {
        f"{file.relative_to(HERE)}:{line}"
        for file in HERE.rglob("*.py")
        for line in skips(file.read_text(encoding="utf-8"))
    }
    assert {place.partition(":")[0] for place in found} == {"needs.py"}, found


@pytest.mark.parametrize(
    "line",
    [
        "pytest.skip('no')",
        "pytestmark = pytest.mark.skipif(True, reason='no')",
        "from pytest import importorskip",
        "raise unittest.SkipTest",
        "@pytest.mark.xfail\ndef test(): ...",
    ],
)
def test_another_way_is_found(line: str) -> None:
    assert list(skips(line)) == [1]


def test_reasons_are_of_these_kinds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FLATSWEEP_DATA", raising=False)
    marks = {
        "hardware": needs.needs_gpu(),
        "data": needs.needs_data("cifar10/train.parquet"),
        "program": needs.needs_program("no-such-program", "nor-this-one"),
    }
    assert tuple(marks) == needs.KINDS
    assert all(mark.kwargs["reason"].startswith(f"{kind}: ") for kind, mark in marks.items())
    assert marks["data"].args == marks["program"].args == (True,)
    assert "cifar10/train.parquet in the folder FLATSWEEP_DATA" in marks["data"].kwargs["reason"]
    assert "no-such-program or nor-this-one" in marks["program"].kwargs["reason"]

    (tmp_path / "here").touch()
    monkeypatch.setenv("FLATSWEEP_DATA", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "a-program").touch(mode=0o755)
    assert needs.needs_data("here").args == needs.needs_program("x", "a-program").args == (False,)


def test_a_run_ends_with_what_was_skipped(pytester: pytest.Pytester) -> None:
    pytester.makeconftest((HERE / "conftest.py").read_text(encoding="utf-8"))
    pytester.makepyfile(
        """
        from tests.needs import needs_program

        @needs_program("no-such-program")
        def test_one(): ...

        @needs_program("no-such-program")
        def test_two(): ...
        """
    )
    lines = pytester.runpytest("-p", "no:cacheprovider").stdout.str().splitlines()
    at = lines.index("skipped, for want of")
    assert lines[at + 1] == "  program: no-such-program (2)"
    assert lines[at + 2].split() == [
        "test_a_run_ends_with_what_was_skipped.py::test_one",
        "test_a_run_ends_with_what_was_skipped.py::test_two",
    ]
