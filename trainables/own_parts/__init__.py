"""Parts of a person's own, outside this package: Python code that registers what it has.

A source is a file, a folder or a module (`sources`). It is imported once in a process (`load`), in
that of the person and in every one that trains (`shipped`); which code a trial's parts are is
written into its result (`used`).
"""

from trainables.own_parts.load import contents, load_modules, load_parts, loaded, modules, require
from trainables.own_parts.sources import Source

__all__ = ["Source", "contents", "load_modules", "load_parts", "loaded", "modules", "require"]
