"""`sweep report`: where it writes what, and what it says where it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sweep.called import call

SWEEP = """
name: tried
base: {data.source: digits, data.subset: 200, model: mlp_tiny, epochs: 2}
compare:
  ERM: {method: erm}
  SAM: {method: sam, grid: {method.rho: [0.01, 0.1]}}
seeds: 2
metrics: [test_error, test_nll]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record of one's own sweep."""
    folder = tmp_path_factory.mktemp("reported")
    (folder / "tried.yaml").write_text(SWEEP)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert call("run", "tried.yaml", "--executor", "serial")[0] == 0
    return folder


@pytest.fixture(autouse=True)
def _here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("nrs",), "nrs-smoke.html"),
        (("nrs/table1", "--preset", "small"), "nrs-table1-small.html"),
        (("nrs/table3", "--read", "text"), None),
        (("tried.yaml",), "mine-tried-full.html"),
        (("tried.yaml", "--out", "x.md"), "x.md"),
    ],
)
def test_the_file_is_named_by_what_is_reported(
    arguments: tuple[str, ...], name: str | None, folder: Path
) -> None:
    code, out, err = call("report", *arguments)
    assert code == 0, err
    assert out.strip() == name or (name is None and out.startswith("nrs-table3-smoke-read-"))
    text = Path(out.strip()).read_text(encoding="utf-8")
    assert f"sweep report {' '.join(arguments[:1])} --preset" in text
    assert f"sweep run {' '.join(arguments[:1])} --preset" in text


def test_a_paper_is_one_page_with_all_of_it() -> None:
    assert call("report", "nrs", "--out", "nrs.html")[0] == 0
    text = Path("nrs.html").read_text(encoding="utf-8")
    for name in ("nrs/table1", "nrs/table2", "nrs/table3", "nrs/figure1"):
        assert f">{name}: " in text
    assert '<th scope="row">nrs-01</th>' in text
    assert text.count("<h1>") == 1


def test_ones_own_sweep_has_figures_of_its_search_and_no_claims() -> None:
    assert call("report", "tried.yaml", "--out", "own.html")[0] == 0
    text = Path("own.html").read_text(encoding="utf-8")
    assert 'id="claims"' not in text
    assert 'role="img"' in text
    assert "<p>Nothing.</p>" in text


def test_cells_that_are_chosen_are_reported_alone() -> None:
    assert call("report", "nrs", "--where", "model=VGG16", "--out", "some.html")[0] == 0
    text = Path("some.html").read_text(encoding="utf-8")
    assert "nrs-06" in text
    assert "nrs-05" not in text  # of the ViT
    assert "--where model=VGG16" in text


def test_cells_of_which_no_claim_is_leave_the_claims_out() -> None:
    assert call("report", "nrs/table2", "--where", "method=Baseline", "--out", "base.html")[0] == 0
    assert 'id="claims"' not in Path("base.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nsr",), 2, "unknown paper or artifact 'nsr'"),
        (("nrs", "--out", "nrs.pdf"), 2, "a report is one of .html, .md"),
        (("nrs/table3", "--out", "no/where.html"), 2, "name another file"),
        (("nrs", "--storage", "empty"), 1, "no record at"),
    ],
)
def test_bad_input_is_one_sentence(arguments: tuple[str, ...], code: int, said: str) -> None:
    found, _, err = call("report", *arguments)
    assert found == code
    assert said in err
    assert "Traceback" not in err
