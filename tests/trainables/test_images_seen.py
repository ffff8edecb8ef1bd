"""Which images a trial trains on, evaluates and normalises by, counted one by one.

The data set is of numbered images: a black and a white pixel, and two that spell the number. So
what the network sees tells which image it is, whatever it was normalised with.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from trainables import data
from trainables.config import Data, Request, TrialConfig
from trainables.data.base import Dataset, Images
from trainables.data.splits import split
from trainables.execution import Execution
from trainables.train import Trial

EXECUTION = Execution(device="cpu")
CLASSES = 5
TEST, VALIDATION = 1000, 2000  # where the numbers of published images begin


def numbered(count: int, start: int = 0) -> Images:
    number = torch.arange(start, start + count)
    black, white = torch.zeros(count), torch.full((count,), 255)
    pixels = torch.stack([black, white, number // 256, number % 256], 1).to(torch.uint8)
    return Images(pixels.view(-1, 1, 2, 2), number % CLASSES)


def numbers(inputs: Tensor) -> list[int]:
    black, white, high, low = inputs.flatten(1).double().T
    high, low = (((x - black) / (white - black) * 255).round() for x in (high, low))
    return (256 * high + low).long().tolist()


def dataset(test: bool = True, validation: bool = False) -> Dataset:
    return Dataset(
        "numbered",
        numbered(100),
        numbered(30, TEST) if test else None,
        CLASSES,
        (0.3,),
        (0.7,),
        validation=numbered(15, VALIDATION) if validation else None,
    )


def config(**fields: Any) -> TrialConfig:
    base = {"data": {"validation": 0}, "model": "mlp_tiny", "epochs": 3, "batch_size": 16}
    return TrialConfig(**base).replace(**{"precision": "float64", "drop_last": False, **fields})


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let trials use a data set."""
    return lambda whole: monkeypatch.setattr(data, "load", lambda *_, **__: whole)


def seen(trial: Trial) -> tuple[list[int], list[list[int]]]:
    """The next epoch's images: of all training passes, and of each evaluating one."""
    training: list[int] = []
    evaluating: list[list[int]] = []

    def note(module: torch.nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if module.training:
            training.extend(numbers(inputs[0]))
        else:
            evaluating.append(numbers(inputs[0]))

    with_hook = trial.model.register_forward_pre_hook(note)
    trial.run_epoch()
    with_hook.remove()
    return training, evaluating


KINDS: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[int, int, int]]] = {
    "nothing published": ({"test": False}, {"data.validation": 0.1}, (72, 8, 20)),
    "a subset, nothing published": (
        {"test": False},
        {"data.subset": 60, "data.validation": 10},
        (38, 10, 12),
    ),
    "a published test set": ({}, {"data.validation": 0.25}, (75, 25, 30)),
    "a subset": ({}, {"data.subset": 60, "data.validation": 20}, (40, 20, 30)),
    "a published validation set": ({"validation": True}, {"data.validation": 0.1}, (100, 15, 30)),
    "one that is not asked for": ({"validation": True}, {}, (100, 0, 30)),
}


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_every_image_is_in_one_part_and_used_for_that_alone(kind: str, seed: int, use: Any) -> None:
    whole, changes, (trained, validated, tested) = KINDS[kind]
    use(dataset(**whole))
    trial = Trial(config(seed=seed, **changes), EXECUTION)
    first, judged = seen(trial)
    parts = [first, *([judged[0]] if validated else []), judged[-1]]
    assert [len(part) for part in parts if part] == [n for n in (trained, validated, tested) if n]
    together = [number for part in parts for number in part]
    assert len(together) == len(set(together))
    published = [n for n in together if n >= TEST]
    if whole.get("test", True):
        assert sorted(judged[-1]) == list(range(TEST, TEST + 30))
    if validated and whole.get("validation"):
        assert sorted(judged[0]) == list(range(VALIDATION, VALIDATION + 15))
    own = len(together) - len(published)
    assert own == changes.get("data.subset", 100)
    pool = Counter(n % CLASSES for n in together if n < TEST)
    for part in reversed(parts[1:]):  # the test set is cut off first
        if part[0] < TEST:
            found = Counter(number % CLASSES for number in part)
            exact = {k: pool[k] * len(part) / pool.total() for k in pool}
            assert all(abs(found[k] - exact[k]) < 1 for k in exact)  # strata
            pool -= found
    for _ in range(2):  # the parts stay what they are
        again, judges = seen(trial)
        assert again != first
        assert sorted(again) == sorted(first)
        assert judges[: len(judged)] == judged
    assert [n for batch in judges[len(judged) :] for n in batch] == sorted(first)  # at the end


