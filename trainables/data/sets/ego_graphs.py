"""Random graphs like the ego networks of researchers in three fields (COLLAB): computed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import torch
from torch import Generator, Tensor

from trainables.data.base import About, Dataset, Images, about, registry
from trainables.data.graphs import Graphs, from_pairs
from trainables.registry import Count, Index
from trainables.seeding import generator

about["ego_graphs"] = About("ego networks of researchers in three fields: made up")

FIELDS = {"condensed matter": (1.5, 0.6), "astrophysics": (3.0, 0.3), "high energy": (8.0, 0.1)}
"""Of each field: the mean number of coauthors of a paper, and the probability that one of them was
met before."""

FEWEST, MOST = 8, 32
"""People in a network, the researcher included; uniform."""


@registry.register("ego_graphs", inputs="graphs")
def ego_graphs(*, graphs: Count = 1500, draw: Index = 0) -> Dataset:
    """Random graphs in the likeness of COLLAB's, whose fields are told by how people collaborate.

    A node is a person, described by the number of people that she has written with (one-hot);
    an edge is a paper together. See `networks` and `FIELDS`. No graph tells its field for certain.
    A fifth is drawn as test set (`splits.split`).

    Args:
        graphs: How many, a third of each field.
        draw: Seed of the graphs.
    """
    found, labels = networks(graphs, draw)
    return Dataset(
        name="ego_graphs",
        train=Images(found, labels),
        test=None,
        num_classes=len(FIELDS),
        class_names=tuple(FIELDS),
        source="ego networks (computed)",
        spec={"features": found.features},
    )


def networks(count: int, draw: int) -> tuple[Graphs, Tensor]:
    """``count`` networks and their fields, int64; the fields take turns.

    A researcher writes papers until everybody has been met. The authors of a paper all know each
    other, and the researcher is one of them.
    """
    labels = torch.arange(count) % len(FIELDS)
    kinds = list(FIELDS.values())
    sizes: list[int] = []
    pairs: list[Tensor] = []
    for index, label in enumerate(labels.tolist()):
        numbers = _uniform(generator(draw, "ego_graphs", index))
        coauthors, met_before = kinds[int(label)]
        size = FEWEST + int(next(numbers) * (MOST - FEWEST + 1))
        pairs.append(sum(sizes) + _network(size, coauthors, met_before, numbers))
        sizes.append(size)
    graph = torch.arange(count).repeat_interleave(torch.tensor(sizes))
    return from_pairs(torch.cat(pairs, 1), graph, features=MOST), labels


def _network(people: int, coauthors: float, met_before: float, numbers: Iterator[float]) -> Tensor:
    """The edges of one network, (2, m); the researcher is node 0, the others are in the order in
    which they were met."""
    edges: set[tuple[int, int]] = set()
    met = 0
    while met < people - 1:
        authors = {0}
        writing = True
        while writing and met < people - 1:
            if next(numbers) < met_before and met:
                authors.add(1 + int(next(numbers) * met))
            else:
                met += 1
                authors.add(met)
            writing = next(numbers) * coauthors >= 1
        edges.update(combinations(sorted(authors), 2))
    return torch.tensor(sorted(edges)).T


def _uniform(draws: Generator) -> Iterator[float]:
    """Numbers in [0, 1), without end."""
    while True:
        yield from torch.rand(64, generator=draws, dtype=torch.float64).tolist()
