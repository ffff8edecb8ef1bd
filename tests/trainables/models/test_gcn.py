"""The graph network on dense, padded batches is the sparse one of torch_geometric."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tests.trainables.measures.networks import close, cross_entropy, dense_hessian
from trainables.data.sets.ego_graphs import networks
from trainables.measures.curvature.operator import HessianOperator
from trainables.models.gcn import GraphNetwork

FEATURES, CLASSES = 12, 3


def graphs(count: int) -> tuple[dict[str, Tensor], Tensor]:
    """Of different sizes, with features that are no one-hot codes: float64."""
    found, labels = networks(count, draw=1)
    batch = found.batch(torch.arange(count))
    assert len(set(batch["mask"].sum(1).tolist())) > 1
    draws = torch.Generator().manual_seed(0)
    nodes = torch.randn(*batch["mask"].shape, FEATURES, generator=draws, dtype=torch.float64)
    nodes = nodes * batch["mask"][..., None]
    return {**batch, "nodes": nodes, "adjacency": batch["adjacency"].double()}, labels


def network(batchnorm: bool, width: int = 5) -> GraphNetwork:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = GraphNetwork(
            features=FEATURES, width=width, depth=2, classes=CLASSES, batchnorm=batchnorm
        )
        for parameter in model.parameters():  # biases of zero would hide what they do
            nn.init.normal_(parameter, std=0.5)
    return model.double()


def sparse(model: GraphNetwork, batch: dict[str, Tensor]) -> Tensor:
    """The same weights in torch_geometric's own layers, on lists of nodes and edges."""
    from torch_geometric.nn import GCNConv, global_mean_pool

    mask = batch["mask"]
    x, graph = batch["nodes"][mask], mask.nonzero()[:, 0]
    number = torch.full(mask.shape, -1)
    number[mask] = torch.arange(len(x))
    at, one, other = batch["adjacency"].nonzero().T
    edges = torch.stack([number[at, one], number[at, other]])
    for index, layer in enumerate(model.layers):
        conv = GCNConv(layer.in_channels, layer.out_channels).double()
        conv.load_state_dict(layer.state_dict())
        x = conv(x, edges)
        if model.norms:
            norm = model.norms[index]
            x = nn.functional.batch_norm(x, None, None, norm.weight, norm.bias, training=True)
        x = x.relu()
    return model.head(global_mean_pool(x, graph))


@pytest.mark.parametrize("batchnorm", [False, True])
def test_dense_layers_are_the_sparse_ones(batchnorm: bool) -> None:
    batch, _ = graphs(7)
    model = network(batchnorm)
    close(model(batch), sparse(model, batch), 1e-12)


@pytest.mark.parametrize("batchnorm", [False, True])
def test_nothing_depends_on_what_fills_a_graph_up(batchnorm: bool) -> None:
    """Neither on how much of it there is, nor on what its features are, in outputs or gradients."""
    batch, labels = graphs(6)
    wider = {
        "nodes": nn.functional.pad(batch["nodes"], (0, 0, 0, 4)),
        "adjacency": nn.functional.pad(batch["adjacency"], (0, 4, 0, 4)),
        "mask": nn.functional.pad(batch["mask"], (0, 4)),
    }
    wider["nodes"] = wider["nodes"].masked_fill(~wider["mask"][..., None], 7.0)
    model = network(batchnorm)
    found = []
    for inputs in (batch, wider):
        outputs = model(inputs)
        loss = cross_entropy(outputs, labels)
        found.append((outputs, *torch.autograd.grad(loss, list(model.parameters()))))
    for filled, plain in zip(*reversed(found), strict=True):
        # A bias below BatchNorm has gradient 0 but for rounding.
        torch.testing.assert_close(filled, plain, rtol=1e-11, atol=1e-13)


def test_each_graph_is_by_itself_without_batchnorm() -> None:
    batch, _ = graphs(5)
    model = network(batchnorm=False)
    whole = model(batch)
    for row in range(5):
        n = int(batch["mask"][row].sum())
        one = {
            "nodes": batch["nodes"][row, None, :n],
            "adjacency": batch["adjacency"][row, None, :n, :n],
            "mask": batch["mask"][row, None, :n],
        }
        close(model(one)[0], whole[row], 1e-12)


@pytest.mark.parametrize("batchnorm", [False, True])
def test_trace_of_the_hessian_is_the_dense_ones(batchnorm: bool) -> None:
    batch, labels = graphs(4)
    model = network(batchnorm, width=3).eval()
    dense = dense_hessian(model, cross_entropy, batch, labels)
    operator = HessianOperator(model, cross_entropy, [(batch, labels)])
    products = operator @ torch.eye(operator.size, dtype=torch.float64)
    close(products, dense)
    close(products.trace(), dense.trace())
    assert dense.trace() > 0.01
