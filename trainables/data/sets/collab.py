"""COLLAB, ego networks of researchers, in TUDataset's raw files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trainables.data.base import About, DataError, Dataset, Images, about, registry
from trainables.data.graphs import Graphs, from_pairs
from trainables.data.prepare import originals
from trainables.errors import reason
from trainables.registry import Count

about["collab"] = About(
    "COLLAB (TUDataset): ego networks of 5,000 researchers, about 74 nodes, 3 classes",
    "unpack COLLAB.zip (chrsmrrs.github.io/datasets) in the data directory, so that there are "
    "COLLAB/COLLAB_A.txt, COLLAB/COLLAB_graph_indicator.txt and COLLAB/COLLAB_graph_labels.txt",
    ("COLLAB/COLLAB_A.txt", "COLLAB/raw/COLLAB_A.txt"),
)


@registry.register("collab", inputs="graphs")
def collab(*, directory: Path, max_degree: Count = 491) -> Dataset:
    """COLLAB (Yanardag & Vishwanathan 2015), of whose researchers the field is to be told.

    A node's feature is the one-hot code of its degree, 0 to ``max_degree`` (NSO's code). No test
    set is published: a fifth, stratified, is drawn by `splits.split` (NSO's code holds a tenth
    out).

    Args:
        directory: The data directory.
        max_degree: The most neighbours that a node has (COLLAB: 491).

    Raises:
        DataError: a file is missing or damaged, or a node has more neighbours.
    """
    where = originals.locate("collab", directory).parent
    found, labels, classes = read(where, "COLLAB", max_degree)
    fingerprint = hashlib.sha256(f"{found.digest()} {labels.tolist()}".encode()).hexdigest()
    return Dataset(
        name="collab",
        train=Images(found, labels),
        test=None,
        num_classes=len(classes),
        class_names=classes,
        source="COLLAB (TUDataset)",
        fingerprint=fingerprint,
        spec={"features": found.features},
    )


def read(where: Path, name: str, max_degree: int) -> tuple[Graphs, Tensor, tuple[str, ...]]:
    """The graphs in folder ``where``, their classes (int64, from 0) and what the file calls these.

    ``<name>_A.txt`` has a line ``node, node`` for each edge, once or in both directions, nodes
    counted from 1 over all graphs; line i of ``<name>_graph_indicator.txt`` is the graph of node i,
    counted from 1; line i of ``<name>_graph_labels.txt`` is the class of graph i. Edges that are
    there twice count once, loops do not count.

    Raises:
        DataError: a file is missing or damaged, or a node has more than ``max_degree`` neighbours.
    """
    edges, nodes, labels = (
        originals.inside(originals.checked_file(where / f"{name}_{part}.txt"), where)
        for part in ("A", "graph_indicator", "graph_labels")
    )
    (of_graph,) = _numbers(labels, 1)
    (graph,) = _numbers(nodes, 1) - 1
    steps = torch.cat([graph[:1], graph.diff(), len(of_graph) - 1 - graph[-1:]])
    if not ((steps == 0) | (steps == 1)).all() or steps[0] or steps[-1]:
        raise DataError(
            f"{nodes} must say of each node in which graph it is, 1 to {len(of_graph)} in order, "
            f"of which {labels.name} has the classes: fetch the data set again"
        )
    pairs = _numbers(edges, 2) - 1
    outside = ((pairs < 0) | (pairs >= len(graph))).any(0)
    if outside.any():
        raise DataError(
            f"line {_first(outside)} of {edges} names a node that is not among the {len(graph)} of "
            f"{nodes.name}: fetch the data set again"
        )
    apart = graph[pairs[0]] != graph[pairs[1]]
    if apart.any():
        raise DataError(
            f"line {_first(apart)} of {edges} joins two graphs: fetch the data set again"
        )
    found = from_pairs(pairs, graph, max_degree + 1)
    if (highest := int(found.degrees().max())) > max_degree:
        raise DataError(
            f"{edges} has a node with {highest} neighbours where max_degree = {max_degree}: "
            "give as many, or more"
        )
    classes, targets = of_graph.unique(return_inverse=True)
    return found, targets, tuple(map(str, classes.tolist()))


def _first(wrong: Tensor) -> int:
    """The first line, from 1, that is ``wrong``, bool (lines,)."""
    return int(wrong.int().argmax()) + 1


def _numbers(file: Path, columns: int) -> Tensor:
    """Whole numbers separated by commas: int64 (columns, lines)."""
    import pyarrow as pa
    import pyarrow.csv as pc

    names = [str(column) for column in range(columns)]
    try:
        table: Any = pc.read_csv(
            file,
            pc.ReadOptions(column_names=names),
            convert_options=pc.ConvertOptions(column_types=dict.fromkeys(names, pa.int64())),
        )
    except pa.ArrowException as error:
        raise DataError(
            f"{file} is no table of whole numbers ({reason(error)}): fetch the data set again"
        ) from None
    if table.num_rows == 0 or any(column.null_count for column in table.columns):
        raise DataError(f"{file} has no lines, or lines without a number: fetch it again")
    return torch.stack([torch.tensor(column.to_numpy()) for column in table.columns])
