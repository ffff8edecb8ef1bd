"""CommonsenseQA and StrategyQA with the written reasoning of a teacher, to be learnt by a student.

The files are those that the authors of Fine-tune-CoT (Ho, Schmid and Yun 2023, "Large Language
Models Are Reasoning Teachers") publish with their code, reasoning-teacher; NSO's table 5 fine-tunes
on them. In ``reasoning_teacher`` under the data directory:

    dataset/SET.json                                             {"data": [{"sample_index": 0,
                                                                  "question": "...", "answer": "B"},
                                                                  ...]}
    split/SET__default.json                                      {"train": [0, 2, ...],
                                                                  "test": [1, ...]}
    completion_data/B_text-davinci-002__C_TEACHER/D_SET.json     {"data": {"0": [{"question": "...",
                                                                  "answer": "B", "completion": "B",
                                                                  "reasoning_completion": "..."},
                                                                  ...], ...}}
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch

from trainables.data.base import About, DataError, Dataset, Images, about, content, registry
from trainables.data.prepare import originals
from trainables.data.text.rows import Completion, completions
from trainables.data.text.tokenizers import TokenizerName
from trainables.data.text.tokenizers import tokenizer as tokenizer_of
from trainables.errors import UsageError, reason
from trainables.parse_json import NoJSONError, parse_json
from trainables.registry import Count

FOLDER = "reasoning_teacher"

Teacher = Literal["zs_cot", "zs_cot_t70"]
"""Of the completions: one to each question by greedy decoding (``zs_cot``), or many that were
sampled at temperature 0.7."""

LETTER, YES_OR_NO = r"[ABCDE]", r"(?i:\b(?:yes|no)\b)"
"""An answer, as regular expressions."""


def _about(name: str, title: str, teacher: Teacher) -> About:
    return About(
        f"{title} (language modelling)",
        "get dataset.tar.gz and teacher_completion_data.tar.gz by the links in the README of "
        f"github.com/itsnamgyu/reasoning-teacher, and put {name}.json into {FOLDER}/dataset, "
        f"D_{name}.json into {FOLDER}/completion_data/B_text-davinci-002__C_{teacher}, and "
        f"{name}__default.json, of the code's data/split, into {FOLDER}/split",
        (f"{FOLDER}/dataset/{name}.json",),
    )


about["commonsense_qa"] = _about(
    "commonsense_qa",
    "CommonsenseQA with a teacher's reasoning: 9,741 and 1,221 questions, 5 choices",
    "zs_cot",
)
about["strategy_qa"] = _about(
    "strategy_qa",
    "StrategyQA with a teacher's reasoning: 1,603 and 687 questions, yes or no",
    "zs_cot_t70",
)


@registry.register("commonsense_qa", inputs="tokens", losses=("token_cross_entropy",))
def commonsense_qa(
    *,
    directory: Path,
    teacher: Teacher = "zs_cot",
    rationales: Count = 1,
    tokenizer: TokenizerName = "gpt2",
) -> Dataset:
    """CommonsenseQA (Talmor et al. 2019), with reasoning to write before the answer.

    NSO's code trains on ``ft_cot``: the teacher's one rationale for each question. See
    `trained_on` for the texts.

    Args:
        directory: The data directory.
        teacher: Which completions are learnt.
        rationales: So many of them for each question, of those that are published.
        tokenizer: See `trainables.data.text.tokenizers`.

    Raises:
        DataError: files are missing or damaged, or have not so many rationales.
    """
    return _dataset("commonsense_qa", LETTER, directory, teacher, rationales, tokenizer)


@registry.register("strategy_qa", inputs="tokens", losses=("token_cross_entropy",))
def strategy_qa(
    *,
    directory: Path,
    teacher: Teacher = "zs_cot_t70",
    rationales: Count = 64,
    tokenizer: TokenizerName = "gpt2",
) -> Dataset:
    """StrategyQA (Geva et al. 2021), with reasoning to write before the answer.

    NSO's code trains on ``ft_cot_t70_64aug``: 64 rationales for each question. Otherwise as
    `commonsense_qa`.
    """
    return _dataset("strategy_qa", YES_OR_NO, directory, teacher, rationales, tokenizer)


def _dataset(
    name: str, pattern: str, directory: Path, teacher: Teacher, rationales: int, tokens: str
) -> Dataset:
    files = Files(name, originals.locate(name, directory).parents[1], teacher)
    split, said = files.split(), files.completions()
    learnt, left_out = trained_on(said, split["train"], rationales, pattern)
    tested = tested_on(files.questions(), said, split["test"])
    known = tokenizer_of(tokens, directory, (part for text in learnt for part in text))
    everything = Images(*completions(known, [*learnt, *tested]))
    dataset = Dataset(
        name=name,
        train=everything.take(torch.arange(len(learnt))),
        test=everything.take(torch.arange(len(learnt), len(everything))),
        num_classes=0,
        source=f"{name}, {rationales} rationales of {teacher}",
        notes=(f"rationales that come to another answer, which are left out: {left_out}",),
        spec={"vocabulary": known.vocabulary, "length": everything.base["tokens"].shape[1]},
    )
    return replace(dataset, fingerprint=content(dataset))


class Question(NamedTuple):
    """What is asked, and the right answer."""

    text: str
    answer: str

    def completion(self, reasoning: str) -> Completion:
        """``TEXT ###``, and then `` REASONING --> ANSWER``."""
        written = f" {reasoning}" if reasoning else ""
        return Completion(f"{self.text} ###", written, f" --> {self.answer}")


