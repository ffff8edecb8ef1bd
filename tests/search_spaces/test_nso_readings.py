"""NSO by other readings: what is run, searched, measured and compared then."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import search_spaces
from search_spaces.nso.choices.training import CODE_COMMON, MIDDLE_COMMON
from search_spaces.nso.figures import FIGURE3_AT
from search_spaces.nso.protocol import NOT_UNDONE
from search_spaces.readings import read, read_all
from search_spaces.spec import Artifact
from sweep.aggregate import selection
from sweep.plan.expand import PlannedTrial, plan
from sweep.record.record import Record
from trainables.config import TrialConfig

NSO = [a for a in search_spaces.artifacts() if a.paper == "nso"]
TUNED = [a for a in NSO if any(c.name == "common" for c in a.notes.choices)]


def planned(artifact: Artifact) -> list[PlannedTrial]:
    stages = plan(artifact, "paper", selection("paper"), Record.from_runs([])).stages
    return [trial for stage in stages for trial in (*stage.trials, *stage.expected)]


def value(config: TrialConfig, field: str) -> object:
    at: object = config
    for step in field.split("."):
        at = getattr(at, step)
    return at


OWN = {
    "nso/figure4": {"learning rate": {"optimizer.lr"}, "epochs": {"epochs"}},
    "nso/figure5": {"": {"batch_size"}},
    "nso/ablation_plain": {"plain": {"optimizer.momentum", "optimizer.weight_decay"}},
}
"""What cells of an artifact vary themselves, by the entry of their key that says so."""


def own(artifact: Artifact, trial: PlannedTrial) -> set[str]:
    entries = {"", *trial.cell.key.values()}
    return {f for entry, fs in OWN.get(artifact.id, {}).items() if entry in entries for f in fs}


@pytest.mark.parametrize("name", ["code", "middle"])
@pytest.mark.parametrize("artifact", TUNED, ids=lambda a: a.id)
def test_given_common_settings_are_not_searched(artifact: Artifact, name: str) -> None:
    trials = planned(read(artifact, "common", name))
    assert "common" not in {trial.stage for trial in trials}
    given = CODE_COMMON if name == "code" else MIDDLE_COMMON
    for trial in trials:
        for field in given.keys() - own(artifact, trial):
            large = name == "code" and trial.cell.key.get("dataset", "").startswith("CIFAR")
            expected = 256 if large and field == "batch_size" else given[field]
            assert value(trial.config, field) == expected, (trial.name, field)


@pytest.mark.parametrize("name", list(OWN))
def test_what_cells_vary_themselves_stays_varied(name: str) -> None:
    artifact = search_spaces.find(name)

    def varied(of: Artifact) -> set[tuple[object, ...]]:
        return {
            (*trial.cell.key.values(), field, value(trial.config, field))
            for trial in planned(of)
            if trial.stage != "common"
            for field in own(artifact, trial)
        }

    assert varied(read(artifact, "common", "code")) == varied(artifact)


def test_adam_is_searched_in_what_it_leaves_open() -> None:
    """Its rate and weight decay are the code's, and it has no momentum."""
    trials = planned(read(search_spaces.find("nso/table3"), "optimizer", "adam"))
    assert all(t.config.optimizer.name == "adam" and t.config.optimizer.amsgrad for t in trials)
    assert {(t.config.optimizer.lr, t.config.optimizer.weight_decay) for t in trials} == {(1e-4, 0)}
    searched = {(t.config.epochs, t.config.batch_size) for t in trials if t.stage == "common"}
    assert searched == {(e, b) for e in (20, 40, 60) for b in (16, 32, 64)}
    assert sum(t.stage == "common" for t in trials) == len(searched)


def test_as_the_code_is_trained_adam_has_no_weight_decay() -> None:
    """Its common settings are of the configurations for SGD, which has one."""
    artifact = search_spaces.find("nso/table3")
    trials = planned(read_all(artifact, {"optimizer": "adam", "common": "code"}))
    assert {t.config.optimizer.weight_decay for t in trials} == {0.0}
    assert "common" not in {t.stage for t in trials}


