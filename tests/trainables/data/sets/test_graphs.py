"""Graphs that are made up, and COLLAB's from its publisher's files."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.trainables.data.pair_originals import write_collab
from trainables import data
from trainables.config import TrialConfig
from trainables.data.base import DataError, content
from trainables.data.graphs import Graphs, from_pairs
from trainables.data.loader import BatchLoader
from trainables.data.sets.ego_graphs import FEWEST, FIELDS, MOST, networks
from trainables.train import Execution, fit

SIZES = (3, 1, 4)
PAIRS = [(0, 1), (1, 2), (4, 5), (5, 6), (6, 7), (7, 4)]
"""A path of three nodes, a node alone, and a ring of four."""


def few() -> Graphs:
    graph = torch.arange(len(SIZES)).repeat_interleave(torch.tensor(SIZES))
    return from_pairs(torch.tensor(PAIRS).T, graph, features=3)


def dense(rows: list[int]) -> dict[str, Tensor]:
    """Those graphs in plain loops."""
    n = max(SIZES[row] for row in rows)
    nodes, adjacency = torch.zeros(len(rows), n, 3), torch.zeros(len(rows), n, n)
    mask = torch.zeros(len(rows), n, dtype=torch.bool)
    for at, row in enumerate(rows):
        first = sum(SIZES[:row])
        for one, other in itertools.product(range(SIZES[row]), repeat=2):
            joined = {(one + first, other + first), (other + first, one + first)} & set(PAIRS)
            adjacency[at, one, other] = float(bool(joined))
        for node in range(SIZES[row]):
            mask[at, node] = True
            nodes[at, node, int(adjacency[at, node].sum())] = 1
    return {"nodes": nodes, "adjacency": adjacency, "mask": mask}


@pytest.mark.parametrize("rows", [[0], [1], [2, 0], [0, 1, 2], [1, 1], [2, 2, 1, 0]])
def test_a_batch_is_filled_up_to_its_largest_graph(rows: list[int]) -> None:
    found = few().batch(torch.tensor(rows))
    assert found.keys() == dense(rows).keys()
    for name, expected in dense(rows).items():
        assert torch.equal(found[name], expected), name
        assert found[name].dtype == expected.dtype


def test_pairs_count_once_and_loops_not_at_all() -> None:
    pairs = torch.tensor([*PAIRS, *[(b, a) for a, b in reversed(PAIRS)], (3, 3), PAIRS[0]]).T
    graph = torch.arange(3).repeat_interleave(torch.tensor(SIZES))
    assert from_pairs(pairs, graph, 3).digest() == few().digest()
    assert few().degrees().tolist() == [1, 2, 1, 0, 2, 2, 2, 2]


def test_a_degree_above_the_last_feature_has_the_last() -> None:
    star = from_pairs(torch.tensor([[0, 0, 0], [1, 2, 3]]), torch.zeros(4, dtype=torch.int64), 3)
    assert star.batch(torch.tensor([0]))["nodes"][0].argmax(1).tolist() == [2, 1, 1, 1]


def test_networks_are_of_one_researcher_whom_all_have_written_with() -> None:
    found, labels = networks(60, draw=0)
    assert labels.bincount().tolist() == [20] * len(FIELDS)
    assert FEWEST <= found.sizes.min() <= found.sizes.max() <= MOST
    batch = found.batch(torch.arange(60))
    assert torch.equal(batch["adjacency"], batch["adjacency"].mT)
    assert not batch["adjacency"].diagonal(dim1=1, dim2=2).any()
    everybody_else = batch["mask"].float()
    everybody_else[:, 0] = 0
    assert torch.equal(batch["adjacency"][:, 0], everybody_else)


def test_networks_are_those_of_their_seed() -> None:
    one, again, other = (data.build("ego_graphs", graphs=30, draw=seed) for seed in (1, 1, 2))
    assert content(one) == content(again) != content(other)
    assert networks(20, 1)[0].digest() != networks(30, 1)[0].digest()
    fewer, more = networks(20, 1)[0], networks(30, 1)[0]
    assert torch.equal(fewer.edges, more.edges[:, : fewer.edges.shape[1]])


def test_fields_can_be_told_and_not_for_certain() -> None:
    """Of 300 graphs a guess is right of 100, sd 8.2: 180 by chance have probability 1e-22.

    No classifier is right of all where the same graph may be of two fields.
    """
    trial = TrialConfig(
        data={"source": "ego_graphs", "validation": 0, "split_seed": 0},
        model="gcn_tiny",
        optimizer={"name": "adam", "lr": 0.01},
        epochs=5,
        batch_size=32,
    )
    error = fit(trial, Execution(device="cpu")).history["test_error"][-1]
    assert 0.05 < error < 0.4


def test_batches_of_a_trial() -> None:
    dataset = data.load("ego_graphs", graphs=30)
    batches = BatchLoader(dataset.train, 8, dtype=torch.float64, shuffle=False)
    assert [len(targets) for _, targets in batches] == [8, 8, 8, 6]
    for at, (inputs, targets) in enumerate(batches):
        rows = torch.arange(30)[8 * at : 8 * at + 8]
        expected = networks(30, 0)[0].batch(rows)
        assert torch.equal(inputs["nodes"], expected["nodes"].double())
        assert torch.equal(inputs["adjacency"], expected["adjacency"].double())
        assert torch.equal(inputs["mask"], expected["mask"])
        assert torch.equal(targets, rows % 3)


def test_collab_is_what_torch_geometric_reads(tmp_path: Path) -> None:
    from torch_geometric.data import Data
    from torch_geometric.io import read_tu_data
    from torch_geometric.transforms import OneHotDegree

    write_collab(tmp_path)
    dataset = data.load("collab", tmp_path, max_degree=40)
    read, slices, _ = read_tu_data(str(tmp_path / "COLLAB"), "COLLAB")
    assert dataset.spec == {"features": 41}
    assert dataset.class_names == ("1", "2", "3")
    assert torch.equal(dataset.train.targets, read.y)
    for row in range(len(read.y)):
        batch = dataset.train.base.batch(torch.tensor([row]))
        first, last = slices["edge_index"][row], slices["edge_index"][row + 1]
        one = Data(edge_index=read.edge_index[:, first:last], num_nodes=batch["mask"].shape[1])
        edges = batch["adjacency"][0].nonzero().T
        assert torch.equal(edges, one.edge_index)
        assert torch.equal(batch["nodes"][0], OneHotDegree(40)(one).x)


Damage = Callable[[Path], object]


def replace(file: str, old: str, new: str) -> Damage:
    def damage(folder: Path) -> None:
        path = folder / "COLLAB" / f"COLLAB_{file}.txt"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "COLLAB/COLLAB_graph_labels.txt").unlink(), "is missing"),
        (lambda folder: (folder / "COLLAB/COLLAB_A.txt").write_text(""), "is empty"),
        (lambda folder: (folder / "COLLAB/COLLAB_A.txt").write_text("1, x\n"), "no table of whole"),
        (lambda folder: (folder / "COLLAB/COLLAB_A.txt").write_text("1\n2\n"), "no table of whole"),
        (replace("A", "\n", "\n1, 99999\n"), "line 2 of .*names a node that is not among the"),
        (replace("A", "\n", "\n0, 1\n"), "line 2 of .*names a node that is not among the"),
        (replace("A", "\n", "\n1, 60\n"), "line 2 of .*joins two graphs"),
        (replace("graph_indicator", "1\n", "2\n"), "must say of each node in which graph it is"),
        (replace("graph_indicator", "2\n", "3\n"), "must say of each node in which graph it is"),
        (replace("graph_labels", "1\n", "1\n1\n"), "must say of each node in which graph it is"),
        (replace("graph_labels", "1\n", "one\n"), "no table of whole"),
    ],
)
def test_damaged_files_are_one_sentence(tmp_path: Path, damage: Damage, message: str) -> None:
    write_collab(tmp_path)
    damage(tmp_path)
    with pytest.raises(DataError, match=message) as error:
        data.load("collab", tmp_path, max_degree=40)
    assert "\n" not in str(error.value)


def test_more_neighbours_than_features_are_one_sentence(tmp_path: Path) -> None:
    write_collab(tmp_path)
    with pytest.raises(DataError, match=r"neighbours where max_degree = 5: give as many, or more"):
        data.load("collab", tmp_path, max_degree=5)
