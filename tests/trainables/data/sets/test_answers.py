"""Answers that a language model writes, judged by the task and read as a person reads them."""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn

from trainables import data, tasks
from trainables.structures import take

TASK = tasks.get("token_cross_entropy")


def text(tokens: list[int]) -> str:
    """Of bytes after three marks; an end is a line's."""
    return bytes(t - 3 if t > 2 else ord("\n") for t in tokens).decode()


class Reciter(nn.Module):
    """Writes what it was told to after each prompt, byte by byte, and then ends.

    Args:
        told: By prompt.
    """

    def __init__(self, told: dict[str, str]) -> None:
        super().__init__()
        self.told = told

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        logits = torch.zeros(*inputs["tokens"].shape, 259)
        for row, tokens in enumerate(inputs["tokens"].tolist()):
            for place in range(len(tokens)):
                logits[row, place, self.next(text(tokens[: place + 1]))] = 9.0
        return logits

    def next(self, before: str) -> int:
        prompt, mark, written = before.partition("###")
        whole = self.told.get(prompt + mark, "")
        if not mark or not whole.startswith(written):
            return 3 + ord("?")
        return 2 if written == whole else 3 + whole.encode()[len(written)]


def recited(right: str) -> list[str]:
    """What may be written where ``right`` is the solution."""
    reasoning, _, number = right.partition(" --> ")
    return [
        right,
        f" I know. --> {number}",
        f"{reasoning} --> {int(number) + 1}",
        f"{reasoning} --> 1{number}",
        f"{reasoning} {number}",
        f"{right}.",
        f"{reasoning} --> {number} --> {number}",
        " --> ",
    ]


def test_an_answer_is_right_if_it_is_the_last_thing_and_the_number() -> None:
    found = data.build("word_problems", problems=31, tokenizer="bytes").train
    inputs, targets = found.inputs, found.targets
    told, right = {}, []
    for row in range(len(found)):
        counted = targets["counted"][row]
        solution = text(targets["tokens"][row][counted].tolist()).removesuffix("\n")
        length = int(inputs["mask"][row].sum()) + 1 - int(counted.sum())
        prompt = text(inputs["tokens"][row][:length].tolist())
        written = recited(solution)[row % 8]
        told[prompt] = written
        answer = re.search(r"--> (\d+)$", written)
        ends = length + len(written) <= inputs["tokens"].shape[1]  # else no place is left for it
        right.append(bool(answer) and ends and answer[1] == solution.rpartition(" ")[2])
    judged = TASK.judge(Reciter(told), inputs, targets)
    assert judged["right"].tolist() == right
    assert TASK.summary(judged)["answer_accuracy"] == sum(right) / len(right)
    assert 0 < sum(right) < len(right)
    part = TASK.judge(Reciter(told), take(inputs, slice(3)), take(targets, slice(3)))
    assert part["right"].tolist() == right[:3]
