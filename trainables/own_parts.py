"""Parts of a person's own, outside this package: Python files that register what they have."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from trainables.errors import UsageError

_loading: list[Path] = []


def load_parts(paths: Sequence[Path]) -> None:
    """Import Python files, so that what they register is known in this process; each once.

    Raises:
        UsageError: there is no such file, its code fails (with its own traceback), what it
            registers has a name that is taken, or it asks for itself while it is imported.
    """
    for path in paths:
        if not path.is_file():
            raise UsageError(f"there is no file {path}")
        _load(path.resolve())


def _load(path: Path) -> None:
    name = f"own_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}.{path.stem}".replace(".", "_")
    if path in _loading:
        circle = " > ".join(each.name for each in (*_loading[_loading.index(path) :], path))
        raise UsageError(f"{path.name} imports itself: {circle}")
    if name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path.name} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    _loading.append(path)
    try:
        spec.loader.exec_module(module)
    except UsageError:
        del sys.modules[name]
        raise
    except Exception as error:
        del sys.modules[name]
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        told = "".join(traceback.format_list(frames) + traceback.format_exception_only(error))
        raise UsageError(f"{path.name} cannot be imported:\n{told.rstrip()}") from error
    finally:
        _loading.pop()


__all__ = ["load_parts"]
