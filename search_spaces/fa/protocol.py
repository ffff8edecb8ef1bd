"""FA's settings, of which the text states none: those of the authors' code.

github.com/chisomruth/flatness-aware. The text names CIFAR-100; the code loads OpenML 159, a
synthetic stream of five classes. Both are here.
"""

from __future__ import annotations

from typing import Any

SEEDS = 5
SUBSET, TRAINING = 3000, 2400  # the other 600 are tested on
NUM_PROBES = 3
EPOCHS, BATCH = 50, 64
LAMBDAS = ("0.0", "0.001", "0.01", "0.1", "1.0")

OUTPUTS = (
    100  # of the code's last layer, on whatever data; the text's CIFAR-100 has as many classes
)

CLAIMED, LOADED = "CIFAR-100", "OpenML 159"
SOURCES: dict[str, dict[str, Any]] = {
    CLAIMED: {"name": "cifar100", "test_set": "split"},
    LOADED: {"name": "random_rbf"},
}
MODEL: dict[str, Any] = {"name": "mlp", "widths": (256,)}
MODELS = {CLAIMED: MODEL, LOADED: {**MODEL, "outputs": OUTPUTS}}
BASE: dict[str, Any] = {
    "data.subset": SUBSET,
    "data.split_seed": 42,
    "data.validation": 0,
    "optimizer.name": "adam",
    "optimizer.lr": 0.001,
    "optimizer.weight_decay": 0.0,
    "schedule.name": "constant",
    "epochs": EPOCHS,
    "batch_size": BATCH,
    "drop_last": True,
}
