"""Measures with one mistake in them, and the check that must notice.

A mutant is a piece of source text and what replaces it. The changed module is
compiled and the code of its functions put into the living ones, so that every
module that imported them has the mistake; afterwards the old code is put back.
"""

import contextlib
import importlib
import inspect
from types import CodeType, FunctionType
from typing import NamedTuple


class Mutant(NamedTuple):
    module: str
    old: str
    new: str
    check: str


@contextlib.contextmanager
def mutated(mutant):
    module = importlib.import_module(f"trainables.measures.{mutant.module}")
    source = inspect.getsource(module)
    assert source.count(mutant.old) >= 1, f"no longer in {mutant.module}: {mutant.old}"
    living = _codes(compile(source, module.__file__, "exec"))
    changed = _codes(compile(source.replace(mutant.old, mutant.new, 1), module.__file__, "exec"))
    different = {name for name in living if living[name] != changed.get(name)}
    functions = [f for f in _functions(module) if f.__code__.co_qualname in different]
    assert functions, f"changes no function: {mutant.old}"
    before = [f.__code__ for f in functions]
    try:
        for function in functions:
            function.__code__ = changed[function.__code__.co_qualname]
        yield
    finally:
        for function, code in zip(functions, before, strict=True):
            function.__code__ = code


def _codes(code, found=None):
    """Outermost functions and methods of a module's code, by qualified name."""
    found = {} if found is None else found
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if "<locals>" not in constant.co_qualname:
                found[constant.co_qualname] = constant
            _codes(constant, found)
    return found


def _functions(module):
    """Every function written in the module, methods and what is under decorators included."""
    queue, seen = list(vars(module).values()), set()
    while queue:
        item = queue.pop()
        item = getattr(item, "__func__", item)
        if id(item) in seen:
            continue
        seen.add(id(item))
        if inspect.isclass(item) and item.__module__ == module.__name__:
            queue += vars(item).values()
        elif isinstance(item, property):
            queue.append(item.fget)
        elif isinstance(item, FunctionType):
            if item.__code__.co_filename == module.__file__:
                yield item
            if hasattr(item, "__wrapped__"):
                queue.append(item.__wrapped__)


def of(module, *rows):
    """Mutants of one module: (old, new, check)."""
    return [Mutant(module, *row) for row in rows]
