"""Variants of a sweep, run and recorded side by side: what the command line makes of them."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import search_spaces
from search_spaces.readings import read
from search_spaces.settings import with_settings
from search_spaces.spec import (
    Artifact,
    Cell,
    Choice,
    Experiment,
    Measure,
    Metric,
    Notes,
    Override,
    Reading,
    Reported,
    Stage,
    TableView,
)
from sweep.cli import readings
from sweep.cli.plot import figure_file
from sweep.plan.expand import plan
from sweep.record.mlflow_store import Tracker, default_uri
from sweep.record.record import Record
from sweep.selection import SELECTIONS
from tests.sweep.called import call

FAR = Reading("0.9", (Override({"method": "sam"}, {"method.rho": 0.9}),))
WIDE = Reading("0.5", measures={"average_sharpness": {"sigma": 0.5}})
READ = Artifact(
    id="test/read",
    experiment=Experiment(
        base={"data.subset": 200, "model": {"name": "mlp_tiny"}},
        cells=(
            Cell({"method": "erm"}, {"method": "erm"}, {"test_error": Reported(50.0, 1.0, 2)}),
            Cell({"method": "sam"}, {"method": {"name": "sam", "rho": 0.05}}),
        ),
        stages=(Stage("train", seeds=2),),
        measures=(Measure("average_sharpness", {"num_samples": 2}, samples=50),),
    ),
    view=TableView(
        rows=("method",),
        metrics=(
            Metric("test_error", "test error %", shown="percent"),
            Metric("average_sharpness", "sharpness", digits=6),
        ),
    ),
    notes=Notes(
        "Two methods on a few digits",
        (
            Choice("radius of SAM", "0.05", "usual", "method.rho", "radius", "near", {"far": FAR},
                   "section 1", text="near", code="far"),
            Choice("width of the noise", "0.01", "usual", "measure.sigma", "width", "narrow",
                   {"wide": WIDE}, code="wide"),
            Choice("the seed", "0", "it is one", name="seed", default="0", single="one is enough"),
        ),
    ),
)  # fmt: skip

VARIANTS = ((), ("--read", "radius=far"), ("--read", "code"), ("--set", "epochs=1"))


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Of four variants that ran one after the other."""
    with pytest.MonkeyPatch.context() as patch:
        known = (*search_spaces.artifacts(), READ)
        patch.setattr(search_spaces, "artifacts", lambda: known)
        folder = str(tmp_path_factory.mktemp("variants"))
        for words in VARIANTS:
            code, _, error = run("run", *words, "--executor", "serial", storage=folder)
            assert code == 0, error
        yield folder


def run(command: str, *words: str, storage: str) -> tuple[int, str, str]:
    return call(command, "test/read", *words, "--storage", storage)


def table(*words: str, storage: str) -> dict[str, Any]:
    code, out, error = run("table", *words, "--format", "json", storage=storage)
    assert code == 0, error
    found: dict[str, Any] = json.loads(out)
    return found


def cells(*words: str, storage: str) -> dict[tuple[str, str], dict[str, Any]]:
    found = table(*words, storage=storage)["cells"]
    return {(c["row"]["method"], c["column"]["metric"]): c for c in found}


def test_variants_stand_side_by_side_in_one_record(storage: str) -> None:
    rows = json.loads(call("status", "--storage", storage, "--format", "json")[1])
    assert [(row["variant"], row["done"]) for row in rows] == [
        ("", 4),
        ("--read radius=far", 4),
        ("--read radius=far --read width=wide", 4),
        ("--set epochs=1", 4),
    ]
    text = call("status", "--storage", storage)[1]
    assert "0  --read radius=far --read width=wide\n" in text


def test_a_trial_that_variants_share_is_trained_once(storage: str) -> None:
    record = Tracker(default_uri(storage)).load()
    assert len(record) == 4 + 2 + 4
    shared = [t for t in record.trial_ids if len(record.memberships(t)) == 3]
    erm = table(storage=storage)["cells"][0]["trial_ids"]
    assert sorted(shared) == sorted(erm)


def test_every_variant_is_a_run_of_its_own(storage: str) -> None:
    runs = list(Tracker(default_uri(storage)).search("tags.sweep != ''"))
    tags = sorted((run.data.tags["variant"], run.data.tags["mlflow.runName"]) for run in runs)
    assert tags == [
        ("", "test/read smoke (paper)"),
        ("--read radius=far", "test/read smoke (paper) --read radius=far"),
        (
            "--read radius=far --read width=wide",
            "test/read smoke (paper) --read radius=far --read width=wide",
        ),
        ("--set epochs=1", "test/read smoke (paper) --set epochs=1"),
    ]


