"""Python files with parts of one's own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainables import measures
from trainables.errors import UsageError
from trainables.own_parts import contents, load_parts, loaded, modules, require
from trainables.own_parts.load import MissingPartsError, forget_all
from trainables.own_parts.shipped import NAME, pack
from trainables.own_parts.sources import find

COUNTED = """
from trainables.measures.base import Target, registry

IMPORTED = []


@registry.register({name!r})
def counted(target: Target) -> float:
    '''0.'''
    return 0.0
"""


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    forget_all()


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


def test_what_has_changed_takes_the_place_of_what_it_was(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(COUNTED.format(name="counted_once"))
    load_parts([file])
    file.write_text(COUNTED.format(name="counted_more"))
    load_parts([file])
    assert "counted_once" not in measures.names()
    assert "counted_more" in measures.names()
    assert len(loaded()) == 1


def test_what_failed_half_way_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(COUNTED.format(name="counted_half") + "1 / 0\n")
    before = measures.names()
    with pytest.raises(UsageError):
        load_parts([tmp_path / "mine.py"])
    assert (measures.names(), loaded()) == (before, [])


def test_the_traceback_is_the_persons_own(tmp_path: Path) -> None:
    """From their first line on, the lines of the importing aside."""
    (tmp_path / "helps.py").write_text("def halve(x):\n    return x / 0\n")
    (tmp_path / "mine.py").write_text("import helps\n\nhelps.halve(1)\n")
    with pytest.raises(UsageError) as refused:
        load_parts(["mine.py"], tmp_path)
    said = str(refused.value).splitlines()
    assert said[0] == "mine.py cannot be imported:"
    assert said[1] == f'  File "{tmp_path / "mine.py"}", line 3, in <module>'
    assert said[-1] == "ZeroDivisionError: division by zero"
    assert not [line for line in said if "trainables" in line or "importlib" in line]


def test_nothing_is_written_beside_a_persons_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though Python writes what it has compiled, as it does where nobody has told it not to."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    (tmp_path / "helps.py").write_text("")
    (tmp_path / "mine.py").write_text("import helps\n")
    load_parts(["mine.py"], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["helps.py", "mine.py"]
    assert not sys.dont_write_bytecode


@pytest.mark.parametrize("code", ["def f(:\n", "import a_module_that_is_nowhere\n"])
def test_what_is_no_python_or_lacks_a_module_is_said(code: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(code)
    with pytest.raises(UsageError, match=r"mine\.py cannot be imported:(?s:.*)Error: "):
        load_parts(["mine.py"], tmp_path)


@pytest.mark.parametrize(
    ("kind", "name"), [("measure", "hessian_trace"), ("measure", "counted_twice")]
)
def test_a_name_that_is_taken_is_refused_in_one_sentence(
    kind: str, name: str, tmp_path: Path
) -> None:
    """One of ours, and one of another file of theirs; what was there first stays."""
    (tmp_path / "first.py").write_text(COUNTED.format(name="counted_twice"))
    (tmp_path / "mine.py").write_text(COUNTED.format(name=name))
    load_parts(["first.py"], tmp_path)
    first = measures.registry.get(name)
    with pytest.raises(UsageError, match=rf"^mine\.py: {kind} '{name}' is .*another name$"):
        load_parts(["mine.py"], tmp_path)
    assert measures.registry.get(name) is first


def test_a_folder_of_files_a_package_and_a_module(tmp_path: Path) -> None:
    """All files of a folder, but those of tests and private ones; all modules of a package."""
    plain, package = tmp_path / "plain", tmp_path / "a_package"
    plain.mkdir()
    (package / "inner").mkdir(parents=True)
    (plain / "one.py").write_text("from _helps import NAME\n" + COUNTED.format(name="counted_one"))
    (plain / "_helps.py").write_text("NAME = 1\n")
    (plain / "test_one.py").write_text("1 / 0\n")
    (package / "__init__.py").write_text("")
    (package / "inner" / "__init__.py").write_text(COUNTED.format(name="counted_inner"))
    (package / "two.py").write_text("from . import inner\n" + COUNTED.format(name="counted_two"))
    load_parts(["plain", "a_package"], tmp_path)
    assert {"counted_one", "counted_inner", "counted_two"} <= set(measures.names())
    assert [source.files for source in loaded()] == [
        ("_helps.py", "one.py"),
        ("a_package/__init__.py", "a_package/inner/__init__.py", "a_package/two.py"),
    ]
    assert {module.__name__ for module in modules()} >= {"a_package", "a_package.inner"}
    before = loaded()[1].digest
    (package / "two.py").write_text("")
    load_parts(["a_package.two"])  # Python finds it by now
    assert loaded()[-1].kind == "module"
    assert loaded()[-1].digest != before


def test_what_is_beside_a_file_is_its_content_too(tmp_path: Path) -> None:
    """As far as it is imported: other files of its folder are not."""
    for name, code in (
        ("mine", "def f():\n    import near\n"), ("near", "import far.away\n"), ("other", ""),
    ):  # fmt: skip
        (tmp_path / f"{name}.py").write_text(code)
    (tmp_path / "far").mkdir()
    for name in ("__init__", "away"):
        (tmp_path / "far" / f"{name}.py").write_text("")
    (source,) = find("mine.py", tmp_path)
    assert source.files == ("far/__init__.py", "far/away.py", "mine.py", "near.py")
    (tmp_path / "far" / "away.py").write_text("A = 1\n")
    assert find("mine.py", tmp_path)[0].digest != source.digest


@pytest.mark.parametrize("code", ["", "raise SystemExit(3)\n"])
def test_another_module_of_the_name_of_a_neighbour_is_noticed(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After their code has imported it, and before any is run where Python has it already."""
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    if code:
        import colorsys  # noqa: F401
    (tmp_path / "mine.py").write_text(f"import colorsys\n{code}")
    (tmp_path / "colorsys.py").write_text("")  # Python has one
    with pytest.raises(UsageError, match=r"same name; give yours another$"):
        load_parts(["mine.py"], tmp_path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere", "'nowhere' is no file that ends in .py, no folder, and no module that Python"),
        ("a b", "'a b' is no file that ends in .py"),
        ("empty", "there is no Python file in the folder empty"),
        ("1st", "1st is no package: '1st' is no name in Python"),
    ],
)
def test_what_is_nothing_is_refused(name: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "1st").mkdir()
    (tmp_path / "1st" / "__init__.py").write_text("")
    with pytest.raises(UsageError) as refused:
        load_parts([name], tmp_path)
    assert str(refused.value).startswith(said)


def test_a_module_that_is_a_file_here_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    (tmp_path / "elsewhere_mine.py").write_text("")
    with pytest.raises(UsageError, match=r"\(did you mean elsewhere_mine\.py\?\)"):
        load_parts(["elsewhere_mine"])


def test_what_was_sent_is_taken_where_the_file_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine that has another file there, or none; one that was sent as it was is needed."""
    file = tmp_path / "mine.py"
    file.write_text(COUNTED.format(name="counted_sent"))
    load_parts([file])
    sources = loaded()
    sent = pack(contents(), tmp_path / "node")
    assert sent == tmp_path / "node" / NAME
    forget_all()
    file.write_text("1 / 0\n")
    with pytest.raises(MissingPartsError, match=r"do not change it while it runs$"):
        require(sources)
    monkeypatch.syspath_prepend(str(sent.parent))
    require(sources)
    require(sources)
    assert "counted_sent" in measures.names()
    assert [source.root for source in loaded()] == [str(sent / sources[0].digest)]
    assert pack({}, tmp_path / "nothing") is None
