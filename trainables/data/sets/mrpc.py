"""The Microsoft Research Paraphrase Corpus, as GLUE has it: do two sentences say the same?

In ``mrpc`` under the data directory, one of

    train.tsv, dev.tsv, test.tsv          GLUE's, with the columns Quality, #1 String, #2 String;
    msr_paraphrase_train.txt and _test    the corpus's own, with the same columns;
    train.parquet, validation.parquet,    as data hubs have it (also in parts, and in ``data/``),
    test.parquet                          with the columns sentence1, sentence2, label.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch

from trainables.data.base import (
    About,
    DataError,
    Dataset,
    Images,
    about,
    content,
    registry,
)
from trainables.data.prepare import originals, shards
from trainables.data.text.rows import sentence_pairs
from trainables.data.text.tokenizers import TokenizerName
from trainables.data.text.tokenizers import tokenizer as tokenizer_of

about["mrpc"] = About(
    "MRPC of GLUE: 3,668 + 408 + 1,725 pairs of sentences that say the same or not, 2 classes",
    "put train.tsv, dev.tsv and test.tsv of GLUE's MRPC into the folder mrpc of the data directory "
    "(or msr_paraphrase_train.txt and msr_paraphrase_test.txt of the corpus, or a data hub's "
    "train.parquet, validation.parquet and test.parquet)",
    (
        *("mrpc/train.tsv", "mrpc/msr_paraphrase_train.txt", "mrpc/train.parquet"),
        *("mrpc/train-00000-of-00001.parquet", "mrpc/data/train-00000-of-00001.parquet"),
    ),
)

LABEL, FIRST, SECOND = "Quality", "#1 String", "#2 String"
"""Columns of the files with tabs."""

TABS = {
    "train": ("train.tsv", "msr_paraphrase_train.txt"),
    "validation": ("dev.tsv",),
    "test": ("msr_paraphrase_test.txt", "test.tsv"),
}
"""Files with tabs; of each split the first that is there."""

SENTENCES, NUMBER = ("sentence1", "sentence2"), "label"
"""Columns of the Parquet files."""


class Labelled(NamedTuple):
    """Pairs of sentences, and for each 1 if they say the same, else 0."""

    pairs: list[tuple[str, str]]
    labels: list[int]


@registry.register("mrpc", inputs="tokens")
def mrpc(*, directory: Path, tokenizer: TokenizerName = "bert-base-uncased") -> Dataset:
    """Pairs of sentences from news, two thirds of which say the same (Dolan and Brockett 2005).

    GLUE's dev set is the validation set; it is the test set where that has no labels, as GLUE's
    own. Figure 2 of NSO is measured on the training pairs.

    Args:
        directory: The data directory.
        tokenizer: See `trainables.data.text.tokenizers`.

    Raises:
        DataError: files are missing or damaged.
    """
    first = originals.locate("mrpc", directory)
    parts = from_parquet(directory / "mrpc") if first.suffix == ".parquet" else from_tabs(first)
    known = tokenizer_of(tokenizer, directory, (t for pair in parts["train"].pairs for t in pair))
    inputs = sentence_pairs(known, [pair for part in parts.values() for pair in part.pairs])
    labels = torch.tensor([label for part in parts.values() for label in part.labels])
    images, until = {}, 0
    for split, part in parts.items():
        rows = torch.arange(until, until := until + len(part.labels))
        images[split] = Images(inputs, labels).take(rows)
    if "test" not in images and "validation" in images:
        images["test"] = images.pop("validation")
    dataset = Dataset(
        name="mrpc",
        train=images["train"],
        validation=images.get("validation"),
        test=images.get("test"),
        num_classes=2,
        class_names=("different", "paraphrase"),
        source="MRPC (GLUE)",
        spec={"vocabulary": known.vocabulary, "length": inputs["tokens"].shape[1]},
    )
    return replace(dataset, fingerprint=content(dataset))


def from_tabs(train: Path) -> dict[str, Labelled]:
    """By split, what is in files with tabs beside ``train``; not of those without labels."""
    parts = {"train": _tabs(train)}
    for split, names in list(TABS.items())[1:]:
        files = [train.parent / name for name in names if (train.parent / name).exists()]
        if files and (found := _tabs(files[0])).labels:
            parts[split] = found
    if not parts["train"].labels:
        raise DataError(f"{train} has no column {LABEL!r}: fetch it again")
    return parts


def _tabs(file: Path) -> Labelled:
    """The rows of a file with tabs; quotation marks in it are part of the sentences."""
    text = originals.read_text(originals.inside(file, file.parent))
    # not splitlines: a sentence may hold what that takes for the end of a line
    header, *rows = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    columns = header.split("\t")
    if lacking := {FIRST, SECOND} - set(columns):
        raise DataError(
            f"{file} has no column {sorted(lacking)[0]!r}; its columns are {', '.join(columns)}"
        )
    pairs, labels = [], []
    for line, row in enumerate(rows, 2):
        fields = dict(zip(columns, row.split("\t"), strict=False))
        if len(fields) < len(columns):
            raise DataError(
                f"line {line} of {file} has {len(fields)} columns where {len(columns)} belong: "
                "fetch it again"
            )
        pairs.append((fields[FIRST].strip(), fields[SECOND].strip()))
        if LABEL in fields:
            labels.append(_label(fields[LABEL], f"line {line} of {file}"))
    if not pairs:
        raise DataError(f"{file} has no rows: fetch it again")
    return Labelled(pairs, labels)


def from_parquet(folder: Path) -> dict[str, Labelled]:
    """By split, what is in the Parquet files in ``folder``; not of those without labels, which
    have -1 for each."""
    parts = {}
    for split, files in shards.find(folder).items():
        rows = [row for file in files for row in _rows(file)]
        if split == "train" or any(label != -1 for *_, label in rows):
            labels = [
                _label(label, f"row {at} of the {split} set in {folder}")
                for at, (*_, label) in enumerate(rows)
            ]
            parts[split] = Labelled([(first, second) for first, second, _ in rows], labels)
    return parts


def _rows(file: Path) -> list[tuple[str, str, Any]]:
    import pyarrow.parquet as pq

    with shards.reading(file):
        opened = pq.ParquetFile(file)
        wanted = [*SENTENCES, NUMBER]
        if lacking := set(wanted) - set(opened.schema_arrow.names):
            raise DataError(
                f"{file} has no column {sorted(lacking)[0]!r}; its columns are "
                f"{', '.join(opened.schema_arrow.names)}"
            )
        columns = [opened.read(columns=[name]).column(0).to_pylist() for name in wanted]
    rows = list(zip(*columns, strict=True))
    for at, row in enumerate(rows):
        if not all(isinstance(text, str) for text in row[:2]):
            raise DataError(f"row {at} of {file} lacks a sentence: fetch it again")
    if not rows:
        raise DataError(f"{file} has no rows: fetch it again")
    return rows


def _label(value: Any, where: str) -> int:
    if str(value) not in ("0", "1"):
        raise DataError(f"{where} has label {value!r}, which is to be 0 or 1: fetch it again")
    return int(value)


__all__ = ["from_parquet", "from_tabs", "mrpc"]
