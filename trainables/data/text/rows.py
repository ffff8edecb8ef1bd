"""Encoded texts as rows of equal length, filled up on the right.

B rows, L places each, A tokens of the longest answer. A ``mask`` is true where there is a token.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from trainables.data.text.tokenizers import Tokenizer
from trainables.tasks.language_modelling import NO_TOKEN

Rows = dict[str, Tensor]


class Completion(NamedTuple):
    """A prompt, and what is to be written after it.

    Attributes:
        reasoning: What comes first.
        answer: What comes last, and by which it is judged, with what announces it.
    """

    prompt: str
    reasoning: str
    answer: str


def completions(tokenizer: Tokenizer, texts: Sequence[Completion]) -> tuple[Rows, Rows]:
    """Inputs and targets of a language model that continues prompts.

    A text is its prompt, reasoning, answer and an end. Each is encoded apart, so that a prompt has
    the tokens that it has alone, and an answer those by which it is found.

    Returns:
        Inputs ``tokens`` int64 (B, L) and ``mask`` bool (B, L): a text but for its end. Targets as
        of `trainables.tasks`: ``tokens``, those one place further; ``counted``, where these are no
        longer of the prompt; ``answer``, (B, A).
    """
    prompts = [tokenizer.encode(text.prompt) for text in texts]
    answers = [[*tokenizer.encode(text.answer), tokenizer.end] for text in texts]
    whole = [
        [*prompt, *tokenizer.encode(text.reasoning), *answer]
        for prompt, text, answer in zip(prompts, texts, answers, strict=True)
    ]
    tokens, there = _filled(whole, tokenizer.pad)
    starts = torch.tensor([len(prompt) for prompt in prompts])
    counted = there & (torch.arange(tokens.shape[1]) >= starts[:, None])
    reversed_answers, known = _filled([answer[::-1] for answer in answers], tokenizer.pad)
    inputs = {"tokens": tokens[:, :-1], "mask": there[:, 1:]}
    targets = {
        "tokens": tokens[:, 1:],
        "counted": counted[:, 1:],
        "answer": reversed_answers.masked_fill(~known, NO_TOKEN).flip(1),
    }
    return inputs, targets


def sentence_pairs(tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]]) -> Rows:
    """Two sentences in a row, as BERT has them: start, first, end, second, end.

    Returns:
        ``tokens`` int64 (B, L), ``mask`` bool (B, L), and ``segments`` int64 (B, L): 1 from the
        second sentence to the last end.
    """
    whole, starts = [], []
    for first, second in pairs:
        opening = [tokenizer.start, *tokenizer.encode(first), tokenizer.end]
        whole.append([*opening, *tokenizer.encode(second), tokenizer.end])
        starts.append(len(opening))
    tokens, mask = _filled(whole, tokenizer.pad)
    second_one = mask & (torch.arange(tokens.shape[1]) >= torch.tensor(starts)[:, None])
    return {"tokens": tokens, "mask": mask, "segments": second_one.long()}


def captions(tokenizer: Tokenizer, texts: Sequence[str], length: int | None = None) -> Rows:
    """Texts by themselves: start, text, end.

    Args:
        length: What a row has more is cut off before its end; None: nothing is.

    Returns:
        ``tokens`` int64 (B, L) and ``mask`` bool (B, L).
    """
    room = None if length is None else max(length - 2, 0)
    whole = [[tokenizer.start, *tokenizer.encode(text)[:room], tokenizer.end] for text in texts]
    tokens, mask = _filled(whole, tokenizer.pad)
    return {"tokens": tokens, "mask": mask}


def _filled(rows: Sequence[list[int]], pad: int) -> tuple[Tensor, Tensor]:
    tokens = torch.full((len(rows), max(map(len, rows))), pad)
    mask = torch.zeros(tokens.shape, dtype=torch.bool)
    for at, row in enumerate(rows):
        tokens[at, : len(row)] = torch.tensor(row)
        mask[at, : len(row)] = True
    return tokens, mask


__all__ = ["Completion", "Rows", "captions", "completions", "sentence_pairs"]
