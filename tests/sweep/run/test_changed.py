"""Results of other code or data than there is now: stop, accept, retrain; and a table that says so.

By the commands, in this process, whose imports are forgotten between them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sweep.record.mlflow_store import Tracker, default_uri
from tests.sweep.called import call
from tests.sweep.test_own_parts import METHOD
from trainables import data
from trainables.own_parts.load import forget_all

RUN = ("run", "s.yaml", "--executor", "serial")
CODE = METHOD.format(name="mine_changes")
SWEEP = """\
import: mine.py
base: {model: mlp_tiny, epochs: 1, data.subset: 100, batch_size: 32}
compare: {ERM: erm, mine: mine_changes}
seeds: 2
"""


def sweep(*words: str) -> tuple[int, str, str]:
    forget_all()
    data.forget()
    return call(*words)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLATSWEEP_DATA", str(tmp_path / "data"))
    (tmp_path / "mine.py").write_text(CODE)
    (tmp_path / "s.yaml").write_text(SWEEP)
    yield tmp_path
    forget_all()
    data.forget()


def results(folder: Path, method: str) -> dict[str, str]:
    """Trial of a method -> the code in its result."""
    read = [json.loads(path.read_text()) for path in folder.rglob("result.json")]
    return {
        r["trial_id"]: r["provenance"].get("parts", "")
        for r in read
        if r["config"]["method"]["name"] == method
    }


def test_other_code_stops_the_sweep_and_one_option_decides(folder: Path) -> None:
    assert sweep(*RUN)[0] == 0
    ours, before = results(folder, "erm"), results(folder, "mine_changes")
    assert sweep(*RUN)[0] == 0  # the same code
    (folder / "mine.py").write_text(CODE + "# another\n")
    files = {path: path.read_bytes() for path in folder.rglob("result.json")}

    code, out, error = sweep(*RUN)
    assert (code, out, error.count("\n")) == (1, "", 1)
    assert error.startswith(
        "sweep: 2 trials were made with another version of method mine_changes ("
    )
    assert all(trial_id in error for trial_id in before)
    assert "--changed accept takes the results as they are, --changed retrain trains" in error
    assert {path: path.read_bytes() for path in folder.rglob("result.json")} == files

    code, out, _ = sweep("table", "s.yaml", "--format", "json")
    found = json.loads(out)
    assert found["changed"].startswith("2 trials were made with another version of method mine")
    code, out, _ = sweep("table", "s.yaml")
    (marked,) = [line for line in out.splitlines() if "2 changed" in line]
    assert marked.startswith("mine")
    said = sweep("plan", "s.yaml")[1].splitlines()
    assert any(line.startswith("2 trials were made with another version of") for line in said)
    planned = json.loads(sweep("plan", "s.yaml", "--format", "json")[1])
    assert planned["changed"] == dict.fromkeys(before, "method mine_changes")

    assert sweep(*RUN, "--changed", "accept")[0] == 0
    assert results(folder, "mine_changes") == before
    assert sweep(*RUN)[0] == 1  # it is asked for each time

    code, _, error = sweep(*RUN, "--changed", "retrain")
    assert code == 0
    assert "mine_changes" in error
    assert "2 to run" in error
    after = results(folder, "mine_changes")
    assert after.keys() == before.keys()
    assert set(after.values()).isdisjoint(before.values())
    assert results(folder, "erm") == ours
    assert len(list(folder.rglob("result.bad-*.json"))) == 2  # they are kept
    record = Tracker(default_uri("results")).load(refresh=True)
    assert {t: record.origins(("parts",))[t]["parts"] for t in after} == after
    assert sweep(*RUN)[0] == 0
    assert "changed" not in sweep("table", "s.yaml")[1]


def test_a_retrained_trial_stays_in_its_other_sweeps(folder: Path) -> None:
    (folder / "other.yaml").write_text(SWEEP.replace("seeds: 2", "seeds: 1\nname: other"))
    assert sweep(*RUN)[0] == 0
    assert sweep("run", "other.yaml", "--executor", "serial")[0] == 0
    (folder / "mine.py").write_text(CODE + "# another\n")
    assert sweep(*RUN, "--changed", "retrain")[0] == 0
    rows = json.loads(sweep("status", "--format", "json")[1])
    assert {row["artifact"]: row["done"] for row in rows} == {"mine/s": 4, "mine/other": 2}


def test_a_result_that_nobody_recorded_is_compared_too(folder: Path) -> None:
    """The driver died after the trials had ended."""
    assert sweep(*RUN)[0] == 0
    elsewhere = ("--tracking-uri", f"sqlite:///{folder}/empty.db")
    (folder / "mine.py").write_text(CODE + "# another\n")
    before = results(folder, "mine_changes")
    code, _, error = sweep(*RUN, *elsewhere)
    assert code == 1
    assert "2 trials were made with another version of method mine_changes (" in error
    code, _, error = sweep(*RUN, *elsewhere, "--changed", "retrain")
    assert code == 0
    assert "2 finished trials found in storage and recorded" in error
    assert set(results(folder, "mine_changes").values()).isdisjoint(before.values())


def test_a_second_stage_starts_from_the_winner_of_the_new_code(folder: Path) -> None:
    """Not from that of the results that are trained again."""
    (folder / "s.yaml").write_text(
        "import: mine.py\n"
        "base: {model: mlp_tiny, epochs: 1, data.subset: 100, batch_size: 32}\n"
        "compare: {mine: {method: mine_changes, grid: {method.factor: [0.0001, 1.0]}}}\n"
        "then: {seeds: 2, epochs: 2}\nseeds: 1\n"
    )
    assert sweep(*RUN)[0] == 0
    flipped = CODE.replace("self.factor)", "1.0001 - self.factor)")
    (folder / "mine.py").write_text(flipped)
    assert sweep(*RUN, "--changed", "retrain")[0] == 0
    digest = {parts.rpartition("=")[2] for parts in results(folder, "mine_changes").values()}
    plan = json.loads(sweep("plan", "s.yaml", "--format", "json")[1])
    (then,) = [stage for stage in plan["stages"] if stage["after"]]
    assert [t["config"]["method"]["factor"] for t in then["trials"]] == [0.0001] * 2
    assert plan["missing"] == 0
    assert len(digest) == 2  # the old winner's are no part of the sweep any more


def test_a_named_version_makes_other_trials(folder: Path) -> None:
    """And nothing has changed then: the old results are those of the old trials."""
    assert sweep(*RUN)[0] == 0
    before = results(folder, "mine_changes")
    (folder / "mine.py").write_text(CODE.replace("'mine_changes'", "'mine_changes', version='2'"))
    code, _, error = sweep(*RUN)
    assert (code, "2 to run" in error) == (0, True)
    assert len(results(folder, "mine_changes")) == 4
    assert before.items() <= results(folder, "mine_changes").items()


def test_half_a_trial_of_other_code_is_not_continued(folder: Path) -> None:
    """What the checkpoint was made with is in it."""
    from trainables import own_parts
    from trainables.config import TrialConfig
    from trainables.storage.files import Storage
    from trainables.train import Trial

    def half(notes: list[str]) -> Trial:
        forget_all()
        own_parts.load_parts(["mine.py"])
        config = TrialConfig(
            model="mlp_tiny", method="mine_changes", epochs=2, data={"subset": 100}, batch_size=32
        )
        return Trial(config, storage=Storage("half"), notify=notes.append)

    notes: list[str] = []
    first = half(notes)
    first.run_epoch()
    first.save()
    assert half(notes).epoch == 1
    assert notes == []
    (folder / "mine.py").write_text(CODE + "# another\n")
    assert half(notes).epoch == 0
    assert "was made with another version of a part of your own, or of the data; it is" in notes[0]


def photos(folder: Path, shade: int) -> None:
    folder.joinpath("data").mkdir(exist_ok=True)
    images = np.full((60, 8, 8), shade, dtype=np.uint8)
    images[::2, :4] = 200
    np.savez(folder / "data" / "photos.npz", images=images, labels=np.arange(60) % 2)


def test_other_images_are_the_same_matter(folder: Path) -> None:
    photos(folder, 10)
    (folder / "s.yaml").write_text(
        "base: {data.source: {name: arrays, set: photos}, model: mlp_tiny, epochs: 1, "
        "batch_size: 8}\ncompare: {ERM: erm}\nseeds: 1\n"
    )
    assert sweep(*RUN)[0] == 0
    assert sweep(*RUN)[0] == 0
    assert json.loads(sweep("table", "s.yaml", "--format", "json")[1])["changed"] == ""
    photos(folder, 11)
    code, _, error = sweep(*RUN)
    assert code == 1
    assert error.startswith(
        "sweep: 1 trial was made with another version of data photos (arrays) ("
    )
    assert "(1, 1 changed)" in sweep("table", "s.yaml")[1]
    code, _, error = sweep(*RUN, "--changed", "retrain")
    assert (code, "1 to run" in error) == (0, True)
    assert sweep(*RUN)[0] == 0
    assert "changed" not in sweep("table", "s.yaml")[1]


def test_data_that_is_not_here_is_not_other_data(folder: Path) -> None:
    """Neither missing nor on a cluster's nodes alone."""
    photos(folder, 10)
    (folder / "s.yaml").write_text(
        "base: {data.source: {name: arrays, set: photos}, model: mlp_tiny, epochs: 1, "
        "batch_size: 8}\ncompare: {ERM: erm}\nseeds: 1\n"
    )
    assert sweep(*RUN)[0] == 0
    for path in sorted((folder / "data").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert sweep(*RUN)[0] == 0
