"""Every printed number, in a table or in prose, against the facts extracted from the papers."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

import search_spaces
from search_spaces.nso import protocol
from tests.facts import PAPERS, Fact, fact, facts

Place = tuple[dict[str, str], str]
"""Entries of a cell's key, and the key of the metric."""


# -- printed numbers -----------------------------------------------------------------------------

NETWORKS = {
    "cnn": "CNN",
    "wrn28_2": "WRN-28-2",
    "densenet_bc_k12": "DenseNet-k12",
    "resnet20": "ResNet-20",
}
METRICS = {
    "top1_accuracy": "test_error",
    "top5_accuracy": "test_error_top5",
    "lambda_max": "last_layer_eigenvalue",
    "hessian_trace": "nso_code_trace",
    "hessian_lambda1": "nso_code_lambda1",
    "test_acc": "test_error",
    "accuracy": "validation_error",
    "ece": "test_ece",
    "recall_at_10": "test_recall_at_10",
}


def labels(*names: str) -> Callable[[Fact], Place]:
    """The labels of these names as they are, the metric by `METRICS`."""
    return lambda f: (
        {name: str(f[name]) for name in names},
        METRICS.get(f["metric"], f["metric"]),
    )


def infomcr(f: Fact) -> dict[str, str]:
    return {"reg": "yes" if f["reg"] else "no"}


def infomcr_table2(f: Fact) -> Place:
    suffix = {"top1": "", "top5": "_top5"}[f["k"]]
    test, train = f"test_error{suffix}", f"train_set/error{suffix}"
    metric = {"test": test, "train": train, "gap": f"{test}-{train}"}[f["split"]]
    return infomcr(f), metric


def nso_table2(f: Fact) -> Place:
    noise = str(f["noise"])
    where = {"method": f["method"], "noise": noise, "dataset": f["dataset"]}
    return where, {"train": "train_error", "test": "test_error"}[f["split"]]


PLACES: dict[str, Callable[[Fact], Place]] = {
    "nrs/table1": labels("model", "dataset", "augmentation", "method"),
    "nrs/table2": labels("model", "method"),
    "nrs/table3": labels("method"),
    "amp/table1": labels("model", "dataset", "method"),
    "amp/table2": labels("dataset", "augmentation", "model", "method"),
    "amp/figure7": labels("dataset", "method"),
    "amp/figure8": lambda f: (
        {"method": f["method"], "epsilon": str(f["epsilon"])},
        {"train": "train_nll_curve", "test": "test_nll"}[f["split"]],
    ),
    "infomcr/table1": lambda f: (
        {"dataset": f["dataset"], "model": NETWORKS[f["model"]], **infomcr(f)},
        "test_error",
    ),
    "infomcr/table2": infomcr_table2,
    "infomcr/table3": lambda f: (
        {"model": NETWORKS[f["model"]], **infomcr(f)},
        "fisher_log_det",
    ),
    "nso/table2": nso_table2,
    "nso/table3": labels("method", "dataset"),
    "nso/table4": labels("method", "rho"),
    "nso/table5": labels("task", "method"),
    "nso/table6": labels("method", "dataset"),
}

# Runs behind a printed number where the facts give it in words.
RUNS = {"nrs/table3": 1, "amp/figure8": None, "nso/table5": 3}


@pytest.mark.parametrize("name", PLACES)
def test_every_printed_number_is_carried_over(name: str) -> None:
    printed = {}
    for f in fact(name)["cells"]:
        where, metric = PLACES[name](f)
        printed[frozenset(where.items()), metric] = (f["mean"], f["std"])
    carried = {}
    labels_of = {label for where, _ in printed for label, _ in where}
    artifact = search_spaces.find(name)
    for cell in artifact.experiment.cells:
        where = frozenset((k, v) for k, v in cell.key.items() if k in labels_of)
        for metric, number in cell.reported.items():
            carried[where, metric] = (number.mean, number.std)
    assert carried == printed
    assert len(printed) == len(fact(name)["cells"])


@pytest.mark.parametrize("name", PLACES)
def test_every_printed_number_says_from_how_many_runs(name: str) -> None:
    stated = fact(name)["n_runs"]
    runs = RUNS.get(name, stated if isinstance(stated, int) else 5)  # NSO: 5 where unstated
    numbers = [
        item for c in search_spaces.find(name).experiment.cells for item in c.reported.items()
    ]
    hessian = {"nso_code_trace", "nso_code_lambda1"} if name != "nso/table5" else set()
    assert {r.n for key, r in numbers if r.mean is not None and key not in hessian} == {runs}
    assert {r.n for key, r in numbers if key in hessian} <= {None}


def test_the_spread_of_nso_traces_is_not_over_runs() -> None:
    (trace,) = (m for m in facts("nso")["metrics"] if m["key"] == "hessian_trace")
    assert "std over 3 estimator seeds" in trace["std"]
    assert "ONE saved checkpoint" in trace["std"]


def test_fa_prints_the_same_row_for_both_data_sets() -> None:
    rows = fact("fa/figure1")["cells"]
    for dataset in ("CIFAR-100", "OpenML 159"):
        for row in rows:
            cell = next(
                c
                for c in search_spaces.find("fa/figure1").experiment.cells
                if c.key == {"dataset": dataset, "lambda": str(row["lam"])}
            )
            assert [r.mean for r in cell.reported.values()] == [
                row[name] for name in ("final_acc", "best_acc", "avg_flatness", "train_time")
            ]


