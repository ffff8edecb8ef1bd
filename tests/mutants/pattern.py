"""Where a piece of Python stands in a function, as a syntax tree, and what stands there instead.

A pattern is an expression or a run of statements. Layout, brackets, quotes and comments do not
matter, and local variables may be called otherwise: a name of the pattern that does not occur in
the function stands for any local variable, the same one wherever it occurs and another one for
each such name. ``...`` at the start of an inner block stands for any statements there, and those
of the replacement for the same ones, in order.
"""

from __future__ import annotations

import ast
import builtins
import copy
import difflib
from collections.abc import Iterator
from dataclasses import dataclass, field

LOAD = ast.Load()


class NoMatchError(AssertionError):
    """A mutant that changes nothing, or that does not say what it changes."""


@dataclass
class Binding:
    """What a pattern's unknown names and blocks stand for."""

    names: dict[str, str] = field(default_factory=dict)
    blocks: list[list[ast.stmt]] = field(default_factory=list)


@dataclass(frozen=True)
class Place:
    """Where a pattern stands: a node, or ``block[start:stop]``."""

    node: ast.AST
    binding: Binding
    block: list[ast.stmt]
    start: int = 0
    stop: int = 0


def replaced(scope: ast.stmt, old: str, new: str, nth: int | None, known: set[str]) -> ast.stmt:
    """A copy of ``scope``, a statement, with ``new`` where ``old`` stands.

    Args:
        scope: A function, or the assignment of a constant.
        old: The pattern.
        new: Its replacement; "" takes a statement out.
        nth: Which one, from 1, where it stands several times; None: it stands there once.
        known: Names that are known outside of ``scope``.

    Raises:
        NoMatchError: ``old`` stands nowhere, or several times without ``nth``; or ``new`` speaks
            of something that is not known there.
    """
    scope = copy.deepcopy(scope)
    before, after = ast.parse(old).body, ast.parse(new).body
    as_expression = _is_expression(before) and _is_expression(after)
    pattern: list[ast.stmt] | ast.expr = before[0].value if as_expression else before  # type: ignore[attr-defined]
    places = sorted(_places(scope, pattern), key=_position)
    if not places:
        raise NoMatchError(f"nowhere: {old!r}; nearest: {_nearest(scope, old, as_expression)}")
    if nth is None and len(places) > 1:
        raise NoMatchError(f"{len(places)} times, and which is not said: {old!r}")
    if nth is not None and not 1 <= nth <= len(places):
        raise NoMatchError(f"{len(places)} times, so there is no number {nth}: {old!r}")
    place = places[(nth or 1) - 1]
    fill = _Fill(place.binding)
    after = fill.visit(ast.Module(after, [])).body
    _require_known(after, _names(scope) | known)
    for statement in after:
        ast.copy_location(statement, place.node)
        for node in ast.walk(statement):
            ast.copy_location(node, place.node)
    if as_expression:
        _put(scope, place.node, after[0].value)  # type: ignore[attr-defined]
    else:
        place.block[place.start : place.stop] = after
        if not place.block:
            place.block.append(ast.copy_location(ast.Pass(), place.node))
    return scope


def _is_expression(body: list[ast.stmt]) -> bool:
    return len(body) == 1 and isinstance(body[0], ast.Expr)


def _position(place: Place) -> tuple[int, int]:
    return place.node.lineno, place.node.col_offset  # type: ignore[attr-defined]


def _places(scope: ast.AST, pattern: list[ast.stmt] | ast.expr) -> Iterator[Place]:
    matcher = _Matcher(scope, pattern)
    if isinstance(pattern, ast.expr):
        for node in ast.walk(scope):
            read = isinstance(node, ast.expr) and isinstance(getattr(node, "ctx", LOAD), ast.Load)
            if read and (binding := matcher.match([pattern], [node])):
                yield Place(node, binding, [])
        return
    for block in _blocks(scope):
        for start in range(len(block) - len(pattern) + 1):
            stop = start + len(pattern)
            if binding := matcher.match(pattern, block[start:stop]):
                yield Place(block[start], binding, block, start, stop)