def test_images_are_resized_wherever_they_are_seen(use: Any) -> None:
    use(replace(dataset(), resize=6))
    trial = Trial(config(**{"data.validation": 20}), EXECUTION)
    shapes: set[tuple[bool, tuple[int, ...]]] = set()
    trial.model.register_forward_pre_hook(
        lambda module, inputs: shapes.add((module.training, tuple(inputs[0].shape[1:])))
    )
    trial.run_epoch()
    assert shapes == {(True, (1, 6, 6)), (False, (1, 6, 6))}


def test_an_incomplete_batch_that_is_dropped_is_another_one_each_epoch(use: Any) -> None:
    use(dataset())
    trial = Trial(config(drop_last=True), EXECUTION)
    rounds = [seen(trial)[0] for _ in range(3)]
    assert [len(r) for r in rounds] == [len(set(r)) for r in rounds] == [96] * 3
    dropped = [frozenset(range(100)) - set(r) for r in rounds]
    assert len(set(dropped)) == 3


def test_the_subset_is_drawn_from_all_of_the_data(use: Any) -> None:
    """Uniform without replacement: over 40 seeds every image is in some subset of half of them.

    An image is in none of 40 once in 2⁴⁰; false alarm below 100 / 2⁴⁰.
    """
    subsets = [
        frozenset(numbers(split(dataset(), Data(subset=50, validation=0), s).train.inputs))
        for s in range(40)
    ]
    assert {len(subset) for subset in subsets} == {50}
    assert len(set(subsets)) == 40
    assert frozenset().union(*subsets) == set(range(100))


# -- what does not reach the training --------------------------------------------------------------


def features() -> Dataset:
    """Rows without a published test set, standardized by their split."""
    g = torch.Generator().manual_seed(0)
    rows = Images(torch.randn(100, 3, generator=g) * 3 + 5, torch.arange(100) % CLASSES)
    return Dataset("rows", rows, None, CLASSES, (0.0,) * 3, (1.0,) * 3, standardize=True)


def with_other(whole: Dataset, part: str, seed: int) -> Dataset:
    """The same set, but for the contents of the images that a split puts in ``part``."""
    parts = split(whole, config(**{"data.validation": 0.2}).data, seed)
    rows = getattr(parts, part).rows
    if rows is None:  # published
        other = Images((255 - whole.test.base), whole.test.targets)
        return replace(whole, test=other)
    store = whole.train.base.clone()
    store[rows] = 255 - store[rows] if whole.train.is_pixels else 1e3 + store[rows]
    return replace(whole, train=Images(store, whole.train.targets))


def weights_and_numbers(whole: Dataset, use: Any) -> tuple[dict[str, Tensor], dict[str, Any]]:
    use(whole)
    plateau = {"name": "plateau", "patience": 1}
    changes = {"seed": 3, "epochs": 4, "schedule": plateau, "data.validation": 0.2}
    trial = Trial(config(**changes), EXECUTION)
    while not trial.finished:
        trial.run_epoch()
    return trial.model.state_dict(), trial.history


