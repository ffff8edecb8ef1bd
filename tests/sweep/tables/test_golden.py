"""A small real sweep, kept, and the exact tables it must give (``tests/golden/make.py``)."""

from __future__ import annotations

import json
import math
import shutil
import statistics
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from sweep.tables.layout import render
from tests.needs import needs_program
from tests.sweep.tables.cases import nasty

GOLDEN = Path(__file__).parents[2] / "golden"


def golden() -> ModuleType:
    spec = spec_from_file_location("golden_make", GOLDEN / "make.py")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_golden_tables():
    """Exact, byte for byte. After a wanted change: ``python tests/golden/make.py``, and read."""
    made = golden().tables()
    kept = {path.name: path.read_text(encoding="utf-8") for path in (GOLDEN / "tables").iterdir()}
    assert sorted(made) == sorted(kept)
    for name, text in made.items():
        assert text == kept[name], name


@pytest.mark.parametrize(
    ("rule", "prefix", "criterion"),
    [
        ("paper", "best_test/", "best_test/test_error"),
        ("validation", "", "validation_error"),
        ("best_validation", "best_validation/", "best_validation/validation_error"),
        ("best_test", "best_test/", "best_test/test_error"),
    ],
)
def test_golden_numbers_in_plain_python(rule, prefix, criterion):
    """The same means, by loops over the kept files and nothing of `sweep`."""
    runs = [json.loads(line) for line in (GOLDEN / "runs.jsonl").read_text().splitlines()]
    done = {run["trial_id"]: run["metrics"] for run in runs if run["status"] == "done"}
    diverged = {run["trial_id"] for run in runs if run["status"] == "diverged"}
    tried: dict[tuple[str, str], dict[str, list[str]]] = {}
    for trials in json.loads((GOLDEN / "plans.json").read_text())[rule].values():
        for trial_id, spot, _, point in trials:
            tried.setdefault(tuple(spot), {}).setdefault(json.dumps(point), []).append(trial_id)
    cells = json.loads(golden().table(rule, "json"))["cells"]
    compared = 0
    for cell in cells:
        points = tried[cell["row"]["method"], cell["column"]["network"]]
        means = {}
        for point, ids in points.items():
            scores = [math.inf if i in diverged else done.get(i, {}).get(criterion) for i in ids]
            means[point] = math.inf if None in scores else statistics.mean(scores)
        chosen = min(means, key=means.get)
        assert cell["point"] == json.loads(chosen)
        names = {"test_error": (f"{prefix}test_error", 100), "test_nll": (f"{prefix}test_nll", 1)}
        if cell["name"] in names:
            name, scale = names[cell["name"]]
            values = [scale * done[i][name] for i in points[chosen] if i in done]
            assert cell["mean"] == pytest.approx(statistics.mean(values), rel=1e-12)
            assert cell["std"] == pytest.approx(statistics.stdev(values), rel=1e-12)
            assert (cell["n"], cell["asked"]) == (len(values), 3)
            compared += 1
    assert compared == 12


COMPILERS = ("pdflatex", "lualatex", "xelatex", "tectonic")


@needs_program(*COMPILERS)
def test_golden_latex_compiles(tmp_path):
    """Its structure is tested without a compiler, in `test_table_formats`."""
    compiler = next(filter(shutil.which, COMPILERS))
    body = golden().tables()["paper.tex"] + render(nasty(), "latex")
    document = tmp_path / "tables.tex"
    document.write_text(  # utf-8: the default of LaTeX since 2018
        "\\documentclass{article}\\usepackage[T1]{fontenc}\\usepackage{booktabs,graphicx}"
        f"\\begin{{document}}\n{body}\\end{{document}}\n"
    )
    command = [compiler, "-interaction=nonstopmode", "-halt-on-error", document.name]
    command = command if compiler != "tectonic" else [compiler, document.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    assert document.with_suffix(".pdf").stat().st_size > 1000
    assert "Overfull" not in document.with_suffix(".log").read_text(errors="replace")
