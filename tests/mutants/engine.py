"""Deliberate faults, and whether the checks that are meant for them notice.

A fault is a change of the syntax tree of one function, method or constant (`pattern`). The code
that is compiled from the changed tree is put into the living function, so that it has the fault
wherever it was imported to; afterwards the old code is put back.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import pytest

from tests.mutants.pattern import NoMatchError, replaced

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Mutant:
    """One fault.

    Args:
        target: ``package.module:Class.method``, ``package.module:function`` or
            ``package.module:CONSTANT``.
        old, new, nth: See `pattern.replaced`.
        about: What the checks are told by: names of methods, of checks or of test files.
    """

    target: str
    old: str
    new: str
    about: tuple[str, ...] = ()
    nth: int | None = None

    @property
    def module(self) -> str:
        return self.target.partition(":")[0]

    def __str__(self) -> str:
        number = f" #{self.nth}" if self.nth else ""
        change = f"{self.old}{number} -> {self.new or 'nothing'}"
        return f"{self.target.partition('.')[2]}: {' '.join(change.split())}"


def of(target: str, about: str, *changes: tuple[str, str] | tuple[str, str, int]) -> list[Mutant]:
    """Mutants of one function: (old, new) or (old, new, nth)."""
    return [Mutant(target, c[0], c[1], tuple(about.split()), *c[2:]) for c in changes]


def sample(mutants: Iterable[Mutant]) -> set[Mutant]:
    """One of each source file, always the same: the one with the least hash."""
    chosen: dict[str, Mutant] = {}
    for mutant in sorted(mutants, key=lambda m: hashlib.sha256(repr(m).encode()).digest()):
        chosen.setdefault(mutant.module, mutant)
    return set(chosen.values())


def noticed(mutant: Mutant, checks: Iterable[Callable[[], object]]) -> bool:
    """Whether one of ``checks`` fails, however it shows, while the code has the fault.

    Raises NoMatchError if there is no such code.
    """
    with applied(mutant):
        for check in checks:
            try:
                check()
            except (Exception, pytest.fail.Exception):
                return True
    return False


@contextmanager
def applied(mutant: Mutant) -> Iterator[None]:
    """The code with the fault, everywhere. Raises NoMatchError if there is no such code."""
    change = Change.of(mutant)
    exchange = _function if isinstance(change.right, ast.FunctionDef) else _constant
    _forget()
    with exchange(change):
        try:
            yield
        finally:
            _forget()


@dataclass(frozen=True)
class Change:
    """A module with a fault, not yet compiled.

    Args:
        module: The living module.
        tree: Of its text.
        path: Dotted name of the function or constant in it.
        body, at: Where that stands in ``tree``.
        wrong: What stands there instead.
    """

    module: ModuleType
    tree: ast.Module
    path: str
    body: list[ast.stmt]
    at: int
    wrong: ast.stmt

    @property
    def right(self) -> ast.stmt:
        return self.body[self.at]

    @classmethod
    def of(cls, mutant: Mutant) -> Change:
        """Raises NoMatchError if the mutant changes nothing."""
        name, _, path = mutant.target.partition(":")
        module = importlib.import_module(name)
        tree = _tree(str(module.__file__))
        body, at = _find(tree, path, mutant)
        right, known = body[at], set(vars(module))
        try:
            wrong = replaced(right, mutant.old, mutant.new, mutant.nth, known)
        except NoMatchError as error:
            raise NoMatchError(f"{mutant.target}: {error}") from None
        if _code_of(wrong) == _code_of(right):
            raise NoMatchError(f"no code is changed: {mutant}")
        return cls(module, tree, path, body, at, wrong)

    def code(self) -> CodeType:
        """Of the function that is wrong."""
        file, right = str(self.module.__file__), self.right
        self.body[self.at] = self.wrong
        try:
            compiled = compile(self.tree, file, "exec")
        finally:
            self.body[self.at] = right
        return next(code for code in _codes(compiled) if code.co_qualname == self.path)


@cache
def _tree(file: str) -> ast.Module:
    return ast.parse(Path(file).read_text(encoding="utf-8"))


def _find(tree: ast.Module, path: str, mutant: Mutant) -> tuple[list[ast.stmt], int]:
    """The block that holds the target, and where."""
    body = tree.body
    *outer, last = path.split(".")
    for step in outer:
        classes = [s for s in body if isinstance(s, ast.ClassDef) and s.name == step]
        body = classes[0].body if classes else []
    for at, statement in enumerate(body):
        targets = getattr(statement, "targets", [getattr(statement, "target", None)])
        named = {getattr(target, "id", None) for target in targets}
        if (isinstance(statement, ast.FunctionDef) and statement.name == last) or last in named:
            return body, at
    raise NoMatchError(f"{mutant.target} is not there")


def _code_of(statement: ast.stmt) -> str:
    """What a function's code is made of: not its decorators and defaults."""
    body = statement.body if isinstance(statement, ast.FunctionDef) else [statement]
    return "\n".join(map(ast.dump, body))


