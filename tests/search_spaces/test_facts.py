"""Every printed number, grid value and trial count, against the facts extracted from the papers.

The facts lie beside the repository and are not part of it: without them these
tests are skipped (`test_artifacts.py` needs nothing).
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

import search_spaces
from search_spaces import nso_protocol
from search_spaces.spec import Artifact
from trainables.config import merge

FACTS = Path(__file__).resolve().parents[2].parent / "shared" / "papers"
pytestmark = pytest.mark.skipif(not FACTS.is_dir(), reason=f"no facts at {FACTS}")

Fact = dict[str, Any]
Place = tuple[dict[str, str], str]
"""Entries of a cell's key, and the key of the metric."""


def facts(paper: str) -> Fact:
    loaded: Fact = yaml.safe_load((FACTS / f"{paper}.yaml").read_text())
    return loaded


def fact(artifact: str) -> Fact:
    paper, _, name = artifact.partition("/")
    return next(entry for entry in facts(paper)["artifacts"] if entry["id"] == name)


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
    "recall_at_10": "recall_at_10",
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
    for cell in artifact.cells:
        where = frozenset((k, v) for k, v in cell.key.items() if k in labels_of)
        for metric, number in cell.reported.items():
            carried[where, metric] = (number.mean, number.std)
    assert carried == printed
    assert len(printed) == len(fact(name)["cells"])


@pytest.mark.parametrize("name", PLACES)
def test_every_printed_number_says_from_how_many_runs(name: str) -> None:
    stated = fact(name)["n_runs"]
    runs = RUNS.get(name, stated if isinstance(stated, int) else 5)  # NSO: 5 where unstated
    numbers = [item for c in search_spaces.find(name).cells for item in c.reported.items()]
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
                for c in search_spaces.find("fa/figure1").cells
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
    for cell in artifact.cells:
        classes = {"CIFAR-100": 100, "OpenML 159": 5}[cell.key["dataset"]]
        assert cell.fields["model"].get("outputs", classes) == 100
    assert "37 batches per epoch" in facts("fa")["protocol"]["batches"]
    (curvature,) = artifact.measures
    assert curvature.options["per_batch"]
    assert (curvature.samples, curvature.batch_size) == (37 * 64, 64)


def test_claims_carry_their_numbers() -> None:
    (cost,) = fact("amp/claim_cost")["cells"]
    cells = {c.key["method"]: c for c in search_spaces.find("amp/claim_cost").cells}
    assert cells["AMP"].reported["training_seconds/ratio"].mean == cost["ratio"]
    plain, regularised, _ = fact("infomcr/claim_time")["cells"]
    times = {
        c.key["reg"]: c.reported["step_seconds"].mean
        for c in search_spaces.find("infomcr/claim_time").cells
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
        for dataset, row in nso_protocol.SIZES.items()
        for column, value in enumerate(row)
    }


TEXTS = {"nrs": "000", "amp": "001", "infomcr": "002", "nso": "003", "fa": "004"}


@pytest.mark.parametrize("name", [a.id for a in search_spaces.artifacts() if a.paper in TEXTS])
def test_every_number_stands_in_the_papers_own_text(name: str) -> None:
    """As ``mean ± std`` side by side; numbers the paper does not print say where they are from."""
    artifact = search_spaces.find(name)
    (file,) = (FACTS / "text").glob(f"{TEXTS[artifact.paper]}_*.txt")
    text = re.sub(r"\\(textbf|mathbf|pm)|[${}\\%±|]", " ", file.read_text())
    tokens = [float(token) for token in re.findall(r"-?\d+\.?\d*", text)]
    single, pairs = set(tokens), set(itertools.pairwise(tokens))
    for cell in artifact.cells:
        for number in cell.reported.values():
            if number.mean is None or number.note.startswith("not printed"):
                continue
            if number.std is None:
                assert number.mean in single, cell.key
            else:
                assert (number.mean, number.std) in pairs, cell.key


