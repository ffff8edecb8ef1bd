"""Graph convolutional networks (Kipf & Welling 2017), of torch_geometric's dense layers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from trainables.extras import library
from trainables.models import Layers, registry
from trainables.models.variants import register_variant
from trainables.registry import Count


class GraphNetwork(nn.Module):
    """Graphs as dense matrices: ``{"nodes", "adjacency", "mask"} -> (B, classes)``.

        X <- relu(norm(D^-1/2 (A + I) D^-1/2 X W + b)),   once per layer;  D the degrees in A + I
        logits = V mean(X) + c,   the mean over the nodes that exist

    Inputs: ``nodes`` (B, n, F) float, ``adjacency`` (B, n, n) float, ``mask`` (B, n), which is
    true, or 1, for a graph's nodes and not for those that fill it up: nothing depends on these.

    Args:
        features: F.
        batchnorm: Whether each layer's output is normalized by the statistics of all nodes of the
            batch (``norm``).
    """

    def __init__(
        self, *, features: int, width: int, depth: int, classes: int, batchnorm: bool
    ) -> None:
        super().__init__()
        dense = library("torch_geometric.nn.dense", "graph")
        sizes = [features, *[width] * (depth - 1)]
        self.layers = nn.ModuleList(dense.DenseGCNConv(size, width) for size in sizes)
        self.norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in sizes if batchnorm)
        self.head = nn.Linear(width, classes)

    def forward(self, graphs: Mapping[str, Tensor]) -> Tensor:
        x, mask = graphs["nodes"], graphs["mask"].to(graphs["nodes"].dtype)
        adjacency = graphs["adjacency"] + torch.diag_embed(mask)
        for index, layer in enumerate(self.layers):
            x = layer(x, adjacency, mask, add_loop=False)
            if self.norms:
                x = _normalized(self.norms[index], x, graphs["mask"])
            x = x.relu()
        return self.head(x.sum(1) / mask.sum(1, keepdim=True))


def _normalized(norm: nn.Module, x: Tensor, mask: Tensor) -> Tensor:
    """``norm`` of the nodes that exist; the others are zeros. x (B, n, F)."""
    flat, rows = x.flatten(0, 1), mask.flatten().nonzero().squeeze(1)
    return torch.zeros_like(flat).index_put((rows,), norm(flat[rows])).view_as(x)


@registry.register(
    "gcn",
    inputs="graphs",
    losses=("cross_entropy",),
    layers=lambda o: Layers(batchnorm=o.batchnorm),
)
def gcn(
    *,
    num_classes: int,
    spec: Mapping[str, int],
    depth: Count = 2,
    width: Count = 128,
    batchnorm: bool = False,
) -> GraphNetwork:
    """NSO's graph network (figure 2): two convolutions of width 128, mean pooling, a classifier.

    80,003 parameters on COLLAB. NSO calls it a two-layer GCN; its code has BatchNorm after each
    convolution unless it is told otherwise (``batchnorm``), and a log-softmax on top, which changes
    nothing under cross-entropy and is left out.

    Args:
        depth, width: Number of convolutions, and of units in each.
        batchnorm: See above.

    Raises:
        UsageError: torch_geometric is not installed.
    """
    return GraphNetwork(
        features=spec["features"],
        width=width,
        depth=depth,
        classes=num_classes,
        batchnorm=batchnorm,
    )


gcn.READINGS = {
    "text": {"batchnorm": False},
    "code": {"batchnorm": True},
}
register_variant("gcn_tiny", gcn, "`gcn` of width 16.", width=16)
