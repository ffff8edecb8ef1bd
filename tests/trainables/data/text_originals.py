"""Small files of texts in the format of their publishers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ANSWERS = {"commonsense_qa": "ABCDE", "strategy_qa": ("yes", "no")}
TEACHERS = {"commonsense_qa": "zs_cot", "strategy_qa": "zs_cot_t70"}

TRAIN, TEST, WRONG = (0, 2, 3, 4), (1, 5), 4
"""Numbers of the questions; of the wrong one the first rationale comes to another answer. Of the
last one there is none."""


def answer(name: str, number: int) -> str:
    """Of question ``number``."""
    return ANSWERS[name][number % len(ANSWERS[name])]


def question(number: int) -> str:
    return f"Question {number}? (A) a (B) b"


def write_rationales(directory: Path, name: str, rationales: int = 2) -> None:
    """Those of reasoning-teacher."""
    root = directory / "reasoning_teacher"

    def said(number: int, index: int) -> dict[str, Any]:
        wrong = number == WRONG and index == 0
        concluded = answer(name, number + 1 if wrong else number)
        return {
            "sample_index": number,
            "completion_index": index,
            "question": f" {question(number)}\n",
            "answer": answer(name, number),
            "reasoning_prompt": f"Q: {question(number)}\nA: Let's think step by step.",
            "reasoning_completion": f"\n\nReason {index} of {number}.",
            "prompt": "...",
            "completion": f" {concluded.title()}, or {answer(name, number + 2)}.",
        }

    everything = range(len(TRAIN) + len(TEST))
    asked = [
        {"sample_index": n, "question": question(n), "answer": answer(name, n)} for n in everything
    ]
    told = {str(n): [said(n, index) for index in range(rationales)] for n in everything[:-1]}
    metadata = {"dataset_key": name}
    for file, content in (
        (f"dataset/{name}.json", {"metadata": metadata, "data": asked}),
        (f"split/{name}__default.json", {"train": TRAIN, "test": TEST}),
        (
            f"completion_data/B_text-davinci-002__C_{TEACHERS[name]}/D_{name}.json",
            {"metadata": metadata, "data": told},
        ),
    ):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(json.dumps(content))


PAIRS = [(f'He said {n} "things .', f"{n} things were 'said by him .", n % 2) for n in range(30)]
"""Sentences with quotation marks of which some are never closed, as in the corpus."""


def write_tabs(file: Path, pairs: list[tuple[str, str, int]], labels: bool = True) -> None:
    """GLUE's, and the corpus's own."""
    columns = ["Quality" if labels else "index", "#1 ID", "#2 ID", "#1 String", "#2 String"]
    rows = [
        f"{label if labels else at}\t{1000 + at}\t{2000 + at}\t{first}\t{second}"
        for at, (first, second, label) in enumerate(pairs)
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\ufeff" + "\r\n".join(["\t".join(columns), *rows]) + "\r\n", "utf-8")


def write_pairs(file: Path, pairs: list[tuple[str, str, int]]) -> None:
    """A data hub's."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    first, second, label = (list(column) for column in zip(*pairs, strict=True))
    numbers = list(range(len(pairs)))
    table = {"sentence1": first, "sentence2": second, "label": label, "idx": numbers}
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(table), file)


def write_mrpc(directory: Path) -> None:
    write_tabs(directory / "mrpc" / "train.tsv", PAIRS[:20])
    write_tabs(directory / "mrpc" / "dev.tsv", PAIRS[20:24])
    write_tabs(directory / "mrpc" / "test.tsv", PAIRS[24:], labels=False)
