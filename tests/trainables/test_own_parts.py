"""Python files with parts of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainables import measures
from trainables.errors import UsageError
from trainables.own_parts import load_parts

COUNTED = """
from trainables.measures.base import Target, registry

IMPORTED = []


@registry.register({name!r})
def counted(target: Target) -> float:
    '''0.'''
    return 0.0
"""


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures.registry, "_parts", dict(measures.registry._parts))


def test_what_a_file_registers_is_known_and_it_is_imported_once(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(COUNTED.format(name="counted_here"))
    load_parts([file])
    part = measures.registry.get("counted_here")
    load_parts([file, tmp_path / ".." / tmp_path.name / "mine.py"])
    assert measures.registry.get("counted_here") is part


def test_files_of_one_name_in_two_folders_are_two(tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.py").write_text(COUNTED.format(name=f"counted_{name}"))
    load_parts([tmp_path / name / "mine.py" for name in ("here", "there")])
    assert {"counted_here", "counted_there"} <= set(measures.names())


def test_code_that_failed_is_imported_again_when_it_is_mended(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("1 / 0\n")
    with pytest.raises(UsageError, match=r"mine\.py cannot be imported:(?s:.*)ZeroDivisionError"):
        load_parts([file])
    file.write_text("# nothing is divided any more, and nothing is registered\n")
    load_parts([file])


@pytest.mark.parametrize(
    ("name", "said"), [("none.py", "there is no file"), ("mine.txt", "mine.txt is no Python file")]
)
def test_what_is_no_python_file_is_refused(name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(UsageError, match=said):
        load_parts([tmp_path / name])
