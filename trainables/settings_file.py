"""A file of settings as YAML, a sweep's or a trial's: plain values, and the line of each.

YAML as its version 1.2 has it, where ``on`` is a word and ``1e-4`` a number. Aliases, tags and
several documents are refused: what a file says stands where it says it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from trainables.errors import UsageError

MOST_BYTES = 1_000_000
MOST_LEVELS = 40

Path_ = tuple[str | int, ...]
"""Keys and places in lists that lead to a value."""


@dataclass(frozen=True)
class Source:
    """What a file says.

    Attributes:
        name: Of the file, as a person gave it.
        value: All of it: mappings, lists, texts, numbers, true, false and None.
        lines: Path of every value -> the line that it begins in, or that its key stands in.
    """

    name: str
    value: Any
    lines: dict[Path_, int] = field(default_factory=dict)

    def line(self, path: Sequence[str | int]) -> int | None:
        """Of what stands at ``path``; of what is nearest to it, where nothing does."""
        at: Path_ = ()
        for step in path:
            if (*at, step) in self.lines:
                at = (*at, step)
        return self.lines.get(at)

    def error(self, path: Sequence[str | int], sentence: str) -> UsageError:
        """``FILE:LINE: sentence``."""
        return _error(self.name, self.line(path), sentence)


def read(file: Path) -> Source:
    """What a file says.

    Raises:
        UsageError: there is no such file, or it is no YAML that is read here; with its line.
    """
    try:
        if file.stat().st_size > MOST_BYTES:
            raise UsageError(f"{file}: {file.stat().st_size:,} bytes are no file of settings")
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file}:1: it is no text in UTF-8") from None
    return parse(text, str(file))


def parse(text: str, name: str) -> Source:
    """What ``text`` says, which is the contents of a file called ``name``.

    Raises:
        UsageError: as `read`.
    """
    lines: dict[Path_, int] = {(): 1}
    loader = None
    try:
        loader = _Loader(text, name)
        node = loader.get_single_node()
        value = None if node is None else _value(node, name, (), lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        if mark and mark.index >= len(text.rstrip()):  # at the end: say what was never closed
            mark = error.context_mark or mark
        what = " ".join(filter(None, (error.context, error.problem)))
        raise _error(name, mark.line + 1 if mark else None, f"no YAML: {what}") from None
    except yaml.YAMLError as error:
        raise _error(name, None, f"no YAML: {' '.join(str(error).split())}") from None
    finally:
        if loader is not None:
            loader.dispose()
    return Source(name, value, lines)


def _error(name: str, line: int | None, sentence: str) -> UsageError:
    return UsageError(f"{name}:{line}: {sentence}" if line else f"{name}: {sentence}")


def _value(node: Node, name: str, path: Path_, lines: dict[Path_, int]) -> Any:
    if isinstance(node, SequenceNode):
        for i, item in enumerate(node.value):
            lines[*path, i] = item.start_mark.line + 1
        return [_value(item, name, (*path, i), lines) for i, item in enumerate(node.value)]
    if isinstance(node, MappingNode):
        found: dict[str, Any] = {}
        for key, item in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode):
                raise _error(name, line, "a key is a word or a number, not a list or a mapping")
            if key.value in found:
                first = lines[*path, key.value]
                raise _error(name, line, f"{key.value!r} stands twice, first in line {first}")
            lines[*path, key.value] = line
            found[key.value] = _value(item, name, (*path, key.value), lines)
        return found
    try:
        scalar = SCALARS[node.tag](node.value)
        if isinstance(scalar, float) and not math.isfinite(scalar):
            raise ValueError
    except ValueError:
        line = node.start_mark.line + 1
        raise _error(name, line, f"{node.value[:20]} is no number that is read here") from None
    return scalar


SCALARS: dict[str, Any] = {
    "tag:yaml.org,2002:null": lambda _: None,
    "tag:yaml.org,2002:bool": lambda text: text.lower() == "true",
    "tag:yaml.org,2002:int": lambda text: int(text, 0) if text[:2] in ("0x", "0o") else int(text),
    "tag:yaml.org,2002:float": float,
    "tag:yaml.org,2002:str": str,
}

RESOLVERS: tuple[tuple[str, str, str], ...] = (
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+0123456789."),
)
"""The core schema of YAML 1.2, without infinities: what a plain word is, by its first letter."""


class _Loader(yaml.SafeLoader):
    """PyYAML's, with the words of YAML 1.2, and without what a file of settings has no use for."""

    yaml_implicit_resolvers = {}  # noqa: RUF012

    def __init__(self, text: str, name: str) -> None:
        super().__init__(text)
        self.name, self._file, self._level = name, name, 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        """A value and all below it. Raises UsageError."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _error(
                self._file, line, "anchors and aliases (& and *) are not read; write it out, and a "
                "word that begins with * in quotes",
            )  # fmt: skip
        if getattr(event, "tag", None):
            raise _error(self._file, line, f"tags such as {event.tag!r} are not read")
        if self._level >= MOST_LEVELS:
            raise _error(self._file, line, f"more than {MOST_LEVELS} levels, one in another")
        self._level += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._level -= 1


class Dumper(yaml.SafeDumper):
    """Writes what `parse` reads as the same values."""

    yaml_implicit_resolvers = {}  # noqa: RUF012

    def ignore_aliases(self, data: Any) -> bool:
        """Nothing is written as an alias."""
        return True


for _kind, _pattern, _letters in RESOLVERS:
    for _class in (_Loader, Dumper):
        _class.add_implicit_resolver(
            f"tag:yaml.org,2002:{_kind}",
            re.compile(rf"^(?:{_pattern})$"),
            ["" if letter == "\0" else letter for letter in _letters],
        )
Dumper.add_representer(
    float, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:float", repr(value))
)
Dumper.add_representer(
    tuple, lambda dumper, value: dumper.represent_sequence("tag:yaml.org,2002:seq", list(value))
)


__all__ = ["Dumper", "Path_", "Source", "parse", "read"]
