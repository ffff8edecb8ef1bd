"""A sweep from Python: loaded, planned, run and shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sweep import experiment
from sweep.experiment import Study
from sweep.run.limits import Limits
from sweep.tables import render
from tests.sweep.files.cases import SMALL
from tests.sweep.test_own_parts import METHOD
from trainables.errors import UsageError
from trainables.own_parts.load import forget_all
from trainables.storage.trial_folder import WEIGHTS

TINY = SMALL.replace("epochs: 2", "epochs: 1, data.subset: 100, batch_size: 32")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Run once."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "s.yaml").write_text(TINY)
    loaded = experiment.load(folder / "s.yaml", storage=str(folder / "results"))
    assert len(loaded.record()) == 0
    assert loaded.plan().size == 12
    return loaded.run(executor="serial", execution={"device": "cpu"})


def test_what_was_run_is_recorded(study: Study) -> None:
    assert study.plan().missing(study.record()) == []
    assert len(study.record()) == 12
    assert {"trial_id", "metric", "value"} <= set(study.record().numbers().column_names)


def test_its_trials_are_in_arrow(study: Study) -> None:
    found = study.trials()
    frame = found.to_pandas()
    assert len(frame) == 12
    assert sorted(frame["cell.method"].unique()) == ["ERM", "SAM"]
    assert sorted(frame["optimizer.lr"].unique()) == [0.05, 0.1]
    plan = study.plan()
    assert set(frame["trial_id"]) == {trial.trial_id for trial in plan.trials}
    (cell, _), record = plan.cells, study.record()
    of_erm = frame[frame["cell.method"] == cell.key["method"]]
    assert list(of_erm["test_error"]) == list(record.values(list(of_erm["trial_id"]), "test_error"))
    long = study.trials(curves=True, layout="long")
    assert {"metric", "epoch", "value"} <= set(long.column_names)


def test_some_cells_are_loaded_alone(study: Study) -> None:
    sweep = study.sweep
    folder = Path(sweep.storage).parent
    some = experiment.load(folder / "s.yaml", storage=sweep.storage, where={"method": "SAM"})
    assert some.plan().size == 8
    assert list(some.table().pandas()["method"]) == ["SAM"]
    assert len(some.trials()) == 8


def test_a_study_that_is_read_makes_nothing(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(TINY)
    study = experiment.load(tmp_path / "s.yaml", storage=str(tmp_path / "results"))
    assert study.plan().size == 12
    assert study.table().pandas()["n"].sum() == 0
    assert len(study.trials()) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["s.yaml"]


def test_a_study_goes_only_so_far(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(TINY)
    study = experiment.load(tmp_path / "s.yaml", storage=str(tmp_path / "results"))
    execution = {"device": "cpu", "keep_weights": "last"}
    study.run(executor="serial", limits=Limits(max_trials=1), execution=execution)
    assert len(study.record()) == 1
    assert len(study.plan().missing(study.record())) == 11
    assert len(list((tmp_path / "results" / "trials").glob(f"*/{WEIGHTS}"))) == 1
    with pytest.raises(UsageError, match=r"unknown value of changed 'retran' \(did you mean 're"):
        study.run(executor="serial", changed="retran")


def test_a_table_is_a_frame_and_a_page(study: Study) -> None:
    table = study.table()
    frame = table.pandas()
    assert list(frame["method"]) == ["ERM", "SAM"]
    assert list(frame["n"]) == [2, 2]
    trials = study.trials().to_pandas().set_index("trial_id")
    for _, row in frame.iterrows():
        numbers = trials.loc[list(row["trial_ids"])]
        assert list(numbers["test_error"]) == list(row["values"])
        assert set(numbers["cell.method"]) == {row["method"]}
    assert set(json.loads(frame["point"][1])) == {"optimizer.lr", "method.rho"}
    for _, row in frame.iterrows():
        assert row["mean"] == pytest.approx(100 * sum(row["values"]) / 2)
    assert table.arrow().num_rows == 2
    assert table._repr_html_() == render(table.table, "html")
    assert "<table" in table._repr_html_()
    assert str(table).startswith("mine/x")


def test_every_point_has_a_row_of_its_own(study: Study) -> None:
    frame = study.table(all_points=True).pandas()
    assert len(frame) == 2 + 4
    assert sorted(frame["method.rho"].unique()) == ["", "0.01", "0.1"]


def test_what_was_searched_is_drawn(study: Study) -> None:
    (figure,) = study.figures(kind="grid")
    assert [axis.get_title() for axis in figure.axes if axis.get_title()] == ["ERM", "SAM"]


def test_papers_are_loaded_by_name_at_their_own_presets(tmp_path: Path) -> None:
    loaded = experiment.load("nrs/table3", storage=str(tmp_path))
    assert (loaded.sweep.artifact.id, loaded.sweep.preset) == ("nrs/table3", "smoke")
    with pytest.raises(UsageError, match="unknown artifact 'nrs/table9'"):
        experiment.load("nrs/table9")
    with pytest.raises(UsageError, match="unknown selection rule 'test'"):
        experiment.load("nrs/table3", selection="test")


def test_parts_of_ones_own_and_a_store_of_ones_own_are_taken(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(METHOD.format(name="mine_in_a_study"))
    (tmp_path / "s.yaml").write_text(TINY.replace("method: sam, grid: {method.rho: [0.01, 0.1]}",
                                                  "method: mine_in_a_study"))  # fmt: skip
    uri = f"sqlite:///{tmp_path}/elsewhere.db"
    try:
        study = experiment.load(
            tmp_path / "s.yaml", storage=str(tmp_path / "results"), tracking_uri=uri,
            imports=[str(tmp_path / "mine.py")],
        )  # fmt: skip
        study.run(executor="serial", limits=Limits("random", max_trials=1))
    finally:
        forget_all()
    assert (tmp_path / "elsewhere.db").exists()
    assert not list((tmp_path / "results").glob("*.db"))
