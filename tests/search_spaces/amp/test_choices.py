"""AMP's readings beside one another, and under a preset."""

from __future__ import annotations

from itertools import permutations

import pytest

import search_spaces
from search_spaces.readings import read
from search_spaces.spec import Artifact, Cell
from trainables.config import TrialConfig, merge
from trainables.models import registry

TABLE1, TABLE2 = search_spaces.find("amp/table1"), search_spaces.find("amp/table2")


def config(artifact: Artifact, **key: str) -> TrialConfig:
    """Of the first cell that has these entries."""

    def agrees(cell: Cell) -> bool:
        return key.items() <= cell.key.items()

    cell = next(filter(agrees, artifact.experiment.cells))
    return TrialConfig(**merge({}, {**artifact.experiment.base, **cell.fields}))


def augmentation(artifact: Artifact, **key: str) -> list[tuple[str, dict[str, object]]]:
    return [(part.name, part.options) for part in config(artifact, **key).data.augmentation]


AUGMENTED = {"padding-color": "black", "svhn-flips": "all", "svhn-padding": "4-pixels"}


@pytest.mark.parametrize("order", tuple(permutations(AUGMENTED)), ids="/".join)
def test_readings_of_one_list_of_augmentations_hold_together(order: tuple[str, ...]) -> None:
    """One replaces the list and two change an option of one of its members."""
    for artifact in (TABLE1, TABLE2):
        for name in order:
            artifact = read(artifact, name, AUGMENTED[name])
        black = {"padding": 4, "fill": "zero", "shared": False}
        flipped = [("pad_crop", black), ("flip", {"probability": 0.5})]
        for dataset in ("SVHN", "CIFAR-10"):
            assert augmentation(artifact, dataset=dataset) == flipped
    hole = ("cutout", {"size": 20, "fill": "zero", "shared": False})
    assert augmentation(artifact, dataset="SVHN", augmentation="Cutout") == [*flipped, hole]
    kept = augmentation(TABLE2, dataset="SVHN", augmentation="AutoAug")
    assert augmentation(artifact, dataset="SVHN", augmentation="AutoAug") == kept


def test_cutouts_hole_is_where_and_as_large_as_the_cited_studies_have_it() -> None:
    artifact = read(read(TABLE2, "hole-color", "mean"), "hole-size", "original")
    holes = {
        (cell.key["dataset"], cell.key["augmentation"]): part.options
        for cell in artifact.experiment.cells
        for part in config(artifact, **cell.key).data.augmentation
        if part.name == "cutout"
    }
    assert {options["fill"] for options in holes.values()} == {"mean"}
    assert {place: options["size"] for place, options in holes.items()} == {
        ("SVHN", "Cutout"): 20,
        ("SVHN", "AutoAug"): 20,
        ("CIFAR-10", "Cutout"): 16,
        ("CIFAR-10", "AutoAug"): 16,
        ("CIFAR-100", "Cutout"): 8,
        ("CIFAR-100", "AutoAug"): 16,
    }


def test_the_original_networks_are_those_of_the_registry() -> None:
    """WideResNet's defaults are the original's; PreActResNet18's are not."""
    wide = config(read(TABLE2, "wideresnet", "original"), model="WideResNet-28-10")
    assert wide.model.options == registry.resolve("wrn_28_10", {})
    preact = config(read(TABLE1, "preactresnet18", "original"), model="PreActResNet18")
    found = {
        k: v for k, v in preact.model.options.items() if k in ("conv_bias", "shared_activation")
    }
    assert found == {"conv_bias": False, "shared_activation": "reshape"}


@pytest.mark.parametrize(("preset", "channels"), [("small", 3), ("smoke", 1)])
def test_gray_levels_are_those_of_the_images_that_a_preset_runs(preset: str, channels: int) -> None:
    read_ = read(TABLE1, "adversarial", "gray-level")
    for cell in search_spaces.apply(read_, preset).experiment.cells:
        if cell.key["method"] == "Adv. Training":
            assert len(cell.fields["method.std"]) == channels
