"""Originals of pairs and graphs, in the format of their publishers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image


def write_collab(directory: Path, graphs: int = 9) -> None:
    """COLLAB's files with made-up graphs, edges in both directions, a loop and one edge twice."""
    from trainables.data.sets.ego_graphs import networks

    found, labels = networks(graphs, draw=3)
    graph = np.arange(graphs).repeat(found.sizes.numpy())
    first = (found.sizes.cumsum(0) - found.sizes).repeat_interleave(found.starts.diff())
    edges = [(a + 1, b + 1) for a, b in (found.edges + first).T.tolist()]
    edges += [(b, a) for a, b in edges]
    edges += [edges[0], (2, 2)]
    folder = directory / "COLLAB"
    folder.mkdir(parents=True)
    for name, lines in (
        ("A", [f"{a}, {b}" for a, b in np.random.default_rng(0).permutation(edges).tolist()]),
        ("graph_indicator", (graph + 1).tolist()),
        ("graph_labels", (labels + 1).tolist()),
    ):
        (folder / f"COLLAB_{name}.txt").write_text("".join(f"{line}\n" for line in lines))


def write_captioned(directory: Path, splits: Mapping[str, int]) -> None:
    """Photographs with a caption beside each, as img2dataset writes them."""
    for split, count in splits.items():
        shard = directory / split / "00000"
        shard.mkdir(parents=True)
        draws = np.random.default_rng(count)
        for index in range(count):
            name = shard / f"{index:09d}"
            pixels = draws.integers(0, 256, (20, 26, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(name.with_suffix(".png"))
            name.with_suffix(".txt").write_text(f"a photograph of {split} {index // 2}\n")
            name.with_suffix(".json").write_text("{}")
        (directory / split / "00000.parquet").write_bytes(b"a table of what was fetched")
