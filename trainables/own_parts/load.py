"""Importing sources of parts, each once in a process."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import pkgutil
import platform
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from trainables import registry
from trainables.errors import CodeError, FlatsweepError, UsageError
from trainables.own_parts import shipped
from trainables.own_parts.sources import Source, find, of_module

OURS = ("trainables", "search_spaces", "sweep")
"""Packages of flatsweep itself."""


class MissingPartsError(FlatsweepError):
    """A trial's own parts are not on the machine that is to train it."""


@dataclass(frozen=True)
class _Loaded:
    source: Source
    contents: Mapping[str, bytes]
    modules: tuple[ModuleType, ...]
    parts: tuple[registry.Registration, ...]


_loaded: dict[tuple[str, str, str], _Loaded] = {}
_loading: list[Source] = []
_roots: set[str] = set()
"""Folders that were put on Python's path for them."""


def load_parts(names: Iterable[str | Path], folder: Path = Path()) -> list[ModuleType]:
    """Import what the names mean (`sources.find`), so that what it registers is known here.

    What was imported before and has not changed since is not imported again; what has changed takes
    the place of what it was.

    Returns:
        The modules.

    Raises:
        UsageError: there is no such file, folder or module, its code fails (with its own
            traceback), what it registers has a name that is taken, or it asks for itself while it
            is imported.
    """
    sources = [source for name in names for source in find(str(name), folder)]
    return [module for source in sources for module in _load(source).modules]


def load_modules(names: Iterable[str]) -> None:
    """`load_parts` of modules, whatever files and folders are called so, too."""
    for name in names:
        _load(of_module(name))


def is_ours(module: str) -> bool:
    """Whether a module of this name is flatsweep's, and so no person's own."""
    return module.partition(".")[0] in OURS


def loaded() -> list[Source]:
    """What was imported."""
    return [each.source for each in _loaded.values()]


def modules() -> list[ModuleType]:
    """The modules of what was imported."""
    return [module for each in _loaded.values() for module in each.modules]


def contents() -> dict[Source, Mapping[str, bytes]]:
    """The files of what was imported, as they were then; of what is installed, none."""
    return {e.source: e.contents for e in _loaded.values() if not e.source.installed}


def require(sources: Sequence[Source]) -> None:
    """Import ``sources``, which another process has found: as they lie there, or were sent here.

    Raises:
        MissingPartsError: they are neither here, or are others here.
        UsageError: as `load_parts`.
    """
    here = {(source.entry, source.digest) for source in loaded()}
    for source in sources:
        if (source.entry, source.digest) not in here:
            _load(_present(source), before=source.root)


def _present(source: Source) -> Source:
    """``source`` where this machine has it, with the content that it had where it was found."""
    for root in shipped.places(source):
        try:
            found = source.at(root)
        except OSError:
            continue
        if found.digest == source.digest:
            return found
    remedy = (
        "install the same version on all nodes"
        if source.installed
        else "start the sweep again, and do not change it while it runs"
    )
    raise MissingPartsError(
        f"{source.name} is not on {platform.node()} as it was where the trial comes from: {remedy}"
    )


def _load(source: Source, before: str = "") -> _Loaded:
    key = source.kind, source.root, source.entry
    under_way = [(other.kind, other.root, other.entry) for other in _loading]
    if key in under_way:
        circle = " > ".join(each.name for each in (*_loading[under_way.index(key) :], source))
        raise UsageError(f"{source.name} imports itself: {circle}")
    known = _loaded.get(key)
    if known is not None and known.source.digest == source.digest:
        return known
    if known is not None:
        forget(known.source)
    count = len(registry.registrations())
    files = dict(zip(source.files, _read(source), strict=True))
    _loading.append(source)
    try:
        with _without_bytecode():
            found = tuple(_import(source, before))
    except BaseException as error:
        _loading.pop()
        _undo(source, _registered_since(count))
        if isinstance(error, registry.NameTakenError):
            raise UsageError(f"{source.name}: {error}") from None
        if isinstance(error, UsageError) or not isinstance(error, Exception):
            raise
        raise CodeError(f"{source.name} cannot be imported:\n{_told(error, source)}") from error
    _loading.pop()
    _loaded[key] = _Loaded(source, files, found, _registered_since(count))
    return _loaded[key]


