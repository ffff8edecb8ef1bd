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
    Cell,
    Choice,
    Measure,
    Metric,
    Override,
    Reading,
    Reported,
    Selection,
    Stage,
)

RUNS = 5  # "five independent runs" (section 2.1)

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

TRAINING_CHOICES = (
    Choice(
        "optimizer",
        "SGD with momentum and weight decay",
        "the text and its grid; the code's configurations have Adam at 1e-4",
        "optimizer.name",
    ),
    Choice(
        "the common settings that were chosen",
        "searched once, for SGD on Indoor",
        "their values are lost; 486 points for each data set and method of Table 3 are 14,580 runs",
    ),
    Choice("learning-rate drop", "/ 10 after each third", "code: every 10 of 30 epochs"),
    Choice("augmentation", "none", "section 3.1.4 treats it as an addition", "data.augmentation"),
)
GRID_CHOICES: tuple[tuple[set[str], Choice], ...] = (
    (
        {"NSO", "WP-SGD"},
        Choice(
            "grid of sigma",
            "0.008, 0.01, 0.012",
            "code; the printed values are lost",
            "method.sigma",
        ),
    ),
    ({"USAM"}, Choice("grid of USAM", "SAM's", "Appendix C names none")),
    ({"ASAM"}, Choice("grid of ASAM", "as printed in Appendix C", "the code has 0.1 to 0.5")),
    ({"LS"}, Choice("grid of LS", "as printed in Appendix C", "the code has 0.2 and 0.4")),
    (
        {"RSAM"},
        Choice("grid of RSAM's sigma", "as printed in Appendix C", "the code has 0.01 to 0.014"),
    ),
)


def _published_bsam(dataset: str) -> Override:
    """``p.grad = m / s`` is the whole step, and delta the weight decay (`methods.bsam`)."""
    return Override(
        {"method": "BSAM", "dataset": dataset},
        {
            "method.posterior": "adaptive",
            "method.num_data": float(SIZES[dataset][0]),
            "optimizer.momentum": 0.0,
            "optimizer.weight_decay": 0.0,
        },
    )


METHOD_CHOICES: tuple[tuple[set[str], Choice], ...] = (
    (
        {"NSO", "WP-SGD"},
        Choice(
            "BatchNorm statistics of NSO and WP-SGD",
            "moved by a clean forward pass of their own",
            "code; its cost is counted (a third of a gradient), and the text is silent",
            "batchnorm",
        ),
    ),
    (
        {"LS"},
        Choice(
            "label smoothing",
            "s / K on every class",
            "code; Appendix C's 'weight of the loss calculated from the incorrect labels' may be s",
            "method.convention",
        ),
    ),
    (
        {"ASAM"},
        Choice(
            "parameters that ASAM scales",
            "all, without an offset",
            "code; in ASAM's own release those with 'weight' in their name, and eta = 0.01",
            "method.scaled",
        ),
    ),
    (
        {"RSAM"},
        Choice(
            "RSAM",
            "an ascent of length rho along the gradient at the noisy weights, undone",
            "its idea; in the code the ascent is never undone, and its length is another",
            "method.code_faithful",
        ),
    ),
    (
        {"BSAM"},
        Choice(
            "rule of BSAM",
            "fixed: the code's, which has no posterior, with its ascent undone",
            "in the code it is never undone; adaptive is bSAM as published, which makes a step of"
            " its own, without momentum and weight decay",
            "method.posterior",
            name="bsam",
            default="fixed",
            others={
                "adaptive": Reading(
                    "bSAM as published", tuple(_published_bsam(dataset) for dataset in DATASETS)
                )
            },
            code="fixed",
        ),
    ),
    (
        {"BSAM"},
        Choice("sigma of BSAM", "0.01, its default", "Appendix C names a grid of its radius only"),
    ),
)
RETINA_CHOICE = Choice(
    "Retina",
    "Messidor-2",
    "code; the text cites RFMiD (Pachade et al. 2021), and the sizes fit neither",
    "data.source",
)


def choices(
    *methods: str,
    datasets: Iterable[str] = DATASETS,
    runs: int = RUNS,
    tuned: bool = True,
) -> tuple[Choice, ...]:
    """The readings that concern a table of these methods and data sets.

    Args:
        tuned: Whether the methods' own grids are searched.
    """
    own = (*GRID_CHOICES, *METHOD_CHOICES) if tuned else METHOD_CHOICES
    stated = "the only number printed (section 2.1)" if runs == RUNS else "not stated for this one"
    return (
        *TRAINING_CHOICES,
        *(choice for concerned, choice in own if concerned & {*methods}),
        *([RETINA_CHOICE] if "Retina" in datasets else []),
        Choice("number of runs", str(runs), stated),
    )


SAME_SIGMA = Choice("sigma", "NSO's with k = 1, for every row", "not stated", "method.sigma")

# -- what is shown and measured ------------------------------------------------------------------

ACCURACY = Metric(
    "test_error", "test accuracy %", better="higher", shown="accuracy_percent", digits=1
)
TRACE = Metric("nso_code_trace", "Hessian trace", digits=0)
LAMBDA1 = Metric("nso_code_lambda1", "lambda_1", digits=0)
TRACE_MEASURE = Measure("nso_code_trace", {"batch_size": 16, "num_batches": 63})
LAMBDA1_MEASURE = Measure("nso_code_lambda1", {"batch_size": 16, "num_batches": 63})
HESSIAN_CHOICE = Choice(
    "Hessian",
    "mean over 63 training batches of 16, eval mode, convolutions and head",
    "code's defaults",
)
HESSIAN_CHOICES = (
    HESSIAN_CHOICE,
    Choice(
        "± of traces and eigenvalues",
        "over training runs",
        "the code's is over seeds of the estimator on one network: no verdict is drawn from it",
    ),
)
LAMBDA1_CHOICE = Choice(
    "lambda_1",
    "code's: sum over layers, each layer's vector of unit norm (up to 34 times the eigenvalue)",
    "code; an eigenvalue of the Hessian, which the text names, needs one vector for all layers",
    "measure",
)