@pytest.mark.parametrize("method", ["RSAM", "BSAM"])
def test_printed_numbers_of_the_codes_rule_are_compared_where_that_is_run(method: str) -> None:
    """On Retina they are still of other images, and that alone is said."""
    artifact = search_spaces.find("nso/table6")
    found = read(artifact, method.lower(), "code")
    for before, cell in zip(artifact.experiment.cells, found.experiment.cells, strict=True):
        assert before.reported.keys() == cell.reported.keys()
        for number in cell.reported.values():
            if cell.key["method"] == method:
                assert NOT_UNDONE not in number.note
                assert number.comparable == (cell.key["dataset"] != "Retina")
                assert bool(number.note) != number.comparable
        if cell.key["method"] != method:
            assert cell == before


@pytest.mark.parametrize(
    ("name", "method", "field", "values"),
    [
        ("asam-grid", "ASAM", "method.rho", (0.1, 0.2, 0.5)),
        ("rsam-grid", "RSAM", "method.sigma", (0.01, 0.012, 0.014)),
        ("ls-grid", "LS", "method.smoothing", (0.2, 0.4)),
    ],
)
def test_a_method_s_own_grid_is_of_its_stage_alone(
    name: str, method: str, field: str, values: tuple[float, ...]
) -> None:
    artifact = search_spaces.find("nso/table6")
    found = read(artifact, name, "code")
    for before, stage in zip(artifact.experiment.stages, found.experiment.stages, strict=True):
        if stage.name == f"tune {method}":
            assert stage.grid == {**before.grid, field: values}
        else:
            assert stage == before


def columns(artifact: Artifact) -> Iterator[tuple[str, str, bool]]:
    """(column, its recorded metric, whether a printed number of it is compared) of every cell."""
    for cell in artifact.experiment.cells:
        for metric in artifact.view.metrics:
            if metric.key in cell.reported:
                yield metric.label, metric.name, cell.reported[metric.key].comparable


@pytest.mark.parametrize(
    ("name", "column", "metric"),
    [
        ("trace", "Hessian trace", "hessian_trace"),
        ("lambda-1", "lambda_1", "hessian_lambda_max"),
    ],
)
def test_the_exact_number_is_measured_and_not_compared_with_the_codes(
    name: str, column: str, metric: str
) -> None:
    artifact = search_spaces.find("nso/table6")
    found = read(artifact, name, "exact")
    assert metric in {measure.name for measure in found.experiment.measures}
    assert [c for c in columns(found) if c[0] != column] == [
        c for c in columns(artifact) if c[0] != column
    ]
    of_column = {c for c in columns(found) if c[0] == column}
    assert of_column == {(column, metric, False)}


def test_a_curve_of_the_exact_trace_is_measured_as_often() -> None:
    found = read(search_spaces.find("nso/figure3"), "trace", "exact")
    (exact,) = (m for m in found.experiment.measures if m.name == "hessian_trace")
    assert exact.at == FIGURE3_AT


def test_rows_say_which_data_set_is_run() -> None:
    found = read(search_spaces.find("nso/table2"), "second-dataset", "caltech-256")
    shown = {cell.label("dataset") for cell in found.experiment.cells}
    assert shown == {"Aircraft", "caltech256, for Indoor", "Retina"}


def test_matrices_alone_are_perturbed_by_every_method_that_perturbs() -> None:
    artifact = search_spaces.find("nso/table6")
    before, after = planned(artifact), planned(read(artifact, "perturbed", "matrices"))
    for old, new in zip(before, after, strict=True):
        if old.cell.key["method"] in ("SGD", "LS"):
            assert new.trial_id == old.trial_id
        else:
            assert new.config.method.options["perturb"] == "weights"
