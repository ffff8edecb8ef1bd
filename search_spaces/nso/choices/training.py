"""How all methods are trained: common settings, optimizer, augmentation, which epoch counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from search_spaces.choice import everywhere, on
from search_spaces.nso.protocol import COMMON_GRID
from search_spaces.spec import Choice, Fields, Override, Reading

Own = tuple[Mapping[str, str], Iterable[str]]
"""Entries of keys, and the common settings that cells with these entries fix themselves."""

CODE_COMMON = {
    "optimizer.lr": 1e-4,
    "optimizer.momentum": 0.9,
    "optimizer.weight_decay": 1e-4,
    "epochs": 30,
    "batch_size": 32,
}
CODE_BATCH = {"CIFAR-10": 256, "CIFAR-100": 256}
MIDDLE_COMMON = {name: values[len(values) // 2] for name, values in COMMON_GRID.items()}
ADAM = {
    "optimizer.name": "adam",
    "optimizer.amsgrad": True,
    "optimizer.lr": 1e-4,
    "optimizer.momentum": 0.9,  # its default: Adam has none
    "optimizer.weight_decay": 0.0,
}
CROP_AND_FLIP = ({"name": "random_resized_crop"}, {"name": "flip"})


def _open(fields: Fields, own: Iterable[Own]) -> tuple[Override, ...]:
    """``fields`` in all cells, less those that the cells fix themselves."""
    return tuple(
        Override(where, {name: value for name, value in fields.items() if name not in {*fixed}})
        for where, fixed in own
    )


def settings(own: tuple[Own, ...]) -> Choice:
    """The settings of `COMMON_GRID`, where cells do not fix them themselves."""
    batches = tuple(
        Override({**where, "dataset": dataset}, {"batch_size": size})
        for where, fixed in own
        for dataset, size in CODE_BATCH.items()
        if "batch_size" not in {*fixed}
    )
    return Choice(
        "the common settings that were chosen",
        "searched once, for SGD on Indoor",
        "their values are lost; 486 points for each data set and method of Table 3 are 14,580 runs."
        " By the other values nothing is searched: the code's (of its configurations for SGD), or"
        " the middle of each printed grid",
        name="common",
        default="searched",
        others={
            "code": Reading(
                "learning rate 1e-4, momentum 0.9, weight decay 1e-4, 30 epochs, batches of 32, on"
                " CIFAR of 256",
                (*_open(CODE_COMMON, own), *batches),
            ),
            "middle": Reading(
                "learning rate 5e-4, momentum 0.95, weight decay 1e-3, 40 epochs, batches of 32",
                _open(MIDDLE_COMMON, own),
            ),
        },
        source="Appendix C (grids; the values are lost); configs/*_sgd.json",
        text="searched",
        code="code",
    )


def optimizer(own: tuple[Own, ...]) -> Choice:
    """SGD, or Adam where no cell is without momentum."""
    adam = _open(ADAM, own)
    plain = any("optimizer.momentum" in {*fixed} for _, fixed in own)
    return Choice(
        "optimizer",
        "SGD with momentum and weight decay",
        "the text and its grid; every script takes the configurations with Adam at 1e-4 (amsgrad,"
        " no weight decay), although there are others with SGD",
        "optimizer.name",
        name="plain-optimizer" if plain else "optimizer",
        default="sgd",
        others={} if plain else {"adam": Reading("Adam (amsgrad) at 1e-4, no weight decay", adam)},
        source="Appendix C; configs/*.json",
        text="sgd",
        code="" if plain else "adam",
        single="without momentum is said of SGD: Adam has none that could be left out"
        if plain
        else "",
    )


LR_DROP = Choice(
    "learning-rate drop",
    "/ 10 after each third",
    "Adam's configurations: every 10 of 30 epochs; those for SGD drop at epoch 30 of 30, so never;"
    " factor and period are lost in the text",
    "schedule.name",
    name="lr-drop",
    default="thirds",
    others={
        "none": Reading(
            "a constant rate",
            everywhere(schedule__name="constant", schedule__milestones=()),
        )
    },
    source="Appendix C; configs/*.json",
    code="thirds",
)


AUGMENTATION = Choice(
    "augmentation",
    "none",
    "section 3.1.4 treats it as an addition; early scripts had it always on, later ones by a flag",
    "data.augmentation",
    name="augmentation",
    default="none",
    others={
        "all": Reading(
            "a random resized crop, then a flip, for every row",
            everywhere(data__augmentation=CROP_AND_FLIP),
        )
    },
    source="section 3.1.4; scripts/run_resnet",
    text="none",
)
ROWS_DIFFER = replace(
    AUGMENTATION,
    what="augmentation of the rows without it",
    name="row-augmentation",
    others={},
    single="the rows differ in it",
)
NOISY_AUGMENTATION = Choice(
    "augmentation of WP-SGD and NSO",
    "as of SGD",
    "early scripts of this table have it for WP-SGD and NSO and not for SGD, which may be why SGD"
    " alone fits all training images",
    "data.augmentation",
    name="noisy-augmentation",
    default="as-sgd",
    others={
        "alone": Reading(
            "a random resized crop, then a flip, for WP-SGD and NSO alone",
            on("method", ("WP-SGD", "NSO"), data__augmentation=CROP_AND_FLIP),
        )
    },
    source="early scripts",
)

WEIGHTS = Choice(
    "epoch that numbers are of",
    "the last",
    "Appendix C; the code loads the epoch with the least validation error",
    "--selection",
    name="epoch",
    default="last",
    others={
        "best-validation": Reading(
            "the epoch with the least validation error; traces stay those of the last one",
            selection={
                "epoch": "best_validation",
                "stated": "grids on the validation split; weights of the best epoch there (code)",
            },
        )
    },
    source="Appendix C; trainer/base_trainer.py",
    text="last",
    code="best-validation",
)
