"""The next token, and text that is written from a prompt.

Letters in shapes: B samples, L places, V words of the vocabulary, A tokens of an answer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.structures import take
from trainables.tasks.base import Task, registry

NO_TOKEN = -1
"""Fills an answer that is shorter than the batch's longest, at its left."""


@registry.register("token_cross_entropy")
class LanguageModelling(Task):
    """Mean over samples of the mean of -log softmax(logits)[token] over a sample's counted places.

    A mean over samples, and not over all counted tokens of the batch: so it is the same loss
    whether a batch is whole, in microbatches, or shared by workers, and a split's loss does not
    depend on how it is cut into batches. A text of few tokens weighs as much as one of many. A
    sample with no counted place has loss 0.

    ``tokens`` may be probabilities (B, L, V) instead, as label smoothing makes them.
    """

    evaluation_batch = 64
    records = ("nll", "token_nll", "perplexity", "answer_accuracy", "error")

    def __call__(self, outputs: Any, targets: Any) -> Tensor:
        return _of_samples(token_losses(outputs, targets["tokens"]), targets["counted"]).mean()

    def divergence(self, p: Any, q: Any, targets: Any) -> Tensor:
        """Of the counted places, weighted as in the loss."""
        log_p, log_q = p.log_softmax(-1), q.log_softmax(-1)
        apart = (log_p.exp() * (log_p - log_q)).sum(-1)
        return _of_samples(apart, targets["counted"]).mean()

    def judge(self, model: nn.Module, inputs: Any, targets: Any) -> dict[str, Tensor]:
        logits, counted = model(inputs), targets["counted"]
        losses = token_losses(logits, targets["tokens"]).double().masked_fill(~counted, 0.0)
        judged = {"losses": losses.sum(1), "counted": counted.sum(1)}
        if "answer" in targets:
            written = greedy(model, inputs, counted, targets["answer"][:, -1])
            judged["right"] = ends_with(written, targets["answer"])
        return judged

    def summary(self, judged: Any) -> dict[str, float]:
        """``nll``, the loss; ``token_nll``, the mean over all counted tokens, and its exponential
        ``perplexity``. Where the data have answers, ``answer_accuracy``: the fraction of samples
        of which the text written by `greedy` ends with the answer; ``error`` is the others'."""
        losses, counted = judged["losses"], judged["counted"]
        token_nll = float(losses.sum() / counted.sum().clamp_min(1))
        numbers = {
            "nll": float((losses / counted.clamp_min(1)).mean()),
            "token_nll": token_nll,
            "perplexity": math.exp(min(token_nll, 700.0)),
        }
        if "right" in judged:
            accuracy = float(judged["right"].double().mean())
            numbers |= {"answer_accuracy": accuracy, "error": 1 - accuracy}
        return numbers


def token_losses(logits: Tensor, tokens: Tensor) -> Tensor:
    """-log softmax(logits)[token] of every place, (B, L); tokens are ids or probabilities."""
    classes = logits.shape[-1]
    wanted = tokens.flatten(0, 1)
    return functional.cross_entropy(logits.reshape(-1, classes), wanted, reduction="none").view(
        logits.shape[:2]
    )


def _of_samples(values: Tensor, counted: Tensor) -> Tensor:
    """The mean of each sample's values at its counted places, (B,)."""
    return values.masked_fill(~counted, 0.0).sum(1) / counted.sum(1).clamp_min(1)


@torch.no_grad()
def greedy(model: nn.Module, inputs: Mapping[str, Tensor], counted: Tensor, end: Tensor) -> Tensor:
    """What the model writes from each prompt, of all tokens the most likely each time.

    The prompt goes up to the first counted place, whose token is the first that is written. The
    model sees no token after the place that it continues.

    Args:
        inputs: ``tokens`` int64 (B, L) and whatever else the model is given, (B, L) each; a
            ``mask`` is true where there is a token.
        counted: bool (B, L).
        end: int64 (B,), the token with which each sample's text ends.

    Returns:
        int64 (B, L): the token after each place; `NO_TOKEN` before the prompt's end and after the
        text's.
    """
    length = counted.shape[1]
    first = torch.where(counted.any(1), counted.int().argmax(1), length)
    written = torch.full_like(inputs["tokens"], NO_TOKEN)
    given = {name: tensor.clone() for name, tensor in inputs.items()}
    writing = torch.ones_like(end, dtype=torch.bool)
    for place in range(int(first.min()), length):
        here = writing & (first <= place)
        if not here.any():
            if not writing[first > place].any():
                break
            continue
        seen = {name: tensor[:, : place + 1] for name, tensor in take(given, here).items()}
        chosen = model(seen)[:, place].argmax(-1)
        written[here, place] = chosen
        writing[here] = chosen != end[here]
        if place + 1 < length:
            given["tokens"][here, place + 1] = chosen
            if "mask" in given:
                given["mask"][here, place + 1] = True
    return written


def ends_with(written: Tensor, answer: Tensor) -> Tensor:
    """Whether each text ends with its answer, bool (B,).

    Args:
        written: int64 (B, L), see `greedy`.
        answer: int64 (B, A), the tokens with which a right text ends, its end included; those of
            shorter ones are at the right, after `NO_TOKEN`. To be told from a longer answer that
            ends alike, it begins with what announces it, such as "the answer is".
    """
    length, width = written.shape[1], answer.shape[1]
    after = length - (written != NO_TOKEN).flip(1).int().argmax(1)  # the place after the last
    places = after[:, None] - width + torch.arange(width, device=written.device)
    tail = written.gather(1, places.clamp_min(0)).masked_fill(places < 0, NO_TOKEN)
    return ((tail == answer) | (answer == NO_TOKEN)).all(1)


__all__ = ["NO_TOKEN", "LanguageModelling", "ends_with", "greedy", "token_losses"]
