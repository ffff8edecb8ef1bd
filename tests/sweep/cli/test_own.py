"""`sweep new`, `show` and `grid`, and files where an artifact is taken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sweep.cli import own
from sweep.files import schema
from tests.sweep.called import call
from tests.sweep.files.cases import SMALL, artifact, ids, planned
from trainables.errors import UsageError

TINY = SMALL.replace("epochs: 2", "epochs: 1, data.subset: 100, batch_size: 32").replace(
    "seeds: 2", "seeds: 1"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_new_file_is_commented_and_never_replaced(folder: Path) -> None:
    assert call("new", "my.yaml")[:2] == (
        0,
        "my.yaml written; sweep plan my.yaml says what it would run\n",
    )
    text = (folder / "my.yaml").read_text()
    assert text.startswith(f"# yaml-language-server: $schema={schema.FILE.as_uri()}\n")
    assert text.count("\n# ") >= 8
    assert artifact(text).id == "mine/my"
    code, out, error = call("new", "my.yaml")
    assert (code, out, error) == (
        2,
        "",
        "sweep: my.yaml is there already; give another name, or remove it\n",
    )
    assert (folder / "my.yaml").read_text() == text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["my.txt"], "my.txt: a sweep's file ends in .yaml or .yml"),
        (["none/my.yaml"], "none/my.yaml cannot be written: No such file or directory"),
        (
            ["my.yaml", "--where", "method=SAM"],
            "--where chooses cells of an artifact: name it with --from",
        ),
        (["my.yaml", "--from", "nrs/table9"], "unknown artifact 'nrs/table9'"),
        (
            ["my.yaml", "--from", "nrs/table1", "--where", "method=SAN"],
            "unknown method of nrs/table1 'SAN'",
        ),
        (["my.yaml", "--from", "nrs/table1", "--preset", "tiny"], "unknown preset 'tiny'"),
        ([], "name the file to write: sweep new my_sweep.yaml"),
    ],
)
def test_what_cannot_be_written_is_said(arguments: list[str], said: str, folder: Path) -> None:
    code, out, error = call("new", *arguments)
    assert (code, out) == (2, "")
    assert error.startswith(f"sweep: {said}")
    assert list(folder.iterdir()) == []


def test_the_schema_is_printed() -> None:
    code, out, _ = call("new", "--schema")
    assert (code, json.loads(out)) == (0, schema.made())


def test_show_says_what_a_file_resolved_to(folder: Path) -> None:
    (folder / "s.yaml").write_text(SMALL + "then: {seeds: 5}\npoints: [{epochs: 3}]\n")
    code, out, _ = call("show", "s.yaml", "--format", "json")
    found = json.loads(out)
    assert code == 0
    assert (found["artifact"], found["preset"], found["presets"]) == ("mine/x", "full", ["full"])
    # Two of the five seeds of each winner are there already.
    assert found["trials"] == (2 + 4) * 2 + 3 + 3
    search, then = found["stages"][2:]
    assert search["grid"] == {"optimizer.lr": [0.05, 0.1], "method.rho": [0.01, 0.1]}
    assert (search["points"], search["trials"]) == ([{"epochs": 3}], 8)
    assert (then["after"], then["inherit"], then["seeds"]) == (
        "grid-SAM", ["optimizer.lr", "method.rho", "epochs"], 5,
    )  # fmt: skip
    assert found["cells"][1] == {
        "key": {"method": "SAM"}, "fields": {"method": "sam"}, "budget": "epochs", "hidden": False,
    }  # fmt: skip
    code, out, _ = call("show", "s.yaml")
    assert "    method.rho: 0.01, 0.1\n    together: epochs = 3\n" in out
    assert "5 seeds, from the winner of grid-SAM (optimizer.lr, method.rho, epochs)\n" in out
    assert out.endswith("18 trials in all\n")


def test_show_knows_papers_too() -> None:
    code, out, _ = call("show", "nrs/table3", "--preset", "small")
    assert code == 0
    assert out.splitlines()[1] == "preset small (of paper, small, laptop, smoke)"


def test_a_file_is_planned_run_shown_and_drawn(folder: Path) -> None:
    (folder / "s.yaml").write_text(TINY)
    code, out, _ = call("plan", "s.yaml", "--format", "json")
    assert (code, json.loads(out)["missing"], json.loads(out)["preset"]) == (0, 6, "full")
    assert call("run", "s.yaml", "--executor", "serial")[0] == 0
    code, out, _ = call("plan", "s.yaml", "--format", "json")
    assert json.loads(out)["missing"] == 0
    code, out, _ = call("table", "s.yaml", "--format", "json")
    found = json.loads(out)
    assert (code, found["artifact"], found["preset"]) == (0, "mine/x", "full")
    assert " for ERM; " in found["winners"]
    assert len(found["cells"]) == 2
    code, out, _ = call("table", "s.yaml", "--all-points", "--format", "json")
    assert (code, len(json.loads(out)["cells"])) == (0, 6)
    assert call("plot", "s.yaml", "--kind", "grid", "--out", "g.png") == (0, "g.png\n", "")
    assert (folder / "g.png").stat().st_size > 10_000
    code, _, error = call("plot", "s.yaml")
    assert code == 2
    assert error == (
        "sweep: mine/x is a table: `sweep table` shows it, and `sweep plot --kind` can be cost, "
        "curves or grid\n"
    )
    code, _, error = call("plot", "s.yaml", "--kind", "printed")
    assert (code, error) == (
        2,
        "sweep: mine/x has no printed numbers; `sweep plot --kind` can be cost, curves or grid\n",
    )
    for kind in ("cost", "curves"):
        assert call("plot", "s.yaml", "--kind", kind)[:2] == (0, f"mine-x-full-{kind}.png\n")


def test_each_figure_of_a_file_is_drawn(folder: Path) -> None:
    figures = "figures: [{x: epoch}, {x: method.rho}]\n"
    (folder / "s.yaml").write_text(TINY + figures)
    assert call("run", "s.yaml", "--executor", "serial")[0] == 0
    assert call("plot", "s.yaml", "--out", "f.svg")[:2] == (0, "f-1.svg\nf-2.svg\n")
    assert "method.rho" in (folder / "f-2.svg").read_text()
    assert "ERM" not in (folder / "f-2.svg").read_text()  # it has no rho


def test_a_preset_of_papers_is_refused_for_a_file(folder: Path) -> None:
    (folder / "s.yaml").write_text(SMALL)
    code, _, error = call("plan", "s.yaml", "--preset", "smoke")
    assert (code, error) == (2, "sweep: unknown preset of mine/x 'smoke'; known: full\n")


def test_what_is_set_by_hand_holds_for_a_file_too(folder: Path) -> None:
    text = TINY + "points: [{batch_size: 16, drop_last: true}, {batch_size: 32}]\n"
    (folder / "s.yaml").write_text(text)
    code, out, _ = call(
        "plan", "s.yaml", "--set", "batch_size=64", "--seeds", "2", "--format", "json"
    )
    found = json.loads(out)
    assert (code, found["trials"], found["variant"]) == (0, (2 + 4) * 2, "--set batch_size=64")
    sizes = {t["config"]["batch_size"] for stage in found["stages"] for t in stage["trials"]}
    assert sizes == {64}


def test_a_fault_of_a_file_ends_before_anything_is_there(folder: Path) -> None:
    (folder / "s.yaml").write_text(SMALL.replace("seeds", "seds"))
    for command in ("plan", "run", "table", "show", "plot"):
        code, out, error = call(command, "s.yaml")
        assert (code, out) == (2, "")
        assert error.startswith("sweep: s.yaml:7: unknown key 'seds' (did you mean 'seeds'?)")
    code, _, error = call("run", "none.yml")
    assert (code, error) == (2, "sweep: none.yml cannot be read: No such file or directory\n")
    assert [path.name for path in folder.iterdir()] == ["s.yaml"]


def test_points_that_go_together_are_not_searched_between(folder: Path) -> None:
    (folder / "s.yaml").write_text("base: {epochs: 1}\npoints: [{epochs: 1}, {epochs: 2}]\n")
    code, _, error = call("search", "s.yaml", "--executor", "serial")
    assert code == 2
    assert error.startswith("sweep: mine/s tries settings that go together there (erm, points)")


# -- grid ------------------------------------------------------------------------------------------


def test_a_grid_is_run_recorded_and_printed(folder: Path) -> None:
    words = (
        "grid",
        "method=sam",
        "method.rho=0.01,0.1",
        "model=mlp_tiny",
        "data.subset=100",
        "epochs=1",
        "batch_size=32",
    )
    code, out, error = call(*words, "--seeds", "1", "--executor", "serial", "--format", "json")
    found = json.loads(out)
    assert code == 0
    assert found["artifact"].startswith("mine/grid-")
    assert [cell["row"] for cell in found["cells"]] == [{"method": "sam"}]
    assert found["winners"].startswith("rho = 0.")
    assert "2 trials recorded" in error
    again = call(*words, "--seeds", "1", "--executor", "serial", "--all-points", "--name", "mine")
    assert "to run" not in again[2]  # the same trials, by another name
    assert again[1].startswith("mine/mine ")
    assert "2 trials recorded" in again[2]


def test_every_point_is_not_compared_with_another_reading() -> None:
    code, _, error = call("table", "nrs/table3", "--against", "text", "--all-points")
    assert (code, error[:31]) == (2, "sweep: --against compares what ")


def test_a_grid_is_what_its_words_are() -> None:
    one = own.grid(["optimizer.lr=0.1,0.2", "model=mlp_tiny"], 2, None)
    other = own.grid(["model=mlp_tiny", "optimizer.lr=0.1,0.2"], 2, None)
    file = artifact(
        "name: x\nbase: {model: mlp_tiny}\ngrid: {optimizer.lr: [0.1, 0.2]}\nseeds: 2\n"
    )
    assert one.id == other.id
    assert one.id != own.grid(["optimizer.lr=0.1,0.3", "model=mlp_tiny"], 2, None).id
    assert one.id != own.grid(["optimizer.lr=0.1,0.2", "model=mlp_tiny"], 3, None).id
    assert ids(planned(one)) == ids(planned(other)) == ids(planned(file))
    assert one.experiment.cells[0].key == {"method": "erm"}
    ranged = own.grid(
        ["optimizer.lr={log: [0.1, 0.4], num: 3}", "data.augmentation=[flip]"], 1, "x"
    )
    assert ranged.experiment.stages[0].grid == {"optimizer.lr": (0.1, 0.2, 0.4)}
    assert ranged.experiment.base == {"data.augmentation": ("flip",)}
    assert [m.name for m in own.grid(["epochs=1"], 1, None, ["test_nll"]).view.metrics] == [
        "test_nll"
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["method"], "'method': write FIELD=VALUE, or FIELD=VALUE,VALUE to search it"),
        (["epochs="], "'epochs=': write FIELD=VALUE"),
        (["epochs=1", "epochs=2"], "'epochs=2': epochs is there twice; separate values by commas"),
        (["epoch=1"], "sweep grid: unknown key 'epoch' (did you mean 'epochs'?)"),
        (["method=sma"], "sweep grid: unknown method 'sma' (did you mean 'sam'?)"),
        (["method.rho=0.1,0.2"], "sweep grid: unknown option of method 'erm' 'rho'"),
        (["epochs=[1"], "epochs=[1:1: no YAML: "),
    ],
)
def test_words_that_make_no_grid_are_refused(words: list[str], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        own.grid(words, 1, None)
    assert str(refused.value).startswith(said)
