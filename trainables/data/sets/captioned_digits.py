"""Pictures of handwritten digits with captions that say what is on them: computed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from trainables.data.base import About, Dataset, Images, about, channel_statistics, registry
from trainables.data.sets.digits import digits
from trainables.data.text.rows import captions as rows_of
from trainables.data.text.tokenizers import Words
from trainables.registry import Index
from trainables.seeding import generator

about["captioned_digits"] = About(
    "handwritten digits with captions, such as 'a seven, bold, shifted left': 1,797 pairs; made of "
    "scikit-learn's"
)

NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
STROKES = ("faint", "", "bold")
ACROSS, DOWN = ("left", "", "right"), ("up", "", "down")
STEP = 4
"""Pixels by which a digit of 8x8 is shifted from the middle of a picture of 16x16."""


HELD_OUT = 5
"""Every fifth pair is of the test set."""


@registry.register("captioned_digits", inputs="pairs", losses=("contrastive",))
def captioned_digits(*, draw: Index = 0) -> Dataset:
    """Pairs of a picture and its caption, which are to be found by each other.

    Each of scikit-learn's 1,797 digits is shown once, somewhere in a picture of 16 x 16 pixels, in
    one of three strokes (`pictures`). Every fifth pair is of the test set, 359 in all; of 270
    captions some are of several pictures. Pictures are stored as uint8 and normalized with the mean
    and standard deviation of the training pictures; captions are words, each a number.

    Args:
        draw: Seed of places and strokes.
    """
    shown = digits().train
    pixels, captions = pictures(shown.base, shown.targets, draw)
    words = Words([caption(*choice) for choice in product(range(10), *[range(3)] * 3)])
    base = {"image": pixels, **rows_of(words, captions)}
    held = torch.arange(len(pixels)) % HELD_OUT == HELD_OUT - 1
    everything = Images(base, numbered(captions))
    train, test = (everything.take(part.nonzero()[:, 0]) for part in (~held, held))
    mean, std = channel_statistics(pixels[~held])
    return Dataset(
        name="captioned_digits",
        train=train,
        test=test,
        num_classes=0,
        mean=mean,
        std=std,
        source="handwritten digits with captions (computed)",
        spec={
            "channels": 1,
            "size": pixels.shape[-1],
            "vocabulary": words.vocabulary,
            "length": base["tokens"].shape[1],
        },
    )


def pictures(shown: Tensor, labels: Tensor, draw: int) -> tuple[Tensor, list[str]]:
    """Each digit somewhere in a picture, in some stroke, and what is to be said of that.

    Args:
        shown: uint8 (N, 1, 8, 8).
        labels: int64 (N,).
        draw: Seed of places and strokes, which are uniform.

    Returns:
        uint8 (N, 1, 16, 16), and N captions such as ``"a seven, bold, shifted left and up"``.
    """
    draws = generator(draw, "captioned_digits")
    stroke, across, down = torch.randint(3, (3, len(shown)), generator=draws)
    canvas = torch.zeros(len(shown), 1, 16, 16, dtype=torch.uint8)
    for index, digit in enumerate(shown):
        x, y = STEP * int(across[index]), STEP * int(down[index])
        canvas[index, :, y : y + 8, x : x + 8] = digit
    canvas = torch.where((stroke == 0).view(-1, 1, 1, 1), canvas // 3, canvas)
    thick = max_pool2d(canvas.float(), 3, stride=1, padding=1).to(torch.uint8)
    canvas = torch.where((stroke == 2).view(-1, 1, 1, 1), thick, canvas)
    choices = zip(labels.tolist(), stroke.tolist(), across.tolist(), down.tolist(), strict=True)
    return canvas, [caption(*choice) for choice in choices]


def caption(digit: int, stroke: int, across: int, down: int) -> str:
    """What is said of a picture; what is as usual is not said."""
    article = "an" if digit == 8 else "a"
    where = " and ".join(filter(None, (ACROSS[across], DOWN[down])))
    said = [f"{article} {NAMES[digit]}", STROKES[stroke], where and f"shifted {where}"]
    return ", ".join(filter(None, said))


def numbered(captions: Sequence[str]) -> Tensor:
    """int64 (N,): equal for equal captions, from 0 in the order in which they come."""
    numbers: dict[str, int] = {}
    return torch.tensor([numbers.setdefault(text, len(numbers)) for text in captions])
