"""What all of NSO's image experiments share: data sets, grids, methods and their stages.

Section and appendix numbers are the paper's (arXiv 2306.08553 v4); "code" is the
authors' (github.com/VirtuosoResearch/Noise-stability-optimization). The text that
we have lost its inline mathematics: which grid values were chosen is not known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from search_spaces.spec import (
    Average,
    Cell,
    Measure,
    Metric,
    Reported,
    Selection,
    Stage,
)

RUNS = 5  # "five independent runs" (section 2.1)
FIGURE_RUNS = 3  # of the figures, which have one line each: the least with a spread to speak of

# -- data (Table 3, upper block) -----------------------------------------------------------------

#            training, validation, test, classes
SIZES = {
    "CIFAR-10": (45000, 5000, 10000, 10),
    "CIFAR-100": (45000, 5000, 10000, 100),
    "Aircraft": (3334, 3333, 3333, 100),
    "Caltech-256": (7680, 5120, 5120, 256),
    "Indoor": (4824, 536, 1340, 67),
    "Retina": (1396, 248, 250, 5),
}
PIXELS = 224
RESIZED = {"resize": PIXELS, "normalization": "imagenet"}
SOURCES: dict[str, dict[str, Any]] = {
    "CIFAR-10": {"name": "cifar10", **RESIZED},
    "CIFAR-100": {"name": "cifar100", **RESIZED},
    "Aircraft": {"name": "aircraft", "size": PIXELS},
    "Caltech-256": {"name": "caltech256", "size": PIXELS, "per_class": (30, 20, 20)},
    "Indoor": {"name": "indoor67", "size": PIXELS},
    "Retina": {"name": "retina", "size": PIXELS},
}
DATASETS = tuple(SIZES)

# -- grids (Appendix C; sigma of NSO and WP-SGD: code, its printed values are lost) --------------

COMMON_GRID: dict[str, tuple[Any, ...]] = {
    "optimizer.lr": (0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001),
    "optimizer.momentum": (0.9, 0.95, 0.99),
    "optimizer.weight_decay": (0.01, 0.001, 0.0001),
    "epochs": (20, 40, 60),
    "batch_size": (16, 32, 64),
}
COMMON = tuple(COMMON_GRID)
SIGMAS = (0.008, 0.01, 0.012)
RADII = (0.01, 0.02, 0.05)

METHODS: dict[str, dict[str, Any]] = {
    "SGD": {"name": "erm"},
    "LS": {"name": "label_smoothing"},
    "SAM": {"name": "sam"},
    "USAM": {"name": "usam"},
    "ASAM": {"name": "asam"},
    "RSAM": {"name": "rsam"},
    "BSAM": {"name": "bsam"},
    "WP-SGD": {"name": "wp_sgd", "num_perturbations": 1},
    "NSO": {"name": "nso", "num_perturbations": 1},
}
GRIDS: dict[str, dict[str, tuple[float, ...]]] = {
    "SGD": {},
    "LS": {"method.smoothing": (0.1, 0.2, 0.3)},
    "SAM": {"method.rho": RADII},
    "USAM": {"method.rho": RADII},
    "ASAM": {"method.rho": (0.5, 1.0, 2.0)},
    "RSAM": {"method.rho": RADII, "method.sigma": SIGMAS},
    "BSAM": {"method.rho": RADII},
    "WP-SGD": {"method.sigma": SIGMAS},
    "NSO": {"method.sigma": SIGMAS},
}

NOISY = ("WP-SGD", "NSO")
"""Methods whose every pass is at displaced weights: the code takes BatchNorm's running statistics
and the training accuracy from a clean pass of its own."""

# -- training ------------------------------------------------------------------------------------

BASE: dict[str, Any] = {
    "model": {"name": "resnet34", "weights": "resnet34-b627a593.pth"},
    "data.split_seed": 0,
    "data.augmentation": (),
    "optimizer.name": "sgd",
    "schedule.name": "step",
    "schedule.milestones": (1 / 3, 2 / 3),
    "schedule.gamma": 0.1,
    "drop_last": False,
}
COMMON_ON = {"method": "SGD", "dataset": "Indoor"}


def cell(
    method: str, dataset: str, key: Mapping[str, str] = {}, /, hidden: bool = False, **fields: Any
) -> Cell:
    """``method`` on ``dataset``; ``key`` adds labels, ``fields`` (with __ for .) settings."""
    return Cell(
        key={"method": method, **key, "dataset": dataset},
        fields={
            "data.source": SOURCES[dataset],
            "data.validation": SIZES[dataset][1],
            "method": METHODS[method],
            **({"batchnorm": "separate"} if method in NOISY else {}),
            **{name.replace("__", "."): value for name, value in fields.items()},
        },
        hidden=hidden,
    )


# What is run differs from what was printed, by the entry of a cell's key.
NOT_UNDONE = "the printed numbers are of code whose ascent is never undone; here it is undone"
STAND_INS = {
    "Retina": "Messidor-2 is run; the printed sizes fit neither it nor RFMiD, which the text cites",
    "RSAM": NOT_UNDONE,
    "BSAM": NOT_UNDONE,
}


def printed(made: Cell, reported: Mapping[str, Reported]) -> Cell:
    """``made`` with its printed numbers; they are only shown where it is one of `STAND_INS`."""
    made = replace(made, reported=reported)
    for entry in filter(STAND_INS.__contains__, made.key.values()):
        made = made.stand_in(STAND_INS[entry])
    return made


def common(cells: Iterable[Cell]) -> tuple[Cell, ...]:
    """``cells`` with the one the common grid is searched on, hidden if it is not among them."""
    cells = tuple(cells)
    searched = any(COMMON_ON.items() <= c.key.items() for c in cells)
    return cells if searched else (*cells, cell("SGD", "Indoor", hidden=True))


def stages(*methods: str, runs: int = RUNS, keep: tuple[str, ...] = COMMON) -> tuple[Stage, ...]:
    """The common grid once, each method's own grid on each data set, then ``runs`` seeds.

    ``keep`` are the common settings that are taken over; the cells fix the others.
    """
    made = [Stage("common", COMMON_ON, grid=COMMON_GRID, seeds=1)]
    for method in methods:
        grid, where = GRIDS[method], {"method": method}
        if grid:
            tune, final = f"tune {method}", f"final {method}"
            inherited = (*keep, *grid)
            made += [
                Stage(tune, where, grid=grid, seeds=1, after="common", match=(), inherit=keep),
                Stage(final, where, seeds=runs, after=tune, inherit=inherited),
            ]
        else:
            made.append(
                Stage(f"final {method}", where, seeds=runs, after="common", match=(), inherit=keep)
            )
    return tuple(made)


def sharing_sigma(tuned: Mapping[str, str], final: Mapping[str, Any]) -> tuple[Stage, ...]:
    """sigma is tuned for the cells ``tuned`` and serves all of ``final`` on the same data."""
    sigma = GRIDS["NSO"]
    return (
        *stages(),
        Stage("tune NSO", tuned, {}, sigma, 1, "common", (), COMMON),
        Stage("final", final, {}, {}, RUNS, "tune NSO", ("dataset",), (*COMMON, *sigma)),
    )


SELECTION = Selection(
    on="validation_error",
    epoch="last",
    stated="grids on the validation split (Appendix C); weights of the last epoch",
)

# -- what is shown and measured ------------------------------------------------------------------

ACCURACY = Metric(
    "test_error", "test accuracy %", better="higher", shown="accuracy_percent", digits=1
)
TRACE = Metric("nso_code_trace", "Hessian trace", digits=0)
LAMBDA1 = Metric("nso_code_lambda1", "lambda_1", digits=0)
GRADIENTS = Metric("gradient_evaluations", "gradients", better="neither", digits=0)
TRACE_MEASURE = Measure("nso_code_trace", {"batch_size": 16, "num_batches": 63})
LAMBDA1_MEASURE = Measure("nso_code_lambda1", {"batch_size": 16, "num_batches": 63})


def lowered(metric: Metric, *rivals: str, printed: float | None = None) -> Average:
    """NSO's number below the least of its rivals', which is how the paper's sentences come out."""
    return Average(
        f"NSO's {metric.label} below {_whose('the least', rivals)}",
        metric.label,
        {"method": ("NSO",)},
        {"method": rivals},
        "reduction",
        "best",
        printed,
    )


def _whose(what: str, rivals: tuple[str, ...]) -> str:
    return f"{what} of {', '.join(rivals)}" if len(rivals) > 1 else f"{rivals[0]}'s"


def raised(*rivals: str, printed: float | None = None) -> Average:
    """NSO's accuracy above the mean of its rivals'."""
    return Average(
        f"NSO's {ACCURACY.label} above {_whose('the mean', rivals)}",
        ACCURACY.label,
        {"method": ("NSO",)},
        {"method": rivals},
        "gain",
        printed=printed,
    )
