"""Arithmetic in words: made-up problems of two or three steps, solved in writing."""

from __future__ import annotations

from functools import partial
from typing import Literal

import torch

from trainables.data.base import About, Dataset, Images, about, registry
from trainables.data.text.drawn import Draws, different
from trainables.data.text.rows import Completion, completions
from trainables.data.text.tokenizers import Bytes, Words
from trainables.registry import Count, Index

about["word_problems"] = About(
    "arithmetic in words, two or three steps, solved in writing (language modelling); computed"
)

NAMES = ("Ann", "Ben", "Eva", "Ian", "Leo", "Mia", "Noa", "Tom")
THINGS = ("apples", "books", "coins", "pens", "shells", "stamps")
GAINS = ("buys {} more", "finds {} more", "gets {} more")
LOSSES = ("loses {}", "sells {}", "gives {} away")


@registry.register("word_problems", inputs="tokens", losses=("token_cross_entropy",))
def word_problems(
    *,
    problems: Count = 1000,
    largest: Count = 9,
    tokenizer: Literal["words", "bytes"] = "words",
    draw: Index = 0,
) -> Dataset:
    """Problems that are to be solved step by step, as in fine-tuning on chains of thought.

        Mia has 7 books. Mia buys 9 more. Mia gives 6 away. How many books does Mia have? ###
         7 + 9 = 16. 16 - 6 = 10. --> 10

    The first line is the prompt, the second is learnt. A stand-in for CommonsenseQA and StrategyQA
    in their form (`trainables.data.sets.rationales`). All problems differ; a quarter as many more
    are the test set.

    Args:
        problems: To train on.
        largest: Of the numbers in a problem.
        tokenizer: Words and digits as tokens, or bytes.
        draw: Seed of the problems.

    Raises:
        UsageError: there are not so many different problems with numbers so small.
    """
    tested = max(1, problems // 4)
    texts = different(partial(problem, largest=largest), problems + tested, draw, "word_problems")
    known = Words(part for text in texts for part in text) if tokenizer == "words" else Bytes()
    inputs, targets = completions(known, texts)
    everything = Images(inputs, targets)
    return Dataset(
        name="word_problems",
        train=everything.take(torch.arange(problems)),
        test=everything.take(torch.arange(problems, problems + tested)),
        num_classes=0,
        source="word problems (computed)",
        spec={"vocabulary": known.vocabulary, "length": inputs["tokens"].shape[1]},
    )


def problem(draws: Draws, largest: int) -> Completion:
    """A problem: somebody has 1 to ``largest`` things, and in two or three steps there become more
    or fewer by 1 to ``largest``, never fewer than none, or twice as many. The reasoning has an
    equation for each step.
    """
    name, things, there = draws.one(NAMES), draws.one(THINGS), 1 + draws.below(largest)
    told, equations = [f"{name} has {there} {things}."], []
    for _ in range(2 + draws.below(2)):
        event, equation, there = _step(draws, there, largest)
        told.append(f"{name} {event}.")
        equations.append(f"{equation} = {there}.")
    told.append(f"How many {things} does {name} have? ###")
    return Completion(" ".join(told), f" {' '.join(equations)}", f" --> {there}")


def _step(draws: Draws, there: int, largest: int) -> tuple[str, str, int]:
    """What happens, one side of its equation, and the other."""
    kind = draws.one("+-*" if there else "+")
    if kind == "*":
        return "doubles them", f"{there} * 2", there * 2
    if kind == "-":
        fewer = 1 + draws.below(min(there, largest))
        return draws.one(LOSSES).format(fewer), f"{there} - {fewer}", there - fewer
    more = 1 + draws.below(largest)
    return draws.one(GAINS).format(more), f"{there} + {more}", there + more


__all__ = ["problem", "word_problems"]
