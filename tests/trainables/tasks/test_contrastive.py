"""InfoNCE and recall, beside slow loops in plain Python."""

from __future__ import annotations

import math

import pytest
import torch

from tests.trainables.tasks import stand_ins
from trainables import tasks
from trainables.tasks.contrastive import recall

TASK = tasks.get("contrastive")
CLOSE = 1e-12


def outputs(n=7, d=4):
    images, texts = torch.randn(2, n, d, generator=stand_ins.draws(), dtype=torch.float64)
    return images, texts, torch.full((n,), -0.7, dtype=torch.float64)


def cosine(a, b) -> float:
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def by_hand(images, texts, log_temperature) -> float:
    scale, n = math.exp(-float(log_temperature[0])), len(images)
    images, texts = images.tolist(), texts.tolist()
    logits = [[scale * cosine(i, t) for t in texts] for i in images]
    total = 0.0
    for k in range(n):
        row = logits[k]
        column = [logits[i][k] for i in range(n)]
        for scores in (row, column):
            total += math.log(sum(map(math.exp, scores))) - scores[k]
    return total / (2 * n)


def test_the_loss_is_the_mean_of_both_directions() -> None:
    found = outputs()
    assert float(TASK(found, torch.arange(7))) == pytest.approx(by_hand(*found), rel=CLOSE)


def recall_by_hand(images, texts, captions, found) -> float:
    """Text to image: of each caption, whether a right image is among the first ``found``."""
    hits = 0
    for k, text in enumerate(texts.tolist()):
        order = sorted(
            range(len(images)),
            key=lambda i: (-cosine(images[i].tolist(), text), captions[i] == captions[k]),
        )
        hits += any(captions[i] == captions[k] for i in order[:found])
    return hits / len(texts)


@pytest.mark.parametrize("repeated", [False, True])
def test_recall_counts_right_ones_among_the_ten_most_similar(repeated: bool) -> None:
    images, texts, temperature = outputs(40, 3)
    captions = torch.arange(40) % (25 if repeated else 40)
    found = TASK.summary(((images, texts, temperature), captions))
    expected = recall_by_hand(images, texts, captions.tolist(), 10)
    assert 0.1 < expected < 0.9
    assert found["recall_at_10"] == pytest.approx(expected, abs=CLOSE)
    other = recall_by_hand(texts, images, captions.tolist(), 10)
    assert other != expected
    assert found["recall_at_10_of_texts"] == pytest.approx(other, abs=CLOSE)
    assert found["error"] == 1 - found["recall_at_10"]
    assert found["nll"] == pytest.approx(by_hand(images, texts, temperature), rel=CLOSE)


def test_features_that_tell_nothing_apart_find_nothing() -> None:
    alike = torch.zeros(30, 30)
    assert recall(alike, torch.arange(30)) == 0.0
    assert recall(alike, torch.zeros(30, dtype=torch.int64)) == 1.0


def test_the_divergence_is_that_of_rows_and_columns() -> None:
    p, q = outputs(), tuple(t.flip(0) for t in outputs())
    scale = math.exp(0.7)

    def logits(found):
        images, texts, _ = found
        return torch.tensor(
            [[scale * cosine(i, t) for t in texts.tolist()] for i in images.tolist()]
        )

    expected = 0.0
    for dim in (0, 1):
        one, two = (logits(found).log_softmax(dim) for found in (p, q))
        expected += float((one.exp() * (one - two)).sum()) / 14
    found = float(TASK.divergence(p, q, None))
    assert found == pytest.approx(expected, rel=1e-5)  # logits by hand are float32
