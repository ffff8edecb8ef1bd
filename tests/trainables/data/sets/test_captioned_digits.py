"""Pictures of digits: what their captions say is what is on them, and can be learnt."""

from __future__ import annotations

import itertools

import pytest
import torch

from trainables import data
from trainables.config import TrialConfig
from trainables.data.base import channel_statistics, content
from trainables.data.loader import BatchLoader
from trainables.data.sets.captioned_digits import NAMES, caption, numbered, pictures
from trainables.data.splits import split
from trainables.data.text.tokenizers import Words
from trainables.fields import Data
from trainables.train import Execution, fit


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ((7, 2, 0, 1), "a seven, bold, shifted left"),
        ((8, 1, 1, 1), "an eight"),
        ((0, 0, 2, 2), "a zero, faint, shifted right and down"),
        ((3, 1, 1, 0), "a three, shifted up"),
    ],
)
def test_captions_say_what_is_not_as_usual(choice: tuple[int, int, int, int], said: str) -> None:
    assert caption(*choice) == said


def test_each_combination_has_a_caption_of_its_own() -> None:
    every = [caption(*choice) for choice in itertools.product(range(10), *[range(3)] * 3)]
    assert len(set(every)) == len(every) == 270


def test_a_picture_shows_what_its_caption_says() -> None:
    """Found in the picture itself: where the digit is, how thick and how bright."""
    dataset = data.load("digits")
    shown, labels = dataset.train.base[:300], dataset.train.targets[:300]
    found, captions = pictures(shown, labels, draw=5)
    assert found.shape == (300, 1, 16, 16)
    assert found.dtype == torch.uint8
    for digit, label, picture, said in zip(shown, labels.tolist(), found, captions, strict=True):
        assert said.split(",")[0].split()[1] == NAMES[label]
        x = {"left": 0, "right": 8}.get(next((w for w in ("left", "right") if w in said), ""), 4)
        y = {"up": 0, "down": 8}.get(next((w for w in ("up", "down") if w in said), ""), 4)
        part = picture[:, y : y + 8, x : x + 8]
        around = picture.clone()
        if "bold" in said:
            for row, column in itertools.product(range(16), repeat=2):
                at = [
                    int(digit[0, r - y, c - x])
                    for r in range(row - 1, row + 2)
                    for c in range(column - 1, column + 2)
                    if 0 <= r - y < 8 and 0 <= c - x < 8
                ]
                assert picture[0, row, column] == max(at, default=0)
        else:
            assert torch.equal(part, digit // 3 if "faint" in said else digit)
            around[:, y : y + 8, x : x + 8] = 0
            assert not around.any()


def test_equal_captions_have_equal_numbers() -> None:
    assert numbered(["b", "a", "b", "c", "a"]).tolist() == [0, 1, 0, 2, 1]


def test_a_batch_is_of_normalized_pictures_and_words() -> None:
    dataset = data.load("captioned_digits")
    assert dataset.test is not None
    assert (len(dataset.train), len(dataset.test)) == (1438, 359)
    parts = split(dataset, Data(validation=0), 0)
    train = parts.train.inputs["image"]
    mean, std = channel_statistics(train)
    assert (dataset.mean, dataset.std) == (mean, std)
    inputs, targets = next(
        iter(BatchLoader(parts.train, 32, (), parts.mean, parts.std, shuffle=False))
    )
    expected = (train[:32].double() / 255 - mean[0]) / std[0]
    torch.testing.assert_close(inputs["image"].double(), expected, rtol=1e-5, atol=1e-6)
    shown = data.load("digits").train
    _, captions = pictures(shown.base, shown.targets, draw=0)
    kept = [text for at, text in enumerate(captions) if at % 5 != 4]
    every = [caption(*choice) for choice in itertools.product(range(10), *[range(3)] * 3)]
    words = Words(every)
    for text, tokens, mask in zip(kept, inputs["tokens"], inputs["mask"], strict=False):
        assert tokens[mask].tolist() == [words.start, *words.encode(text), words.end]
    assert dataset.spec == {
        "channels": 1,
        "size": 16,
        "vocabulary": words.vocabulary,
        "length": max(len(words.encode(text)) for text in captions) + 2,
    }
    assert [captions.index(text) for text in kept[:32]] == [
        captions.index(next(t for t, n in zip(captions, numbered(captions), strict=True) if n == i))
        for i in targets
    ]


def test_pairs_are_those_of_their_seed() -> None:
    one, again, other = (data.build("captioned_digits", draw=seed) for seed in (1, 1, 2))
    assert content(one) == content(again) != content(other)


def test_pictures_are_found_by_captions_after_a_short_training() -> None:
    """A caption of m pictures among n finds one of them among ten that are drawn with probability
    10 m / n at most; captions do so independently. 5 standard deviations above their mean is
    reached by chance with probability below 1e-6.
    """
    trial = TrialConfig(
        data={"source": "captioned_digits", "validation": 0},
        model="clip_tiny",
        loss="contrastive",
        optimizer={"name": "adamw", "lr": 0.003},
        epochs=5,
        batch_size=64,
    )
    captions = data.load("captioned_digits").test.targets
    chance = float((captions[:, None] == captions).sum(1).double().mean()) * 10 / len(captions)
    history = fit(trial, Execution(device="cpu")).history
    assert history["test_recall_at_10"][-1] > chance + 5 * (chance / len(captions)) ** 0.5
