"""InfoMCR's figures 2 to 4: four metrics of minima in three scenarios (section 7.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from search_spaces.infomcr.choices import metrics
from search_spaces.infomcr.protocol import (
    CROP_FLIP,
    ERROR,
    FIXED,
    METHODS,
    NO,
    RUNS,
    SUBSETS,
)
from search_spaces.preset import KEEP
from search_spaces.presets import LAPTOP, SMALL, SMOKE, adjusted
from search_spaces.spec import (
    Artifact,
    Cell,
    Choice,
    CurveView,
    Experiment,
    Label,
    Measure,
    Metric,
    Notes,
    Preset,
    Stage,
)

SCENARIO: dict[str, Any] = {
    "data.source": "cifar10",
    "data.validation": 0,
    "data.augmentation": CROP_FLIP,
    "model": {"name": "resnet20"},
    "method": METHODS[NO],
    "optimizer.name": "sgd",
    "optimizer.lr": 0.1,
    "optimizer.momentum": 0.9,
    "optimizer.weight_decay": 1e-4,
    "schedule.name": "plateau",
    "schedule.gamma": 0.1,
    "schedule.patience": 10,
    "epochs": 200,
    "batch_size": 128,
}
# A patience of 10 epochs would never end in the few epochs of the smaller presets.
SOONER = {p.name: adjusted(p, {"schedule.patience": 1}) for p in (SMALL, LAPTOP, SMOKE)}
SUBSET = 10000
CONFUSION_SIZES = (0, 1000, 2000, 3000, 4000, 5000)
AUGMENTATIONS: dict[str, tuple[Any, ...]] = {
    "no-aug": (),
    "flip-only": ({"name": "flip"},),
    "1-crop-f": ({"name": "pad_crop", "padding": 1}, {"name": "flip"}),
    "4-crop-f": CROP_FLIP,
}
BATCH_SIZES = (128, 256, 512, 1024)

SCENARIO_METRICS = (
    ERROR,
    Metric("fisher_spectrum/log_det", "gamma-hat", digits=1),
    Metric("fisher_spectrum/frobenius_squared", "Frobenius norm"),
    Metric("fisher_spectrum/spectral_radius", "spectral radius"),
    Metric("robustness", "robustness", digits=4),
    # All minima of a scenario are to have about the same (section 7.1): 1 - accuracy, and the loss.
    Metric("train_error", "training error %", better="neither", shown="percent"),
    Metric("train_nll", "training loss", better="neither", digits=4),
)
SCENARIO_MEASURES = (Measure("fisher_spectrum", SUBSETS), Measure("robustness"))


def _scenario(
    number: str,
    name: str,
    label: str,
    settings: dict[str, dict[str, Any]],
    claim: str,
    more: tuple[Choice, ...],
    presets: Mapping[str, Preset] | None = None,
) -> Artifact:
    return Artifact(
        id=f"infomcr/figure{number}",
        experiment=Experiment(
            base=SCENARIO,
            cells=tuple(Cell({label: value}, fields) for value, fields in settings.items()),
            stages=(Stage("train", seeds=RUNS),),
            selection=FIXED,
            measures=SCENARIO_MEASURES,
        ),
        view=CurveView(
            x=Label(label),
            rows=(label,),
            metrics=SCENARIO_METRICS,
        ),
        notes=Notes(
            title=f"Scenario {name}: test error and four metrics of ResNet-20 on CIFAR-10",
            choices=(*metrics.SCENARIO, *more),
            claims=(f"{claim} (caption)",),
        ),
        presets={**SOONER, **(presets or {})},
    )


FIGURE2 = _scenario(
    "2",
    "I, size of the confusion set",
    "confusion",
    {
        str(size): {
            "data.source": {"name": "cifar10", "confusion": size},
            "data.subset": SUBSET,
        }
        for size in CONFUSION_SIZES
    },
    "a larger confusion set raises the test error, and every metric but robustness follows",
    (metrics.CONFUSION,),
)
FIGURE3 = _scenario(
    "3",
    "II, augmentation",
    "augmentation",
    {name: {"data.augmentation": steps} for name, steps in AUGMENTATIONS.items()},
    "gamma alone follows the test error; the other three metrics fail",
    (metrics.ALL_IMAGES,),
    {"smoke": adjusted(SOONER["smoke"], substitute={"data.augmentation": KEEP})},
)
FIGURE4 = _scenario(
    "4",
    "III, batch size",
    "batch size",
    {str(size): {"batch_size": size} for size in BATCH_SIZES},
    "a larger batch generalizes worse, and every metric but robustness follows",
    (metrics.ALL_IMAGES, metrics.LARGE_BATCHES),
    {
        "small": adjusted(SOONER["small"], substitute={"batch_size": KEEP}),
        "laptop": adjusted(
            SOONER["laptop"], substitute={"batch_size": {128: 32, 256: 64, 512: 128, 1024: 256}}
        ),
        "smoke": adjusted(
            SOONER["smoke"], substitute={"batch_size": {128: 16, 256: 32, 512: 64, 1024: 128}}
        ),
    },
)