def test_a_variant_is_complete_and_again_trains_nothing(storage: str) -> None:
    for words in VARIANTS:
        planned = json.loads(run("plan", *words, "--format", "json", storage=storage)[1])
        assert (planned["trials"], planned["missing"]) == (4, 0)


def test_a_measure_by_another_reading_is_another_number_of_the_same_trial(storage: str) -> None:
    """It stands in the table of its own reading, the first one's still in its."""
    narrow = cells("--read", "radius=far", storage=storage)["erm", "sharpness"]
    wide = cells("--read", "code", storage=storage)["erm", "sharpness"]
    assert narrow["trial_ids"] == wide["trial_ids"]
    assert (narrow["name"], wide["name"]) == ("average_sharpness", "average_sharpness:sigma:0.5")
    assert narrow["n"] == wide["n"] == 2
    assert narrow["values"] != wide["values"]
    assert cells(storage=storage)["erm", "sharpness"]["values"] == narrow["values"]


def test_one_reading_less_another(storage: str) -> None:
    near, far = cells(storage=storage), cells("--read", "radius=far", storage=storage)
    both = cells("--read", "radius=far", "--against", "radius=near", storage=storage)
    for place, cell in both.items():
        assert cell["mean"] == far[place]["mean"]
        assert cell["against"]["mean"] == near[place]["mean"]
        assert cell["difference"] == far[place]["mean"] - near[place]["mean"]
    assert both["erm", "test error %"]["half_width"] is None
    assert both["sam", "sharpness"]["half_width"] > 0
    out = run("table", "--read", "radius=far", "--against", "radius=near", storage=storage)[1]
    assert "Δ is radius=far less radius=near, with the Welch 95 % interval" in out
    assert "0: the same trials" in out
    again = cells("--read", "text", "--against", "code", storage=storage)
    assert again["sam", "test error %"]["difference"] == -both["sam", "test error %"]["difference"]


def test_what_one_variant_lacks_is_missing_and_the_command_runs_it(storage: str) -> None:
    words = ("--read", "width=wide", "--against", "width=narrow")
    out = run("table", *words, storage=storage)[1]
    assert "Δ missing [a]" in out
    command = f"sweep run test/read --preset smoke --storage {storage} --read width=wide"
    assert f"  trials of --read width=wide are missing: `{command}` runs them" in out
    table = json.loads(run("table", *words, "--format", "json", storage=storage)[1])
    lacks = {(c["row"]["method"], c["column"]["metric"]): c["lacks"] for c in table["cells"]}
    assert lacks["sam", "sharpness"] == "a"
    assert lacks["sam", "test error %"] == ""


def test_tables_name_what_is_read(storage: str) -> None:
    words = ("--read", "radius=far")
    found = table(*words, storage=storage)
    assert found["variant"] == "--read radius=far"
    assert [(c["name"], c["value"], c["default"]) for c in found["choices"]] == [
        ("radius", "far", "near"), ("width", "narrow", "narrow"), ("seed", "0", "0"),
    ]  # fmt: skip
    for name in ("terminal", "md", "html", "latex", "csv"):
        out = run("table", *words, "--format", name, storage=storage)[1].replace("{}", "")
        assert "--read radius=far" in out, name
        assert "width=narrow" in out, name
    assert "variant" not in run("table", storage=storage)[1]


def test_what_is_set_is_not_compared_with_the_printed_numbers(storage: str) -> None:
    paper, printed = ("--preset", "paper"), ("test_error", "reported")
    plain = table(*paper, storage=storage)
    of_set = table(*paper, "--set", "epochs=1", storage=storage)
    assert (plain["comparable"], of_set["comparable"]) == (True, False)
    assert of_set["cells"][0][printed[1]]["mean"] == 50.0
    assert "--set epochs: default → 1" in of_set["notes"]
    out = run("table", *paper, "--set", "epochs=1", storage=storage)[1]
    assert "as printed" not in out
    assert "epochs set by hand: printed numbers are shown beside" in out
    assert "as printed" in run("table", *paper, "--read", "radius=far", storage=storage)[1]