# -- grids ---------------------------------------------------------------------------------------


def axes(paper: str) -> dict[str, tuple[Any, ...]]:
    return {
        axis["axis"]: tuple(axis["values"])
        for axis in facts(paper)["search_space"]
        if isinstance(axis["values"], list)
    }


def grid(name: str, stage: str, field: str) -> tuple[Any, ...]:
    return tuple(search_spaces.find(name).stage(stage).grid[field])


def values(name: str, label: str) -> tuple[str, ...]:
    cells = search_spaces.find(name).cells
    return tuple(dict.fromkeys(c.key[label] for c in cells if label in c.key))


def test_nrs_grids() -> None:
    printed = axes("nrs")
    assert grid("nrs/table1", "baseline", "optimizer.lr") == printed["base_learning_rate"]
    assert grid("nrs/table1", "baseline", "optimizer.weight_decay") == printed["weight_decay"]
    assert grid("nrs/table1", "baseline", "batch_size") == printed["batch_size"]
    for stage in ("rpr", "rpr (ViT)", "nrs", "nrs (ViT)"):
        assert grid("nrs/table1", stage, "method.epsilon") == printed["epsilon"]
    for stage in ("nrs", "nrs (ViT)"):
        assert grid("nrs/table1", stage, "method.alpha") == printed["alpha"]


def test_amp_values() -> None:
    printed = {
        (axis["artifact"], axis["axis"]): axis["values"]
        for axis in facts("amp")["search_space"]
        if "artifact" in axis
    }

    def pairs(name: str) -> list[list[float]]:
        rules = [c.fields["method"] for c in search_spaces.find(name).cells]
        found = [(r["epsilon"], r["inner_lr"]) for r in rules if r["name"] == "amp"]
        return [list(pair) for pair in dict.fromkeys(found)]

    assert pairs("amp/table1") == printed["table1", "epsilon_zeta_pair"]
    assert pairs("amp/table2") == printed["table2", "epsilon_zeta_pair"]
    assert [p[0] for p in pairs("amp/figure8")] == printed["figure8", "epsilon"]
    assert list(values("amp/table2", "augmentation")) == ["Vanilla", "Cutout", "AutoAug"]
    assert len(values("amp/table1", "method")) == len(printed["table1", "method"])


def test_infomcr_grids() -> None:
    printed = axes("infomcr")
    for name in ("infomcr/table1", "infomcr/table2"):
        assert grid(name, "tune", "method.beta") == printed["beta"]
    assert tuple(map(int, values("infomcr/figure2", "confusion"))) == printed["confusion_size"]
    assert values("infomcr/figure3", "augmentation") == printed["augmentation"]
    assert tuple(map(int, values("infomcr/figure4", "batch size"))) == printed["batch_size"]
    assert values("infomcr/claim_stage_ablation", "phases")[1:] == printed["active_phase"]
    rule = next(
        c.fields["method"]
        for c in search_spaces.find("infomcr/table1").cells
        if c.key["reg"] == "yes"
    )
    assert ((rule["alpha"],), (rule["num_splits"],)) == (printed["alpha"], printed["M"])


def test_nso_grids() -> None:
    printed = axes("nso")
    common = search_spaces.find("nso/table3").stage("common").grid
    assert {
        name.split(".")[-1].replace("lr", "learning_rate"): v for name, v in common.items()
    } == {
        name: printed[name]
        for name in ("learning_rate", "momentum", "weight_decay", "epochs", "batch_size")
    }
    for method in ("SAM", "USAM"):
        assert grid("nso/table3", f"tune {method}", "method.rho") == printed["sam_rho"]
    assert grid("nso/table3", "tune NSO", "method.sigma") == printed["nso_sigma"]
    for method in ("WP-SGD", "NSO"):
        assert grid("nso/table2", f"tune {method}", "method.sigma") == printed["nso_sigma"]
    for method in ("RSAM", "BSAM"):
        assert grid("nso/table6", f"tune {method}", "method.rho") == printed["rsam_rho"]
    assert tuple(map(float, values("nso/table4", "rho"))) == printed["sam_rho_table4"]
    assert tuple(map(int, values("nso/figure5", "batch size"))) == printed["batch_size_ablation"]
    assert tuple(map(int, values("nso/ablation_k", "k"))) == printed["num_perturbs_k"]
    noise = values("nso/table2", "noise")[1:]
    assert tuple(name.lower() for name in noise) == printed["noise_distribution"]
    rates = values("nso/figure6", "learning rate")
    assert tuple(map(float, rates)) == printed["matrix_sensing_lr"]