@contextmanager
def _function(change: Change) -> Iterator[None]:
    """The other code, in the living functions of that name."""
    living = [f for f in _written_in(change.module) if f.__code__.co_qualname == change.path]
    if not living:
        raise NoMatchError(f"{change.module.__name__} holds no function {change.path}")
    _keep_outer_variables(change, living[0].__code__)
    code, before = change.code(), [function.__code__ for function in living]
    for function in living:
        function.__code__ = code
    try:
        yield
    finally:
        for function, kept in zip(living, before, strict=True):
            function.__code__ = kept


def _keep_outer_variables(change: Change, right: CodeType) -> None:
    """Code fits into a function that has the same ones: ``super()`` speaks of ``__class__``."""
    lost = sorted(set(right.co_freevars) - set(change.code().co_freevars))
    if lost:
        assert isinstance(change.wrong, ast.FunctionDef)
        names = ast.Tuple([ast.Name(name, ast.Load()) for name in lost], ast.Load())
        unused = ast.If(ast.Constant(False), [ast.Expr(names)], [])
        last = change.wrong.body[-1]
        change.wrong.body.append(ast.fix_missing_locations(ast.copy_location(unused, last)))


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


def _written_in(module: ModuleType) -> Iterator[FunctionType]:
    """Every function of the module's text: methods, and what is under decorators, too."""
    queue: list[object] = list(vars(module).values())
    seen: set[int] = set()
    while queue:
        item = queue.pop()
        item = getattr(item, "__func__", item)
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, type):
            queue += vars(item).values() if item.__module__ == module.__name__ else ()
        elif isinstance(item, property):
            queue += [item.fget, item.fset]
        elif isinstance(item, cached_property):
            queue.append(item.func)
        else:
            if isinstance(item, FunctionType) and item.__code__.co_filename == module.__file__:
                yield item
            if callable(item) and "__wrapped__" in getattr(item, "__dict__", ()):
                queue.append(item.__wrapped__)  # type: ignore[attr-defined]


@contextmanager
def _constant(change: Change) -> Iterator[None]:
    """The constant's other value, wherever its value was imported to."""
    module, name = change.module, change.path
    right, scope = vars(module)[name], dict(vars(module))
    exec(compile(ast.Module([change.wrong], []), str(module.__file__), "exec"), scope)
    holders = [held for held in map(vars, _own_modules()) if held.get(name) is right]
    for held in holders:
        held[name] = scope[name]
    try:
        yield
    finally:
        for held in holders:
            held[name] = right


def _forget() -> None:
    """Nothing that the other code has computed is remembered."""
    for module in _own_modules():
        for value in list(vars(module).values()):
            if callable(clear := getattr(value, "cache_clear", None)):
                clear()


def _own_modules() -> list[ModuleType]:
    def own(module: ModuleType) -> bool:
        file = getattr(module, "__file__", None)
        return bool(file) and Path(str(file)).is_relative_to(ROOT) and ".venv" not in str(file)

    return [module for module in list(sys.modules.values()) if own(module)]