@pytest.mark.parametrize(
    ("whole", "part"),
    [
        (dataset(), "test"),
        (dataset(), "validation"),
        (dataset(test=False), "test"),
        (features(), "test"),
        (features(), "validation"),
    ],
    ids=["published-test", "published-validation", "pixels-test", "rows-test", "rows-validation"],
)
def test_held_out_images_change_no_bit_of_the_training(whole: Dataset, part: str, use: Any) -> None:
    """Their contents are replaced: weights and running numbers stay, their own numbers do not."""
    weights, history = weights_and_numbers(whole, use)
    others, changed = weights_and_numbers(with_other(whole, part, 3), use)
    assert all(torch.equal(value, others[name]) for name, value in weights.items())
    moved = {name.partition("_")[0] for name in history if history[name] != changed[name]}
    assert moved == {part}


def test_features_are_standardized_by_the_rows_that_are_trained_on() -> None:
    parts = split(features(), Data(validation=0.2), 0)
    rows = parts.train.inputs.double().numpy()
    assert len(rows) == 64
    assert parts.mean.numpy() == pytest.approx(rows.mean(0), rel=1e-14)
    assert parts.std.numpy() == pytest.approx(rows.std(0), rel=1e-14)


def test_pixels_are_normalised_by_the_images_outside_the_test_set() -> None:
    """Whether or not validation images are held out, so that rivals see the same inputs."""
    whole = dataset(test=False)
    held, free = (split(whole, Data(validation=part), 0) for part in (0.2, 0))
    outside = torch.cat([held.train.inputs, held.validation.inputs]).double().numpy() / 255
    assert free.mean.numpy() == pytest.approx(outside.mean(), abs=5e-7)  # rounded to six decimals
    assert free.std.numpy() == pytest.approx(outside.std(), abs=5e-7)
    assert torch.equal(held.mean, free.mean)
    assert torch.equal(held.std, free.std)
    assert abs(free.mean.item() - float(whole.train.inputs.double().mean() / 255)) > 1e-5
    published = split(dataset(), Data(validation=0.2), 0)
    assert (published.mean.item(), published.std.item()) == (0.3, 0.7)


# -- measures --------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_a_measure_sees_its_split_its_samples_and_its_batches(part: str, use: Any) -> None:
    """The first images in order, without augmentation, in batches as asked for."""
    use(dataset())
    changes = {"data.validation": 20, "data.augmentation": [{"name": "pad_crop", "padding": 1}]}
    trial = Trial(config(**changes), EXECUTION)
    whole = numbers(trial.splits[part].images.inputs)
    batches: list[list[int]] = []
    trial.model.register_forward_pre_hook(
        lambda module, inputs: batches.append(numbers(inputs[0])) or None
    )
    for samples, size, lengths in (
        (7, 3, [3, 3, 1]),
        (7, None, [7]),
        (None, 16, [16] * (len(whole) // 16) + [len(whole) % 16] * (len(whole) % 16 > 0)),
    ):
        batches.clear()
        trial.measure([Request("classification", split=part, samples=samples, batch_size=size)])
        passes = [batches[i : i + len(lengths)] for i in range(0, len(batches), len(lengths))]
        assert len(passes) == 3  # two to see that they agree, and the measure's own
        for once in passes:
            assert [len(batch) for batch in once] == lengths
            assert [number for batch in once for number in batch] == whole[:samples]


def test_a_measure_is_made_when_it_is_due(use: Any) -> None:
    """``at``: the nearest epoch's end; ``every``: its multiples too. In absolute numbers."""
    due = {
        (1.0,): [4],
        (0.5, 1.0): [2, 4],
        (0.0, 0.3): [1],
        (0.7, 0.8): [3],
    }
    use(dataset())
    for at, expected in due.items():
        request = Request("classification", at=at, split="test", label="m")
        trial = Trial(config(epochs=4), replace(EXECUTION, measures=(request,)))
        while not trial.finished:
            trial.run_epoch()
        curve = trial.history["m/error"]
        curve += [math.nan] * (4 - len(curve))
        assert [e for e, v in enumerate(curve, 1) if not math.isnan(v)] == expected
        assert ("m/error" in trial.result().metrics) == (4 in expected)
    assert [e for e in range(1, 8) if Request("m", at=(1.0,), every=3).due(e, 7)] == [3, 6, 7]
