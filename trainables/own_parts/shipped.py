"""Sources of parts on their way to other machines: a folder that Ray sends to every node.

A folder for each source, which has the name of its digest and its files as they lie in its root.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path

from trainables.own_parts.sources import Source

NAME = "flatsweep_own_parts"
"""The folder's name, under which Python finds it where it was sent."""


def pack(contents: Mapping[Source, Mapping[str, bytes]], folder: Path) -> Path | None:
    """Write into ``folder`` what is to be sent of each source: its files by their names.

    Returns:
        What is to be sent, a folder called `NAME`; None: nothing.
    """
    target = folder / NAME
    for source, files in contents.items():
        for file, content in files.items():
            copy = target / source.digest / file
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(content)
    return target if contents else None


def places(source: Source) -> Iterator[Path]:
    """The folders of this machine in which ``source`` may lie."""
    yield Path(source.root)
    sent = importlib.util.find_spec(NAME)
    for folder in (sent and sent.submodule_search_locations) or ():
        yield Path(folder, source.digest)
    if source.kind == "module":
        found = importlib.util.find_spec(source.entry.partition(".")[0])
        for package in (found and found.submodule_search_locations) or ():
            yield Path(package).parent
        if found is not None and found.origin and found.has_location:
            yield Path(found.origin).parent


__all__ = ["NAME", "pack", "places"]
