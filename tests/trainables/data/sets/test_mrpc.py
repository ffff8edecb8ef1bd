"""MRPC in each form in which it is published."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.trainables.data.text_originals import PAIRS, write_pairs, write_tabs
from trainables import data
from trainables.data.base import DataError, Dataset, Images

PARTS = {"train": PAIRS[:20], "validation": PAIRS[20:24], "test": PAIRS[24:]}
FILES = {"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv"}
Pairs = list[tuple[str, str, int]]


def load(directory: Path) -> Dataset:
    return data.build("mrpc", directory=directory, tokenizer="bytes")


def pairs(part: Images | None) -> Pairs | None:
    """The sentences and the label of each row; tokens are bytes after three marks."""
    if part is None:
        return None
    found = []
    for tokens, mask, label in zip(
        part.inputs["tokens"].tolist(),
        part.inputs["mask"].tolist(),
        part.targets.tolist(),
        strict=True,
    ):
        said = [t for t, there in zip(tokens, mask, strict=True) if there]
        text = bytes(t - 3 if t > 2 else ord("|") for t in said).decode()
        _, first, second, end = text.split("|")
        assert end == ""
        found.append((first, second, label))
    return found


def read(found: Dataset) -> dict[str, Pairs | None]:
    return {part: pairs(getattr(found, part)) for part in PARTS}


def test_glues_files(tmp_path: Path) -> None:
    """Its test set has no labels: the dev set is tested on, and nothing is held out twice."""
    for part, file in FILES.items():
        write_tabs(tmp_path / "mrpc" / file, PARTS[part], labels=part != "test")
    found = read(load(tmp_path))
    assert found == {"train": PAIRS[:20], "validation": None, "test": PAIRS[20:24]}


def test_glues_files_beside_the_corpus_from_which_they_are_made(tmp_path: Path) -> None:
    for part, file in FILES.items():
        write_tabs(tmp_path / "mrpc" / file, PARTS[part], labels=part != "test")
    write_tabs(tmp_path / "mrpc" / "msr_paraphrase_train.txt", PAIRS[:24])
    write_tabs(tmp_path / "mrpc" / "msr_paraphrase_test.txt", PARTS["test"])
    assert read(load(tmp_path)) == PARTS


def test_the_corpus_itself(tmp_path: Path) -> None:
    write_tabs(tmp_path / "mrpc" / "msr_paraphrase_train.txt", PAIRS[:24])
    write_tabs(tmp_path / "mrpc" / "msr_paraphrase_test.txt", PARTS["test"])
    found = read(load(tmp_path))
    assert found == {"train": PAIRS[:24], "validation": None, "test": PARTS["test"]}


@pytest.mark.parametrize(
    "form", ["{}.parquet", "{}-00000-of-00001.parquet", "data/{}-00000-of-00001.parquet"]
)
@pytest.mark.parametrize("labels", [True, False])
def test_a_data_hubs_files(form: str, labels: bool, tmp_path: Path) -> None:
    for part, found in PARTS.items():
        known = labels or part != "test"
        rows = found if known else [(first, second, -1) for first, second, _ in found]
        write_pairs(tmp_path / "mrpc" / form.format(part), rows)
    expected = PARTS if labels else {**PARTS, "validation": None, "test": PARTS["validation"]}
    assert read(load(tmp_path)) == expected


def test_forms_have_one_digest_and_other_labels_another(tmp_path: Path) -> None:
    for part, rows in PARTS.items():
        write_pairs(tmp_path / "hub" / "mrpc" / f"{part}.parquet", rows)
        other = [(a, b, 1 - label) for a, b, label in rows] if part == "train" else rows
        write_pairs(tmp_path / "other" / "mrpc" / f"{part}.parquet", other)
    write_tabs(tmp_path / "tabs" / "mrpc" / "train.tsv", PARTS["train"])
    write_tabs(tmp_path / "tabs" / "mrpc" / "dev.tsv", PARTS["validation"])
    write_tabs(tmp_path / "tabs" / "mrpc" / "msr_paraphrase_test.txt", PARTS["test"])
    hub, tabs, other = (load(tmp_path / name).digest for name in ("hub", "tabs", "other"))
    assert hub == tabs != other


def train_file(directory: Path, change: Any) -> Path:
    file = directory / "mrpc" / "train.tsv"
    write_tabs(file, PAIRS[:3])
    file.write_text(change(file.read_text("utf-8-sig")))
    return file


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        (lambda t: t.replace("#2 String", "second"), "has no column '#2 String'"),
        (lambda t: t.replace("Quality", "label"), "has no column 'Quality'"),
        (lambda t: t.replace("1\t1001", "2\t1001"), "line 3 of .* has label '2'"),
        (lambda t: t.replace("\t2001", ""), "line 3 of .* has 4 columns where 5 belong"),
        (lambda t: t.splitlines()[0], "has no rows"),
        (lambda t: "", "is empty"),
    ],
)
def test_a_damaged_file_with_tabs(change: Any, pattern: str, tmp_path: Path) -> None:
    file = train_file(tmp_path, change)
    with pytest.raises(DataError, match=pattern) as error:
        load(tmp_path)
    assert re.search(re.escape(str(file)), str(error.value))


@pytest.mark.parametrize(
    ("rows", "pattern"),
    [
        ([("a", None, 1), ("c", "d", 0)], "row 0 of .* lacks a sentence"),
        ([("a", "b", 1), ("c", "d", 7)], "row 1 of the train set in .* has label 7"),
        ([("a", "b", 1), ("c", "d", None)], "row 1 of the train set in .* has label None"),
    ],
)
def test_a_damaged_parquet_file(rows: Any, pattern: str, tmp_path: Path) -> None:
    write_pairs(tmp_path / "mrpc" / "train.parquet", rows)
    with pytest.raises(DataError, match=pattern):
        load(tmp_path)


def test_parquet_without_a_column(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "mrpc").mkdir()
    pq.write_table(pa.table({"sentence1": ["a"], "label": [1]}), tmp_path / "mrpc/train.parquet")
    with pytest.raises(DataError, match="has no column 'sentence2'; its columns are sentence1"):
        load(tmp_path)
