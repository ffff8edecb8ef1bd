"""Undirected graphs of different sizes, kept as lists of edges and made dense batch by batch.

Letters in shapes: N graphs, M edges of all of them, B graphs of a batch, n the nodes of its
largest, F features.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import one_hot


@dataclass(frozen=True, eq=False)
class Graphs:
    """Graphs without loops, whose nodes are described by their degree.

    Attributes:
        sizes: int64 (N,), the number of nodes of each.
        starts: int64 (N + 1,): the edges of graph i are those from ``starts[i]`` up to
            ``starts[i + 1]``.
        edges: Integers (2, M), each edge once, by the numbers of its nodes within its graph.
        features: F; a node's feature is the one-hot code of its degree, of F - 1 where it has more.
    """

    sizes: Tensor
    starts: Tensor
    edges: Tensor
    features: int

    def __len__(self) -> int:
        return len(self.sizes)

    def batch(self, rows: Tensor) -> dict[str, Tensor]:
        """The graphs at these positions, filled up to the largest of them.

        Returns:
            ``nodes`` (B, n, F) and ``adjacency`` (B, n, n), float32; ``mask`` bool (B, n), true
            for the nodes that exist. All others have neither features nor edges.
        """
        sizes, first = self.sizes[rows], self.starts[rows]
        counts = self.starts[rows + 1] - first
        before = counts.cumsum(0) - counts
        graph = torch.arange(len(rows)).repeat_interleave(counts)
        chosen = torch.arange(len(graph)) + (first - before).repeat_interleave(counts)
        one, other = self.edges[:, chosen].long()
        n = int(sizes.max())
        adjacency = torch.zeros(len(rows), n, n)
        adjacency[graph, one, other] = 1
        adjacency[graph, other, one] = 1
        mask = torch.arange(n) < sizes[:, None]
        degrees = adjacency.sum(2).long().clamp(max=self.features - 1)
        nodes = one_hot(degrees, self.features).float() * mask[..., None]
        return {"nodes": nodes, "adjacency": adjacency, "mask": mask}

    def degrees(self) -> Tensor:
        """The number of neighbours of each node, int64, of all graphs one after the other."""
        first = (self.sizes.cumsum(0) - self.sizes).repeat_interleave(self.starts.diff())
        return (self.edges + first).flatten().bincount(minlength=int(self.sizes.sum()))

    def digest(self) -> str:
        """SHA-256 of all of them."""
        found = hashlib.sha256(f"{self.features}".encode())
        for tensor in (self.sizes, self.starts, self.edges):
            found.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
            found.update(tensor.contiguous().numpy().data)
        return found.hexdigest()


def from_pairs(pairs: Tensor, graph: Tensor, features: int) -> Graphs:
    """Graphs from the pairs of nodes that are joined; nodes are numbered over all graphs.

    Args:
        pairs: int64 (2, P); a pair may be there several times, also the other way round. Those of
            a node with itself are left out.
        graph: int64, the graph of each node: 0 ... N - 1, ascending, without gaps.
        features: As of `Graphs`.
    """
    low, high = pairs.aminmax(dim=0)
    keys = (low * len(graph) + high)[low != high].unique()  # sorted, hence by graph
    low, high = keys // len(graph), keys % len(graph)
    sizes, of = graph.bincount(), graph[low]
    counts = of.bincount(minlength=len(sizes))
    starts = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    edges = torch.stack([low, high]) - (sizes.cumsum(0) - sizes)[of]
    small = torch.int16 if int(sizes.max()) <= torch.iinfo(torch.int16).max else torch.int32
    return Graphs(sizes, starts, edges.to(small), features)


__all__ = ["Graphs", "from_pairs"]