def _read(source: Source) -> Iterator[bytes]:
    return (path.read_bytes() for path in source.paths)


def forget(source: Source) -> None:
    """Undo what importing ``source`` has done in this process."""
    known = _loaded.pop((source.kind, source.root, source.entry), None)
    if known is not None:
        _undo(known.source, known.parts)


def forget_all() -> None:
    """`forget` everything, the last that was imported first."""
    for source in reversed(loaded()):
        forget(source)


def _undo(source: Source, parts: Iterable[registry.Registration]) -> None:
    for part in parts:
        part.registry.drop(part.name)
    if source.root in _roots - {other.root for other in (*loaded(), *_loading)}:
        _roots.remove(source.root)
        with contextlib.suppress(ValueError):
            sys.path.remove(source.root)
    own = {str(path) for path in source.paths}
    for name, module in list(sys.modules.items()):
        if getattr(module, "__file__", None) in own:
            del sys.modules[name]


def _registered_since(count: int) -> tuple[registry.Registration, ...]:
    """Parts of one's own: the first that is imported brings all of this package's."""
    return tuple(part for part in registry.registrations()[count:] if not is_ours(part.module))


@contextlib.contextmanager
def _without_bytecode() -> Iterator[None]:
    """Within: nothing is written beside a person's files. What Python keeps of a file it also takes
    for that of a later one, which was written in the same second and is as long."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def _place(before: str) -> int:
    """Where on Python's path: at the end, so that nothing of theirs hides what is installed; but
    before the folder that it was sent from, which Ray has put there on every machine."""
    return sys.path.index(before) if before in sys.path else len(sys.path)


def _import(source: Source, before: str) -> Iterator[ModuleType]:
    importlib.invalidate_caches()
    _refuse_strangers(source)
    if source.root not in sys.path:
        sys.path.insert(_place(before), source.root)
        _roots.add(source.root)
    if source.kind == "file":
        yield _import_file(source)
    elif source.kind == "module":
        yield importlib.import_module(source.entry)
    else:
        package = importlib.import_module(source.entry)
        yield package
        for found in pkgutil.walk_packages(package.__path__, f"{source.entry}."):
            yield importlib.import_module(found.name)
    _refuse_strangers(source)


def _import_file(source: Source) -> ModuleType:
    path = Path(source.root, source.entry)
    hashed = hashlib.sha256(str(path).encode()).hexdigest()[:8]
    name = f"own_{hashed}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None, "it ends in .py"
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _refuse_strangers(source: Source) -> None:
    """Raise where Python has taken another module for a file that lies beside."""
    for path in source.paths:
        if source.kind == "file" and path.name == source.entry:
            continue  # it is imported under a name of its own
        name = ".".join(path.relative_to(source.root).with_suffix("").parts)
        module = sys.modules.get(name.removesuffix(".__init__"))
        found = getattr(module, "__file__", None)
        if module is not None and found is not None and Path(found).resolve() != path.resolve():
            raise UsageError(
                f"{source.name}: Python has {found} for {path}, which has the same name; give "
                "yours another"
            )


def _told(error: Exception, source: Source) -> str:
    """The traceback from the first line on that is the person's own."""
    own = {str(path) for path in source.paths}
    frames = traceback.extract_tb(error.__traceback__)
    first = next((i for i, frame in enumerate(frames) if frame.filename in own), len(frames))
    lines = traceback.format_list(frames[first:]) + traceback.format_exception_only(error)
    return "".join(lines).rstrip()


__all__ = [
    "MissingPartsError",
    "contents",
    "forget",
    "forget_all",
    "is_ours",
    "load_modules",
    "load_parts",
    "loaded",
    "modules",
    "require",
]
