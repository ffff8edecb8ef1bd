"""CommonsenseQA and StrategyQA from small files in the form of reasoning-teacher's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.trainables.data.text_originals import TEACHERS, TRAIN, question, write_rationales
from trainables import data
from trainables.data.base import DataError, Dataset
from trainables.data.sets.rationales import LETTER, YES_OR_NO, concludes

SETS = sorted(TEACHERS)


def load(directory: Path, name: str = "commonsense_qa", **options: Any) -> Dataset:
    return data.build(name, **{"tokenizer": "bytes", "directory": directory, **options})


def texts(part: Any) -> list[tuple[str, str]]:
    """Prompt and completion of each row; tokens are bytes after three marks."""
    found = []
    inputs, targets = part.inputs, part.targets
    for row in range(len(part)):
        tokens = inputs["tokens"][row][inputs["mask"][row]].tolist()
        written = targets["tokens"][row][targets["counted"][row]].tolist()
        prompt = tokens[: len(tokens) + 1 - len(written)]
        assert written[-1] < 3, "the end"
        found.append(tuple(bytes(t - 3 for t in part).decode() for part in (prompt, written[:-1])))
    return found


def test_each_question_is_learnt_with_its_first_rationale_if_that_is_right(tmp_path: Path) -> None:
    write_rationales(tmp_path, "commonsense_qa")
    found = load(tmp_path)
    assert texts(found.train) == [
        ("Question 0? (A) a (B) b ###", " Reason 0 of 0. --> A"),
        ("Question 2? (A) a (B) b ###", " Reason 0 of 2. --> C"),
        ("Question 3? (A) a (B) b ###", " Reason 0 of 3. --> D"),
    ]
    assert found.notes == ("rationales that come to another answer, which are left out: 1",)


def test_a_question_is_learnt_with_several_rationales(tmp_path: Path) -> None:
    write_rationales(tmp_path, "strategy_qa", rationales=3)
    found = load(tmp_path, "strategy_qa", rationales=2)
    assert texts(found.train) == [
        (f"{question(n)} ###", f" Reason {index} of {n}. --> {'no' if n % 2 else 'yes'}")
        for n in TRAIN
        for index in range(2)
        if (n, index) != (4, 0)
    ]


def test_questions_to_test_on_have_the_first_rationale_if_there_is_one(tmp_path: Path) -> None:
    write_rationales(tmp_path, "commonsense_qa")
    assert texts(load(tmp_path).test) == [
        ("Question 1? (A) a (B) b ###", " Reason 0 of 1. --> B"),
        ("Question 5? (A) a (B) b ###", " --> A"),
    ]


@pytest.mark.parametrize("name", SETS)
def test_what_was_read_has_a_digest_of_its_own(name: str, tmp_path: Path) -> None:
    digests = set()
    for at, (rationales, tokenizer) in enumerate([(1, "bytes"), (2, "bytes"), (2, "words")]):
        write_rationales(tmp_path / str(at), name)
        options = {"rationales": rationales, "tokenizer": tokenizer}
        digests.add(load(tmp_path / str(at), name, **options).digest)
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        (" (C) because A", LETTER, "c"),
        ("a cab", LETTER, None),
        ("Yes, no.", YES_OR_NO, "yes"),
        ("not known, NO", YES_OR_NO, "no"),
        ("yesterday", YES_OR_NO, None),
    ],
)
def test_a_conclusion_is_the_first_answer_in_it(
    text: str, pattern: str, expected: str | None
) -> None:
    assert concludes(text, pattern) == expected


def changed(file: Path, change: Any) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


COMPLETIONS = "completion_data/B_text-davinci-002__C_zs_cot/D_commonsense_qa.json"
ASKED = "dataset/commonsense_qa.json"
SPLIT = "split/commonsense_qa__default.json"


@pytest.mark.parametrize(
    ("file", "change", "pattern"),
    [
        (ASKED, lambda c: c["data"][1].pop("question"), "KeyError: 'question'"),
        (ASKED, lambda c: c.update(data=3), "TypeError"),
        (ASKED, lambda c: c["data"][1].update(answer=1), "answer is int, no text"),
        (ASKED, lambda c: c["data"].pop(), "there is no question 5"),
        (SPLIT, lambda c: c.pop("test"), "KeyError: 'test'"),
        (SPLIT, lambda c: c.update(test=[]), "a part without questions"),
        (SPLIT, lambda c: c["train"].append(5), "question 5 has 0 rationales and not 1"),
        (COMPLETIONS, lambda c: c["data"].clear(), "question 0 has 0 rationales"),
        (COMPLETIONS, lambda c: c.clear(), "KeyError: 'data'"),
        (COMPLETIONS, lambda c: c["data"]["0"][0].update(completion=None), "is NoneType, no text"),
    ],
)
def test_damaged_files_are_one_sentence(
    file: str, change: Any, pattern: str, tmp_path: Path
) -> None:
    write_rationales(tmp_path, "commonsense_qa")
    changed(tmp_path / "reasoning_teacher" / file, change)
    with pytest.raises(DataError, match=pattern) as error:
        load(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("file", [ASKED, SPLIT, COMPLETIONS])
def test_files_that_are_cut_or_not_there_are_named(file: str, tmp_path: Path) -> None:
    write_rationales(tmp_path, "commonsense_qa")
    path = tmp_path / "reasoning_teacher" / file
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"is no JSON \(.*\): fetch it again") as error:
        load(tmp_path)
    assert str(path) in str(error.value)
    path.unlink()
    with pytest.raises(DataError, match="is missing") as error:
        load(tmp_path)
    assert str(path) in str(error.value)


def test_rationales_that_are_all_wrong_are_refused(tmp_path: Path) -> None:
    write_rationales(tmp_path, "commonsense_qa")
    file = tmp_path / "reasoning_teacher" / COMPLETIONS

    def mislead(content: Any) -> None:
        for said in content["data"].values():
            said[0]["completion"] = "none"

    changed(file, mislead)
    with pytest.raises(DataError, match="no rationale comes to the right answer"):
        load(tmp_path)