def test_nso_grids_that_the_text_prints_and_the_facts_lack() -> None:
    """Appendix C's last line prints them; the facts have the values of the authors' scripts."""
    (text,) = (FACTS / "text").glob("003_*.txt")
    last = text.read_text().splitlines()[-1]
    assert "label smoothing" in last
    assert "between 0.1, 0.2, and 0.3" in last
    assert "ASAM, we choose the norm of the perturbation for the weights between 0.5, 1.0" in last
    assert "sampling perturbation between 0.008, 0.01, and 0.012" in last
    assert grid("nso/table6", "tune LS", "method.smoothing") == (0.1, 0.2, 0.3)
    assert grid("nso/table6", "tune ASAM", "method.rho") == (0.5, 1.0, 2.0)
    assert grid("nso/table6", "tune RSAM", "method.sigma") == (0.008, 0.01, 0.012)
    assert axes("nso")["asam_rho"] == (0.1, 0.2, 0.5)  # if this fails, the facts were mended
    assert axes("nso")["ls_alpha"] == (0.2, 0.4)


def test_fa_lambdas() -> None:
    assert tuple(map(float, values("fa/figure1", "lambda"))) == axes("fa")["lam"]


# -- trial counts --------------------------------------------------------------------------------


def count(artifact: Artifact, *stages: str) -> int:
    return sum(
        stage.size(artifact.cells)
        for stage in artifact.stages
        if not stages or stage.name.startswith(stages)
    )


def identities(names: Iterable[str]) -> set[str]:
    """Distinct trials of artifacts whose stages do not start from another's winner."""
    return {
        json.dumps(
            merge({}, {**a.base, **cell.fields, **stage.fields, **point, "seed": seed}),
            sort_keys=True,
            default=str,
        )
        for a in map(search_spaces.find, names)
        for stage in a.stages
        for cell in a.cells
        if stage.covers(cell)
        for point in stage.points()
        for seed in range(stage.seeds)
    }


def needed(name: str) -> Fact:
    trials: Fact = fact(name)["trials_needed"]
    return trials


def test_nrs_counts() -> None:
    table1 = search_spaces.find("nrs/table1")
    assert count(table1) == needed("nrs/table1")["total"] == 1500
    assert [count(table1, s) for s in ("baseline", "rpr", "nrs")] == [780, 180, 540]
    assert "780; rpr" in needed("nrs/table1")["how"]
    assert count(search_spaces.find("nrs/table2")) == needed("nrs/table2")["total"]
    for name in ("nrs/table3", "nrs/figure1"):
        assert needed(name)["total"] == 0
    assert identities(["nrs/table3", "nrs/figure1"]) <= identities(["nrs/table1"])
    figure1 = search_spaces.find("nrs/figure1")
    assert sum("epsilon" in c.key for c in figure1.cells) == 18


def test_amp_counts() -> None:
    for name in ("table1", "table2", "figure6"):
        assert count(search_spaces.find(f"amp/{name}")) == needed(f"amp/{name}")["total"]
    table1 = identities(["amp/table1"])
    assert identities(["amp/figure2", "amp/figure7"]) <= table1
    assert len(identities(["amp/figure8"]) - table1) == needed("amp/figure8")["total"]
    every = ["amp/table1", "amp/table2", "amp/figure2", "amp/figure6", "amp/figure7", "amp/figure8"]
    total = facts("amp")["totals"]["training_runs"]["tables_and_figures_no_tuning"]["total"]
    assert len(identities(every)) == total == 851


