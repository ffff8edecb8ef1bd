"""Images and their captions: each is to be found among all by the other.

Letters in shapes: B pairs, D features.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from trainables.divergence import kl_divergence
from trainables.tasks.base import Task, registry

FOUND = 10
"""Among so many of the most similar ones the right one is looked for (recall@10)."""


@registry.register("contrastive")
class Contrastive(Task):
    """Symmetric InfoNCE (CLIP): the mean of two cross-entropies, of a pair's caption among those
    of the batch given the image, and of its image given the caption. Logits are the cosines of
    their features over the temperature, which is learned.

    It is of the whole batch: over several workers every pair is told from those of all of them.
    A rule that passes parts of a batch one by one would tell it from those of its own part alone,
    which is another loss: such options are refused.
    """

    class_labels = False
    whole_batch = True
    records = ("nll", "recall_at_10", "recall_at_10_of_texts", "error")
    evaluation_batch = 250

    def __call__(self, outputs: Any, targets: Any) -> Tensor:
        logits = similarities(*outputs)
        own = torch.arange(len(logits), device=logits.device)
        return (functional.cross_entropy(logits, own) + functional.cross_entropy(logits.T, own)) / 2

    def divergence(self, p: Any, q: Any, targets: Any) -> Tensor:
        """The mean of both directions', as in the loss."""
        one, two = similarities(*p), similarities(*q)
        return (kl_divergence(one, two) + kl_divergence(one.T, two.T)) / 2

    def summary(self, judged: Any) -> dict[str, float]:
        """``nll``, the loss with all pairs of the split in one batch; ``recall_at_10``: of the
        captions, the fraction whose image is among the ten most similar images (text to image, as
        NSO's table 5); ``recall_at_10_of_texts``: of the images, that whose caption is among the
        ten captions; ``error``: 1 - ``recall_at_10``."""
        outputs, captions = judged
        outputs = tuple(output.double() for output in outputs)
        logits = similarities(*outputs)
        images, texts = (recall(found, captions) for found in (logits.T, logits))
        return {
            "nll": float(self(outputs, captions)),
            "recall_at_10": images,
            "recall_at_10_of_texts": texts,
            "error": 1 - images,
        }


def similarities(images: Tensor, texts: Tensor, log_temperature: Tensor) -> Tensor:
    """cos(image, text) / temperature, (B, B): a row for each image.

    Args:
        images, texts: (B, D), of any length.
        log_temperature: (B,), all the same number.
    """
    cosines = functional.normalize(images, dim=1) @ functional.normalize(texts, dim=1).T
    return cosines * (-log_temperature.mean()).exp()


def recall(similarity: Tensor, captions: Tensor, found: int = FOUND) -> float:
    """The fraction of rows whose right column is among the ``found`` most similar.

    A column is right if its caption is the row's. One that is as similar as the most similar right
    one is before it, so that features which tell nothing apart find nothing.

    Args:
        similarity: (n, n).
        captions: int64 (n,).
    """
    right = captions[:, None] == captions
    best = similarity.masked_fill(~right, -torch.inf).amax(1, keepdim=True)
    before = ((similarity >= best) & ~right).sum(1)
    return float((before < found).double().mean())


__all__ = ["Contrastive", "recall", "similarities"]
