"""Every grid value and trial count, against the facts extracted from the papers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

import search_spaces
from search_spaces.nso import protocol
from search_spaces.readings import read
from search_spaces.spec import Artifact
from tests.facts import Fact, fact, facts
from trainables.config import merge

# -- grids ---------------------------------------------------------------------------------------


def axes(paper: str) -> dict[str, tuple[Any, ...]]:
    return {
        axis["axis"]: tuple(axis["values"])
        for axis in facts(paper)["search_space"]
        if isinstance(axis["values"], list)
    }


def grid(name: str, stage: str, field: str) -> tuple[Any, ...]:
    return tuple(search_spaces.find(name).experiment.stage(stage).grid[field])


def values(name: str, label: str) -> tuple[str, ...]:
    cells = search_spaces.find(name).experiment.cells
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
        rules = [c.fields["method"] for c in search_spaces.find(name).experiment.cells]
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
        for c in search_spaces.find("infomcr/table1").experiment.cells
        if c.key["reg"] == "yes"
    )
    assert ((rule["alpha"],), (rule["num_splits"],)) == (printed["alpha"], printed["M"])


def test_nso_grids() -> None:
    printed = axes("nso")
    common = search_spaces.find("nso/table3").experiment.stage("common").grid
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
    assert grid("nso/table5", "tune NSO on captions", "method.sigma") == printed["nso_sigma_clip"]
    thoughts = grid("nso/table5", "tune NSO on thoughts", "method.sigma")
    assert thoughts == printed["nso_sigma_cot"][1:]  # with 0.008 one of the scripts only evaluates
    assert grid("nso/table5", "tune SAM on thoughts", "method.rho") == printed["sam_rho"]
    assert grid("nso/table5", "tune SAM on captions", "method.rho") == printed["sam_rho"][1:]
    assert tuple(map(float, values("nso/table4", "rho"))) == printed["sam_rho_table4"]
    assert tuple(map(int, values("nso/figure5", "batch size"))) == printed["batch_size_ablation"]
    assert tuple(map(int, values("nso/ablation_k", "k"))) == printed["num_perturbs_k"]
    noise = values("nso/table2", "noise")[1:]
    assert tuple(name.lower() for name in noise) == printed["noise_distribution"]
    rates = values("nso/figure6", "learning rate")
    assert tuple(map(float, rates)) == printed["matrix_sensing_lr"]


def test_nso_grids_that_the_text_prints_and_the_facts_lack() -> None:
    """Appendix C's last line prints them; the facts have the values of the authors' scripts."""
    assert grid("nso/table6", "tune LS", "method.smoothing") == (0.1, 0.2, 0.3)
    assert grid("nso/table6", "tune ASAM", "method.rho") == (0.5, 1.0, 2.0)
    assert grid("nso/table6", "tune RSAM", "method.sigma") == (0.008, 0.01, 0.012)
    assert axes("nso")["asam_rho"] == (0.1, 0.2, 0.5)  # if this fails, the facts were mended
    assert axes("nso")["ls_alpha"] == (0.2, 0.4)


def test_fa_lambdas() -> None:
    assert tuple(map(float, values("fa/figure1", "lambda"))) == axes("fa")["lam"]


# -- trial counts --------------------------------------------------------------------------------


ONE_RUN = {
    "amp/figure6": "spiral-runs",
    "amp/figure8": "figure-runs",
    "nso/figure3": "figure-runs",
    "nso/figure4": "figure-runs",
    "nso/figure6": "sensing-runs",
    "nso/ablation_sigma_schedule": "figure-runs",
}
"""The reading by which an artifact has one run of everything, as the facts count."""


def counted(name: str) -> Artifact:
    """What the facts count: the sentences about some artifacts ask for more runs."""
    artifact = search_spaces.find(name)
    return read(artifact, ONE_RUN[name], "1") if name in ONE_RUN else artifact


def count(artifact: Artifact, *stages: str) -> int:
    return sum(
        stage.size(artifact.experiment.cells)
        for stage in artifact.experiment.stages
        if not stages or stage.name.startswith(stages)
    )


def identities(names: Iterable[str]) -> set[str]:
    """Distinct trials of artifacts whose stages do not start from another's winner."""
    return {
        json.dumps(
            merge({}, {**a.experiment.base, **cell.fields, **stage.fields, **point, "seed": seed}),
            sort_keys=True,
            default=str,
        )
        for a in map(counted, names)
        for stage in a.experiment.stages
        for cell in a.experiment.cells
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
    assert sum("epsilon" in c.key for c in figure1.experiment.cells) == 18


def test_amp_counts() -> None:
    for name in ("table1", "table2", "figure6"):
        assert count(counted(f"amp/{name}")) == needed(f"amp/{name}")["total"]
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


def test_nso_counts_of_language_and_captions() -> None:
    table5, trials = search_spaces.find("nso/table5"), needed("nso/table5")
    assert count(table5, "final") == trials["final"]
    assert count(table5, "tune") == trials["tuning"]
    panels = [counted(f"nso/{name}") for name in ("figure2", "figure2_bert", "figure2_gcn")]
    assert sum(map(count, panels)) == needed("nso/figure2")["final"]


@pytest.mark.parametrize("name", ["table2", "table3", "table4", "figure3", "figure4", "figure6"])
def test_nso_counts(name: str) -> None:
    artifact, trials = counted(f"nso/{name}"), needed(f"nso/{name}")
    final = ("final", "learning rate", "epochs", "plain")
    assert count(artifact, *final) == trials["final"]
    if name != "figure3":  # its tuning is Table 2's
        assert count(artifact, "tune") == trials["tuning"]
    if name != "figure6":
        once = facts("nso")["trials_total"]["base_grid_extra"]["one_dataset_once"]
        assert count(artifact, "common") == once


def test_nso_counts_that_share() -> None:
    six, runs = 6, protocol.RUNS
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

    schedule = counted("nso/ablation_sigma_schedule")
    keys = [c.key for c in schedule.experiment.cells if c.key.get("sigma") != "chosen"]
    constant = sum(key.get("schedule") == "none" for key in keys)
    remark = needed("nso/remark31_sigma_schedule")["final"]
    assert count(schedule, "final") - constant == remark


def test_fa_counts() -> None:
    totals = facts("fa")["trials_total"]
    artifact = search_spaces.find("fa/figure1")
    assert count(artifact) == totals["double_if_both_datasets"]
    assert count(artifact) == 2 * totals["suggested_five_seeds"]