def test_infomcr_counts() -> None:
    for name in ("table1", "table2", "figure2", "figure3", "figure4"):
        artifact, trials = search_spaces.find(f"infomcr/{name}"), needed(f"infomcr/{name}")
        assert count(artifact, "plain", "final", "train") == trials["final"]
        assert count(artifact, "tune") == trials["tuning"]
    figures = identities([f"infomcr/figure{i}" for i in (2, 3, 4)])
    assert len(figures) == 30 + 20 + 20 - 5  # figures 3 and 4 share the default configuration
    assert count(search_spaces.find("infomcr/claim_time")) == 2


@pytest.mark.parametrize("name", ["table2", "table3", "table4", "figure3", "figure4", "figure6"])
def test_nso_counts(name: str) -> None:
    artifact, trials = search_spaces.find(f"nso/{name}"), needed(f"nso/{name}")
    final = ("final", "learning rate", "epochs", "plain")
    assert count(artifact, *final) == trials["final"]
    if name != "figure3":  # its tuning is Table 2's
        assert count(artifact, "tune") == trials["tuning"]
    if name != "figure6":
        once = facts("nso")["trials_total"]["base_grid_extra"]["one_dataset_once"]
        assert count(artifact, "common") == once


def test_nso_counts_that_share() -> None:
    six, runs = 6, nso_protocol.RUNS
    table6 = search_spaces.find("nso/table6")
    new = ("LS", "RSAM", "BSAM")
    assert sum(count(table6, f"final {m}") for m in new) == needed("nso/table6")["final"]
    # The facts count 2 + 9 + 9 points of the scripts' grids; Appendix C prints 3 + 9 + 3.
    assert needed("nso/table6")["tuning"] == (2 + 9 + 9) * six
    assert sum(count(table6, f"tune {m}") for m in new) == (3 + 9 + 3) * six

    alone = six * runs  # NSO alone is Table 3's
    left = count(search_spaces.find("nso/figure5"), "final")
    right = count(search_spaces.find("nso/figure5_combined"), "final") - alone
    assert left + right == needed("nso/figure5")["final"]

    negative = count(search_spaces.find("nso/ablation_negative"), "final") - alone
    k = count(search_spaces.find("nso/ablation_k"), "final") - alone - negative
    plain = count(search_spaces.find("nso/ablation_plain"), "final")
    assert (plain, negative, k) == (180, 30, 120)
    assert plain + negative + k == needed("nso/claims_image")["final"]

    schedule = search_spaces.find("nso/ablation_sigma_schedule")
    constant = sum(c.key.get("schedule") == "none" for c in schedule.cells)
    remark = needed("nso/remark31_sigma_schedule")["final"]
    assert count(schedule, "final") - constant == remark


def test_fa_counts() -> None:
    totals = facts("fa")["trials_total"]
    artifact = search_spaces.find("fa/figure1")
    assert count(artifact) == totals["double_if_both_datasets"]
    assert count(artifact) == 2 * totals["suggested_five_seeds"]


def test_every_artifact_of_the_facts_is_here_or_has_nothing_to_run() -> None:
    here = {artifact.id for artifact in search_spaces.artifacts()}
    elsewhere = {
        "nso/table3_stats": "sizes of the splits: nso_protocol.SIZES",
        "nso/claims_image": "nso/ablation_negative, ablation_k, ablation_plain",
        "nso/remark31_sigma_schedule": "nso/ablation_sigma_schedule",
    }
    for paper in ("nrs", "amp", "infomcr", "nso", "fa"):
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
        said = " ".join(c.partition(" (section")[0] for c in search_spaces.find(artifact).claims)
        for number in re.findall(r"\d+(?:\.\d+)?", str(stated[claim])):
            assert re.search(rf"(?<![\d.]){re.escape(number)}(?![\d.])", said), claim