def _blocks(scope: ast.AST) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(scope):
        for _, value in ast.iter_fields(node):
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                yield value


def _names(tree: ast.AST) -> set[str]:
    """Variables that occur."""
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    found |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return found | {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)}


def _locals(tree: ast.AST) -> set[str]:
    """Variables that are bound: arguments, and what is assigned to."""
    stored = (n for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return {name.id for name in stored} | arguments


class _Matcher:
    """Compares a pattern with the nodes of one function."""

    def __init__(self, scope: ast.AST, pattern: list[ast.stmt] | ast.expr) -> None:
        parts = pattern if isinstance(pattern, list) else [pattern]
        self.locals = _locals(scope)
        own = set().union(*map(_names, parts))
        self.unknown = own - _names(scope)
        self.taken = own - self.unknown

    def match(self, pattern: list[ast.AST], nodes: list[ast.AST]) -> Binding | None:  # type: ignore[type-arg]
        binding = Binding()
        return binding if self._equal(pattern, nodes, binding) else None

    def _equal(self, a: object, b: object, binding: Binding) -> bool:
        if isinstance(a, list) and isinstance(b, list):
            if a and _is_any(a[0]) and len(b) >= len(a):
                free = len(b) - len(a) + 1
                binding.blocks.append(b[:free])
                a, b = a[1:], b[free:]
            return len(a) == len(b) and all(
                self._equal(x, y, binding) for x, y in zip(a, b, strict=True)
            )
        if type(a) is not type(b):
            return False
        if isinstance(a, ast.Name) and isinstance(b, ast.Name):
            return self._same_name(a.id, b.id, binding)
        if isinstance(a, ast.arg) and isinstance(b, ast.arg):
            return self._same_name(a.arg, b.arg, binding)
        if isinstance(a, ast.AST):
            return all(
                self._equal(getattr(a, name), getattr(b, name), binding)
                for name in a._fields
                if name not in ("ctx", "kind", "type_comment")
            )
        return a == b

    def _same_name(self, a: str, b: str, binding: Binding) -> bool:
        if a not in self.unknown:
            return a == b
        if a in binding.names:
            return binding.names[a] == b
        if b not in self.locals or b in self.taken or b in binding.names.values():
            return False
        binding.names[a] = b
        return True


def _is_any(statement: object) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and statement.value.value is ...
    )


class _Fill(ast.NodeTransformer):
    """Puts into a replacement what the pattern's names and blocks stand for."""

    def __init__(self, binding: Binding) -> None:
        self.names, self.blocks = binding.names, iter(binding.blocks)

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.names.get(node.id, node.id), node.ctx)

    def visit_Expr(self, node: ast.Expr) -> ast.AST | list[ast.stmt]:
        return next(self.blocks) if _is_any(node) else self.generic_visit(node)


def _put(scope: ast.AST, old: ast.AST, new: ast.expr) -> None:
    for node in ast.walk(scope):
        for name, value in ast.iter_fields(node):
            if value is old:
                setattr(node, name, new)
            elif isinstance(value, list):
                value[:] = [new if item is old else item for item in value]


def _require_known(statements: list[ast.stmt], known: set[str]) -> None:
    """Else every check would notice: by NameError."""
    for statement in statements:
        strange = _names(statement) - _locals(statement) - known - set(dir(builtins))
        if strange:
            raise NoMatchError(f"the replacement speaks of {sorted(strange)}, unknown there")


def _nearest(scope: ast.AST, old: str, expression: bool) -> str:
    kind = ast.expr if expression else ast.stmt
    there = {ast.unparse(node) for node in ast.walk(scope) if isinstance(node, kind)}
    near = difflib.get_close_matches(ast.unparse(ast.parse(old)), there, 3, 0.4)
    return " or ".join(map(repr, near)) or "nothing"
