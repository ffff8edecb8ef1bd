"""Augmentations draw from the distribution they state: chi-square and binomial tests.

Sample counts and generators are fixed. Each test refuses at a false-alarm rate of 1e-6: it is
passed now and, the draws being fixed, always; a changed law or a changed way of drawing meets
the critical value anew, and would be refused by chance once in a million such changes.
"""

from collections import Counter

import pytest
import torch
from scipy import stats

from trainables.data.augment import autoaugment, moves
from trainables.seeding import generator

ALARM = 1e-6
N = 20_000


def refuse(counts, expected):
    """The chi-square statistic exceeds its critical value."""
    counts, expected = torch.as_tensor(counts).double(), torch.as_tensor(expected).double()
    assert expected.min() > 5  # the approximation's condition
    statistic = float(((counts - expected) ** 2 / expected).sum())
    return statistic > stats.chi2.isf(ALARM, len(counts) - 1)


def coordinates(height, width, count):
    """Images (count, 2, H, W) whose channels are each pixel's row + 1 and column + 1."""
    rows = torch.arange(1, height + 1).view(1, 1, -1, 1).expand(count, 1, height, width)
    columns = torch.arange(1, width + 1).view(1, 1, 1, -1).expand(count, 1, height, width)
    return torch.cat([rows, columns], 1).to(torch.uint8)


@pytest.mark.parametrize("padding", [2, 4])
def test_crop_offsets_are_uniform_and_independent(padding):
    crop = moves.build("pad_crop", padding=padding)
    images = crop(coordinates(16, 16, N), generator(0, "test", padding))
    down, right = (images[:, :, 8, 8].long() - 9 + padding).T
    cells = 2 * padding + 1
    counts = torch.bincount(down * cells + right, minlength=cells**2)
    assert len(counts) == cells**2
    assert not refuse(counts, [N / cells**2] * cells**2)


def test_one_offset_for_the_batch_when_shared():
    crop = moves.build("pad_crop", padding=1, shared=True)
    seen = []
    for step in range(900):
        images = crop(coordinates(4, 4, 3), generator(0, "shared", step))
        offsets = images[:, :, 2, 2].long() - 2
        assert (offsets == offsets[0]).all()
        seen.append(int(offsets[0, 0] * 3 + offsets[0, 1]))
    assert not refuse(torch.bincount(torch.tensor(seen), minlength=9), [100] * 9)


@pytest.mark.parametrize("probability", [0.5, 0.1])
def test_flips_are_binomial_and_independent_of_the_neighbour(probability):
    flip = moves.build("flip", probability=probability)
    images = flip(coordinates(2, 4, N), generator(1, "flip"))
    mirrored = (images[:, 1, 0, 0] == 4).long()
    pairs = torch.bincount(mirrored[::2] * 2 + mirrored[1::2], minlength=4)
    q = 1 - probability
    expected = torch.tensor([q * q, q * probability, probability * q, probability**2]) * (N / 2)
    assert not refuse(pairs, expected)


def test_cutout_centres_are_uniform_over_pixels():
    height, width, size = 6, 5, 3
    cutout = moves.build("cutout", size=size)
    ones = torch.ones(N, 1, height, width, dtype=torch.uint8)
    holes = (cutout(ones, generator(2, "cutout"))[:, 0] == 0).long()
    # each centre leaves a hole of its own: count them by shape
    law = {}
    for row in range(height):
        for column in range(width):
            hole = torch.zeros(height, width, dtype=torch.long)
            hole[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2] = 1
            law[tuple(hole.flatten().tolist())] = law.get(tuple(hole.flatten().tolist()), 0) + 1
    kinds, counts = torch.unique(holes.flatten(1), dim=0, return_counts=True)
    expected = [law[tuple(kind.tolist())] * N / (height * width) for kind in kinds]
    assert len(kinds) == len(law) == 30
    assert not refuse(counts, expected)


def test_autoaugment_draws_policies_chances_and_signs(monkeypatch):
    """How often each operation is asked for with which sign, over all 25 sub-policies."""
    asked = Counter()

    def count(images, name, magnitude, *_):
        asked[name, magnitude > 0, magnitude < 0] += len(images)
        return images

    monkeypatch.setattr(autoaugment, "_operate", count)
    transform = moves.build("autoaugment", policy="cifar10")
    transform(torch.zeros(N, 3, 8, 8, dtype=torch.uint8), generator(3, "autoaugment"))
    expected = Counter()
    space = transform._reference._augmentation_space(10, (8, 8))
    for policy in transform._reference.policies:
        for name, probability, level in policy:
            share = N / 25 * probability
            magnitudes, signed = space[name]
            size = 0.0 if level is None else float(magnitudes[level])
            if signed and size:
                expected[name, True, False] += share / 2
                expected[name, False, True] += share / 2
            else:
                expected[name, size > 0, size < 0] += share
    assert set(asked) == {k for k, v in expected.items() if v}
    for key, value in expected.items():
        # A sum of independent indicators, at most two an image: variance at most 2 * value.
        bound = stats.norm.isf(ALARM / 2 / len(expected)) * (2 * value) ** 0.5
        assert abs(asked[key] - value) <= bound, key


def test_random_resized_crop_area_and_aspect():
    crop = moves.build("random_resized_crop")
    draws = crop.draw(N, generator(4, "crop"))
    assert draws.shape == (N, 10, 4)
    flat = draws[:, 0].T  # the first try's numbers are uniform and independent
    for numbers in flat:
        assert stats.kstest(numbers.numpy(), "uniform").pvalue > ALARM
    correlation = torch.corrcoef(flat) - torch.eye(4)
    assert float(correlation.abs().max()) < stats.norm.isf(ALARM / 12) / N**0.5
    # on a large square image nearly no rounding: area and log aspect are uniform where they fit
    boxes = [crop.box(d, 2000, 2000) for d in draws[:4000]]
    area = torch.tensor([h * w / 4e6 for _, _, h, w in boxes])
    small = area[area < 0.5]  # all aspects up to 4/3 fit below 3/4 of the area
    assert stats.kstest(((small - 0.08) / 0.42).numpy(), "uniform").pvalue > ALARM
    aspect = (
        torch.tensor([w / h for _, _, h, w in boxes])[area < 0.5].log() / torch.tensor(4 / 3).log()
    )
    assert stats.kstest(((aspect + 1) / 2).numpy(), "uniform").pvalue > ALARM