def test_fa_runs_the_network_that_made_the_table() -> None:
    """100 units whatever the classes, and Tr(H^2) on the 37 batches of an epoch, in batches."""
    (model,) = facts("fa")["models"]
    assert "Linear(256, 100)" in model["build"]
    artifact = search_spaces.find("fa/figure1")
    for cell in artifact.experiment.cells:
        classes = {"CIFAR-100": 100, "OpenML 159": 5}[cell.key["dataset"]]
        assert cell.fields["model"].get("outputs", classes) == 100
    assert "37 batches per epoch" in facts("fa")["protocol"]["batches"]
    (curvature,) = artifact.experiment.measures
    assert curvature.options["per_batch"]
    assert (curvature.samples, curvature.batch_size) == (37 * 64, 64)


def test_claims_carry_their_numbers() -> None:
    (cost,) = fact("amp/claim_cost")["cells"]
    cells = {c.key["method"]: c for c in search_spaces.find("amp/claim_cost").experiment.cells}
    assert cells["AMP"].reported["training_seconds/ratio"].mean == cost["ratio"]
    plain, regularised, _ = fact("infomcr/claim_time")["cells"]
    times = {
        c.key["reg"]: c.reported["step_seconds"].mean
        for c in search_spaces.find("infomcr/claim_time").experiment.cells
    }
    assert times == {"no": plain["mean"], "yes": regularised["mean"]}


def test_nso_splits_have_the_printed_sizes() -> None:
    columns = ("n_training", "n_validation", "n_test", "n_classes")
    sizes = {
        (f["dataset"], columns.index(f["stat"])): f["value"]
        for f in fact("nso/table3_stats")["cells"]
    }
    assert sizes == {
        (dataset, column): value
        for dataset, row in protocol.SIZES.items()
        for column, value in enumerate(row)
    }


def test_every_artifact_of_the_facts_is_here_or_has_nothing_to_run() -> None:
    here = {artifact.id for artifact in search_spaces.artifacts()}
    elsewhere = {
        "nso/table3_stats": "sizes of the splits: protocol.SIZES",
        "nso/claims_image": "nso/ablation_negative, ablation_k, ablation_plain",
        "nso/remark31_sigma_schedule": "nso/ablation_sigma_schedule",
    }
    for paper in PAPERS:
        for f in facts(paper)["artifacts"]:
            name, trials = f"{paper}/{f['id']}", f["trials_needed"]
            counts = [trials] if isinstance(trials, int) else trials.values()
            runs = sum(c for c in counts if isinstance(c, int))
            assert name in here or name in elsewhere or runs == 0, name


PROSE = {
    "NSO reduces the trace, average over six datasets": "nso/table3",
    "NSO reduces the largest eigenvalue": "nso/table6",
    "test accuracy gain, up to": "nso/table3",
    "test accuracy gain, average": "nso/table3",
    "WP-SGD vs SGD accuracy gap below": "nso/table2",
    "without momentum or weight decay: trace reduction vs five sharpness methods, average": (
        "nso/ablation_plain"
    ),
    "without momentum or weight decay: accuracy gain up to": "nso/ablation_plain",
    "negative perturbation vs two independent perturbations: accuracy gain, average": (
        "nso/ablation_negative"
    ),
    "NSO trace vs randomized smoothing at the end of training": "nso/figure3",
    "more perturbations (k stripped) vs k=1: accuracy gain, average": "nso/ablation_k",
    "combining with augmentation / distance regularisation: trace reduction, average": (
        "nso/figure5_combined"
    ),
    "combining with augmentation / distance regularisation: test-loss reduction, average over six"
    " tasks": "nso/figure5_combined",
    "CLIP: trace reduction vs SAM and SGD": "nso/table5",
    "CLIP: recall gain": "nso/table5",
    "CoT: trace reduction": "nso/table5",
    "CoT: test accuracy gain": "nso/table5",
    "final accuracy, lambda 0.01 (called the best balance)": "fa/figure1",
    "peak accuracy, lambda 0.01": "fa/figure1",
    "train time, baseline": "fa/figure1",
    "train time, all FA settings": "fa/figure1",
}
IN_A_TABLE = {f"final accuracy, lambda {lam}" for lam in ("0", "0.1", "1.0")}


def test_every_number_of_the_prose_stands_with_its_table() -> None:
    groups = ("nso/claims_image", "nso/claims_other", "fa/claims_text")
    stated = {f["claim"]: f["value"] for name in groups for f in fact(name)["cells"] if f["value"]}
    assert set(stated) - IN_A_TABLE == set(PROSE)
    for claim, artifact in PROSE.items():
        # Sections are numbers too.
        said = " ".join(
            c.partition(" (section")[0] for c in search_spaces.find(artifact).notes.claims
        )
        for number in re.findall(r"\d+(?:\.\d+)?", str(stated[claim])):
            assert re.search(rf"(?<![\d.]){re.escape(number)}(?![\d.])", said), claim