def test_seeds_are_no_variant(storage: str) -> None:
    planned = json.loads(run("plan", "--seeds", "3", "--format", "json", storage=storage)[1])
    assert (planned["variant"], planned["trials"], planned["missing"]) == ("", 6, 2)
    asked = cells("--seeds", "3", storage=storage)["erm", "test error %"]
    assert (asked["n"], asked["asked"]) == (2, 3)


def test_the_export_names_variants(storage: str, tmp_path: Path) -> None:
    out = tmp_path / "runs.csv"
    assert call("export", str(out), "--storage", storage)[0] == 0
    rows = list(csv.DictReader(out.open()))
    assert {row["variant"] for row in rows} == {
        "--read radius=far",
        "--read radius=far --read width=wide",
        "--read radius=far | --read radius=far --read width=wide",
        "--set epochs=1",
        "",
    } - {"--read radius=far", "--read radius=far --read width=wide"}
    assert "test/read smoke (paper); test/read smoke (paper) --read radius=far; " in out.read_text()
    assert call("export", str(tmp_path / "runs.jsonl"), "--storage", storage)[0] == 0
    assert '"--set epochs=1"' in (tmp_path / "runs.jsonl").read_text()


def test_readings_are_listed_and_nothing_is_trained(storage: str, tmp_path: Path) -> None:
    none = str(tmp_path / "none")
    for command in ("plan", "run", "table", "plot", "reproduce", "search", "measure"):
        more = ("--measure", "average_sharpness") if command == "measure" else ()
        code, out, _ = run(command, "--read", "list", *more, storage=none)
        assert code == 0, command
        assert "radius: radius of SAM\n" in out
        assert "  near [default, text]: 0.05\n" in out
        assert "  far [code]: 0.9 -> method sam\n" in out
        assert "  wide [code]: 0.5 -> column sharpness\n" in out
        assert "  only one value: one is enough\n" in out
        assert "  source: section 1\n" in out
        assert not Path(none).exists()
    rows = json.loads(run("table", "--read", "list", "--format", "json", storage=none)[1])
    radius, width, seed = rows
    assert radius["values"][1]["touches"]["cells"] == [{"method": "sam"}]
    assert width["values"][1]["touches"]["columns"] == ["sharpness"]
    assert width["values"][1]["touches"]["labels"] == ["average_sharpness:sigma:0.5"]
    assert seed["single"] == "one is enough"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--read", "radios=far"), "test/read: unknown reading 'radios' (did you mean 'radius'?)"),
        (("--read", "radius=fare"), "test/read: unknown value of reading radius 'fare' (did you"),
        (("--read", "radius"), "--read 'radius': give NAME=VALUE, text or code; see --read list"),
        (("--set", "epoch=2"), "--set: unknown field 'epoch' (did you mean 'epochs'?)"),
        (("--set", "epochs"), "--set 'epochs': write it as name=value, e.g. epochs=2"),
        (("--set", "epochs=many"), "--set epochs=many: trial: epochs = 'many': "),
    ],
)
def test_a_mistake_is_one_sentence(storage: str, words: tuple[str, ...], sentence: str) -> None:
    for command in ("plan", "run", "table"):
        code, out, error = run(command, *words, storage=f"{storage}/none")
        assert (code, out) == (2, "")
        assert error.startswith(f"sweep: {sentence}")
        assert error.count("\n") == 1
    assert not Path(storage, "none").exists()


def test_what_leaves_nothing_open_says_so() -> None:
    assert readings.text(READ.with_notes(choices=())) == "test/read leaves nothing open"


def test_a_figure_of_each_variant_has_a_file_of_its_own() -> None:
    made = plan(READ, "smoke", SELECTIONS["paper"], Record.from_runs([]))
    assert str(figure_file(made)) == "test-read-smoke.png"
    assert str(figure_file(made, "cost")) == "test-read-smoke-cost.png"
    far = replace(made, artifact=read(READ, "radius", "far"))
    assert str(figure_file(far)) == "test-read-smoke-read-radius=far.png"
    odd = replace(made, artifact=with_settings(READ, {"data.source": {"name": "a/../b c"}}))
    assert re.fullmatch(r"[\w.=-]+\.png", str(figure_file(odd)))


def test_two_equal_variants_are_no_comparison(storage: str) -> None:
    code, out, error = run("table", "--against", "radius=near", storage=storage)
    assert (code, out) == (2, "")
    assert error == "sweep: --against changes nothing: both are the default\n"
