"""Splits, subsets and confusion sets: disjoint, complete, stratified, and made from the seed."""

from dataclasses import replace

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from trainables.config import Data
from trainables.data.base import DataError, Dataset, Images
from trainables.data.splits import split
from trainables.seeding import generator


def dataset(train=100, test=None, classes=4, **fields):
    """A set whose only pixel is the image's number, so that every image is recognised."""

    def images(count, start):
        store = torch.arange(start, start + count).view(-1, 1).double()
        return Images(store, torch.arange(count) % classes)

    return Dataset(
        name="numbers",
        train=images(train, 0),
        test=None if test is None else images(test, 10_000),
        num_classes=classes,
        mean=(0.5,),
        std=(2.0,),
        **fields,
    )


def numbers(images):
    return images.inputs[:, 0].long().tolist()


def test_a_fifth_is_the_test_set_where_none_is_published():
    parts = split(dataset(), Data(validation=0.1), 0)
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (72, 8, 20)
    everything = numbers(parts.train) + numbers(parts.validation) + numbers(parts.test)
    assert sorted(everything) == list(range(100))
    assert parts.test.targets.bincount().tolist() == [5] * 4
    assert parts.validation.targets.bincount().tolist() == [2] * 4
    assert torch.equal(parts.mean, torch.tensor([0.5]))
    assert parts.clean is parts.train


def test_a_published_test_set_is_kept():
    parts = split(dataset(test=30), Data(validation=20), 0)
    assert numbers(parts.test) == list(range(10_000, 10_030))
    assert (len(parts.train), len(parts.validation)) == (80, 20)


def test_no_validation():
    parts = split(dataset(test=30), Data(validation=0), 0)
    assert parts.validation is None
    assert numbers(parts.train) == list(range(100))


def test_a_published_validation_set_is_used_when_one_is_asked_for():
    published = Images(torch.full((3, 1), -1.0), torch.zeros(3, dtype=torch.long))
    whole = dataset(test=30, validation=published)
    asked = split(whole, Data(validation=0.1), 0)
    assert asked.validation is published
    assert len(asked.train) == 100
    assert split(whole, Data(validation=0), 0).validation is None


def test_the_seed_decides_and_split_seed_decides_before_it():
    whole = dataset()
    one, again, other = (split(whole, Data(), seed) for seed in (1, 1, 2))
    assert numbers(one.train) == numbers(again.train)
    assert numbers(one.test) == numbers(again.test)
    assert numbers(one.test) != numbers(other.test)
    fixed = [split(whole, Data(split_seed=1), seed) for seed in (1, 2)]
    assert numbers(fixed[0].test) == numbers(fixed[1].test) == numbers(one.test)


def test_the_subset_does_not_depend_on_what_is_held_out():
    whole = dataset(test=5)
    alone = split(whole, Data(subset=50, validation=0), 0)
    held = split(whole, Data(subset=50, validation=10), 0)
    assert numbers(alone.train) == sorted(numbers(held.train) + numbers(held.validation))


def test_the_3000_of_fa():
    parts = split(dataset(train=5_000, classes=10), Data(subset=3_000, validation=0), 42)
    assert (len(parts.train), len(parts.test)) == (2_400, 600)
    assert not set(numbers(parts.train)) & set(numbers(parts.test))


def test_a_uniform_test_set_is_the_first_of_the_shuffled_whatever_their_classes():
    whole = dataset(train=5_000, classes=10)
    fifth = split(whole, Data(subset=3_000, validation=0), 42)
    parts = split(replace(whole, stratified=False), Data(subset=3_000, validation=0), 42)
    assert (len(parts.train), len(parts.test)) == (2_400, 600)
    both = [sorted(numbers(p.train) + numbers(p.test)) for p in (parts, fifth)]
    assert both[0] == both[1], "the same subset"
    kept = torch.tensor(both[0])
    order = torch.randperm(3_000, generator=generator(42, "split", 1))
    assert sorted(numbers(parts.test)) == kept[order[:600]].sort().values.tolist()
    # 60 ± 7 of each class by chance; in proportion each is within one of its share of the subset
    shares = torch.bincount(kept % 10) / 5
    drawn, held = (torch.bincount(p.test.targets, minlength=10) for p in (parts, fifth))
    assert (held - shares).abs().max() < 1 < (drawn - shares).abs().max()