class Said(NamedTuple):
    """What a teacher said to a question: its reasoning, and what it then said of the answer."""

    question: Question
    reasoning: str
    conclusion: str


def trained_on(
    said: Mapping[int, Sequence[Said]], wanted: Sequence[int], rationales: int, pattern: str
) -> tuple[list[Completion], int]:
    """Of each question its first rationales, but for those that come to another answer: the first
    match of ``pattern`` in the teacher's conclusion is not the right one, or there is none.

    Returns:
        Texts, and how many rationales were left out.

    Raises:
        DataError: there are not so many of a question, or no right ones at all.
    """
    learnt: list[Completion] = []
    for index in wanted:
        found = said.get(index, ())
        if len(found) < rationales:
            raise DataError(
                f"question {index} has {len(found)} rationales and not {rationales}: take fewer "
                "(the option rationales), or those of another teacher"
            )
        learnt += [
            each.question.completion(each.reasoning)
            for each in found[:rationales]
            if concludes(each.conclusion, pattern) == each.question.answer.lower()
        ]
    if not learnt:
        raise DataError("no rationale comes to the right answer: fetch the completions again")
    return learnt, rationales * len(wanted) - len(learnt)


def tested_on(
    questions: Sequence[Question], said: Mapping[int, Sequence[Said]], wanted: Sequence[int]
) -> list[Completion]:
    """The questions, each with the teacher's first rationale, right or wrong, if it has any: their
    loss is of it and of the right answer; `answer_accuracy` is of the answer alone."""
    texts = []
    for index in wanted:
        if index >= len(questions):
            raise DataError(f"there is no question {index}, which the split has: fetch both again")
        first = next((each.reasoning for each in said.get(index, ())), "")
        texts.append(questions[index].completion(first))
    return texts


def concludes(text: str, pattern: str) -> str | None:
    """The first match of ``pattern`` in ``text``, in lower case."""
    found = re.search(pattern, text)
    return found[0].lower() if found else None


@dataclass(frozen=True)
class Files:
    """The published files of a set (see above).

    Raises:
        DataError: one is missing, is no JSON, or has not what it is to have; the message names it.
    """

    name: str
    folder: Path
    teacher: str

    def questions(self) -> list[Question]:
        """All of them, in the order of their numbers."""
        file = self.folder / "dataset" / f"{self.name}.json"
        with _complete(file):
            return [_question(each) for each in self._read(file)["data"]]

    def split(self) -> dict[str, list[int]]:
        """The numbers of the questions for ``train`` and ``test``."""
        file = self.folder / "split" / f"{self.name}__default.json"
        with _complete(file):
            read = self._read(file)
            found = {part: [int(number) for number in read[part]] for part in ("train", "test")}
        if not all(found.values()):
            raise DataError(f"{file} has a part without questions: fetch it again")
        return found

    def completions(self) -> dict[int, list[Said]]:
        """What the teacher said, by the number of the question."""
        where = self.folder / "completion_data" / f"B_text-davinci-002__C_{self.teacher}"
        file = where / f"D_{self.name}.json"
        with _complete(file):
            return {
                int(number): [
                    Said(
                        _question(each),
                        _text(each, "reasoning_completion"),
                        _text(each, "completion"),
                    )
                    for each in all_of_it
                ]
                for number, all_of_it in self._read(file)["data"].items()
            }

    def _read(self, file: Path) -> Any:
        originals.inside(originals.checked_file(file), self.folder)
        try:
            return parse_json(file.read_bytes())
        except NoJSONError as error:
            raise DataError(f"{file} is no JSON ({error}): fetch it again") from None


@contextmanager
def _complete(file: Path) -> Iterator[None]:
    """Within it, a field that is not there is a `DataError` that names ``file``."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{file} has not the form in which it is published ({type(error).__name__}: "
            f"{reason(error)}): fetch it again"
        ) from None


def _question(fields: Mapping[str, Any]) -> Question:
    return Question(_text(fields, "question"), _text(fields, "answer"))


def _text(fields: Mapping[str, Any], name: str) -> str:
    text = fields[name]
    if not isinstance(text, str):
        raise UsageError(f"{name} is {type(text).__name__}, no text")
    return text.strip()


__all__ = ["commonsense_qa", "strategy_qa"]
