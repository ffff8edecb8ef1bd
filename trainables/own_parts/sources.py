"""Where parts of one's own come from: a file, a folder or a module, and what its content is."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import os
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from trainables.errors import UsageError

DIGITS = 16
"""Hexadecimal digits of a `Source.digest`."""


@dataclass(frozen=True)
class Source:
    """Python code that registers parts.

    Attributes:
        name: What a person calls it.
        kind: ``file``; ``package``: a folder with an ``__init__.py``, of which every module is
            imported; ``module``: what Python finds by its name.
        entry: What is imported: of a file its path below ``root``, else the module's name.
        root: The folder in which Python looks for it, and for what it imports beside it.
        files: The Python files that its content is, below ``root``, sorted.
        digest: Of their names and content.
        installed: Whether it belongs to the Python installation, as flatsweep itself does: then it
            is not sent to other machines, and must be installed there.
    """

    name: str
    kind: Literal["file", "package", "module"]
    entry: str
    root: str
    files: tuple[str, ...]
    digest: str = ""
    installed: bool = False

    @property
    def paths(self) -> Iterator[Path]:
        """Its files."""
        return (Path(self.root, file) for file in self.files)

    def at(self, root: Path) -> Source:
        """The same files in another folder, as they are there.

        Raises:
            OSError: one of them cannot be read.
        """
        digest = hashlib.sha256()
        for file in self.files:
            content = (root / file).read_bytes()
            digest.update(f"{file} {len(content)}\0".encode() + content)
        return replace(self, root=str(root), digest=digest.hexdigest()[:DIGITS])


def find(name: str, folder: Path = Path()) -> list[Source]:
    """The sources that ``name`` means.

    Args:
        name: A file that ends in .py; a folder; or a module, by the name that Python imports it by.
            Of a folder without an ``__init__.py``, every file of it is one, but for those whose
            name begins with ``_`` or ``test_``.
        folder: In which a relative path begins.

    Raises:
        UsageError: there is none.
    """
    path = folder / name
    if path.is_dir():
        return _in_a_folder(name, path.resolve())
    if path.suffix == ".py":
        if not path.is_file():
            raise UsageError(f"there is no file {path}")
        return [of_file(path.resolve(), name)]
    if path.is_file():
        raise UsageError(f"{name} is no Python file: its name does not end in .py")
    return [of_module(name)]


def of_file(path: Path, name: str = "") -> Source:
    """The source of one Python file: it, and what it imports that lies beside it."""
    files = tuple(sorted(_with_neighbours(path)))
    return _read(Source(name or path.name, "file", path.name, str(path.parent), files))


def _in_a_folder(name: str, folder: Path) -> list[Source]:
    if (folder / "__init__.py").is_file():
        if not folder.name.isidentifier():
            raise UsageError(f"{name} is no package: {folder.name!r} is no name in Python")
        files = _below(folder, folder.parent)
        return [_read(Source(name, "package", folder.name, str(folder.parent), files))]
    found = [f for f in sorted(folder.glob("*.py")) if not f.name.startswith(("_", "test_"))]
    if not found:
        raise UsageError(f"there is no Python file in the folder {name}")
    return [of_file(file, f"{name.rstrip(os.sep)}/{file.name}") for file in found]


def of_module(name: str) -> Source:
    """The source of a module: of a package, all of its top-level package.

    Raises:
        UsageError: Python finds none of that name.
    """
    top = name.partition(".")[0]
    try:
        spec = importlib.util.find_spec(top) if name.replace(".", "").isidentifier() else None
    except (ImportError, ValueError):
        spec = None
    folders = [Path(each) for each in (spec and spec.submodule_search_locations) or ()]
    origin = Path(spec.origin) if spec and spec.origin and spec.has_location else None
    if folders:
        root, files = folders[0].parent, _below(folders[0], folders[0].parent)
    elif origin is not None and origin.suffix == ".py":
        root, files = origin.parent, tuple(sorted(_with_neighbours(origin)))
    else:
        beside = f" (did you mean {name}.py?)" if Path(f"{name}.py").is_file() else ""
        raise UsageError(
            f"{name!r} is no file that ends in .py, no folder, and no module that Python finds"
            f"{beside}"
        )
    found = Source(name, "module", name, str(root), files, installed=_is_installed(root))
    return _read(found)


def _is_installed(root: Path) -> bool:
    paths = sysconfig.get_paths()
    places = {Path(paths[key]).resolve() for key in ("purelib", "platlib", "stdlib")}
    return any(root.resolve().is_relative_to(place) for place in places)


def _read(source: Source) -> Source:
    try:
        return source.at(Path(source.root))
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}") from None


def _below(folder: Path, root: Path) -> tuple[str, ...]:
    """The Python files in ``folder`` and its subfolders, hidden ones left out."""
    found = []
    for at, subfolders, files in os.walk(folder):
        subfolders[:] = [s for s in subfolders if s[0] != "." and s != "__pycache__"]
        found += [Path(at, file) for file in files if file.endswith(".py")]
    return tuple(sorted(str(file.relative_to(root)) for file in found))


def _with_neighbours(file: Path) -> set[str]:
    """``file``, and what it imports, and what that imports, of what lies in its folder."""
    root, found, left = file.parent, set[str](), [file]
    while left:
        path = left.pop()
        name = str(path.relative_to(root))
        if name in found:
            continue
        found.add(name)
        for module in _imported(path):
            left += _neighbours(root, module.partition(".")[0])
    return found


def _neighbours(root: Path, module: str) -> Sequence[Path]:
    if (root / module / "__init__.py").is_file():
        return [root / file for file in _below(root / module, root)]
    one = root / f"{module}.py"
    return [one] if one.is_file() else ()


def _imported(file: Path) -> Iterator[str]:
    """The full names that a file imports anywhere in it; of one that is no Python, none."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):  # who imports it is told why
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


__all__ = ["Source", "find", "of_file", "of_module"]