def test_a_confusion_set_is_added_from_outside_the_subset():
    whole = dataset(train=6_000, test=5, classes=10, confusion=4_000)
    parts = split(whole, Data(subset=1_000, validation=0), 3)
    assert (len(parts.clean), len(parts.train)) == (1_000, 5_000)
    assert numbers(parts.train)[:1_000] == numbers(parts.clean)
    assert torch.equal(parts.train.targets[:1_000], parts.clean.targets)
    assert torch.equal(parts.clean.targets, torch.tensor(numbers(parts.clean)) % 10)
    added, labels = numbers(parts.train)[1_000:], parts.train.targets[1_000:]
    assert len(set(added)) == 4_000
    assert not set(added) & set(numbers(parts.clean))
    # labels are uniform whatever the truth: chi-square on 100 cells, false alarm 1e-6
    truth = torch.tensor(added) % 10
    counts = torch.bincount(truth * 10 + labels, minlength=100).double()
    expected = torch.bincount(truth, minlength=10).repeat_interleave(10) / 10
    statistic = float(((counts - expected) ** 2 / expected).sum())
    assert statistic < stats.chi2.isf(1e-6, 90)  # ten row sums are given
    other = split(whole, Data(subset=1_000, validation=0), 4)
    assert numbers(other.clean) != numbers(parts.clean)


def test_regression_targets_are_split_without_strata():
    targets = torch.linspace(0, 1, 50)
    whole = Dataset("line", Images(torch.arange(50.0)[:, None], targets), None, 1, (0.0,), (1.0,))
    parts = split(whole, Data(validation=0.1), 0)
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (36, 4, 10)


@example(labels=[0] * 76 + [1, 2, 3, 4], part=0.5, seed=0)
@settings(max_examples=60, deadline=None)
@given(
    labels=st.lists(st.integers(0, 4), min_size=30, max_size=80),
    part=st.sampled_from([0.1, 0.5, 7]),
    seed=st.integers(0, 2**31),
)
def test_strata_are_within_one_image_of_proportional(labels, part, seed):
    targets = torch.tensor(labels)
    images = Images(torch.arange(len(labels))[:, None].double(), targets)
    whole = Dataset("some", images, images, 5, (0.0,), (1.0,))
    parts = split(whole, Data(validation=part), seed)
    held = len(parts.validation)
    assert held == (round(part * len(labels)) if part < 1 else part)
    assert sorted(numbers(parts.train) + numbers(parts.validation)) == list(range(len(labels)))
    share = held / len(labels)
    counts = targets.bincount(minlength=5).double()
    found = parts.validation.targets.bincount(minlength=5).double()
    assert (found - share * counts).abs().max() < 1.0


@pytest.mark.parametrize(
    ("config", "fields", "message"),
    [
        (Data(subset=101), {}, "data.subset = 101: 'numbers' has only 100 training images"),
        (Data(validation=100), {"test": 5}, "cannot hold 100 of 100 images of 'numbers' out"),
        (Data(validation=0.001), {"test": 5}, "cannot hold 0 of 100 images of 'numbers' out"),
        (Data(subset=90), {"confusion": 11}, "only 10 training images of 'numbers' are outside"),
    ],
)
def test_what_cannot_be_cut_is_said(config, fields, message):
    with pytest.raises(DataError, match=message):
        split(dataset(**fields), config, 0)


def test_the_store_is_shared_not_copied():
    whole = dataset(test=5)
    parts = split(whole, Data(subset=50, validation=10), 0)
    assert parts.train.base is parts.validation.base is whole.train.base
