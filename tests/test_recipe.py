"""The recipes of README and CONTRIBUTING, followed in a copy of the project.

For a method of one's own there are three more, a file each: one without hyper-parameters, one with
a state, one that draws noise and takes two passes. All that is promised of them holds: a row in the
comparison, a validated configuration, a name that tells the number of workers, and the tests of all
methods, which find them by themselves.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAD = """from __future__ import annotations
from dataclasses import dataclass, field
import torch
from torch import Tensor
from trainables.methods.base import Method, Output, registry
from trainables.registry import Fraction, Strength
"""
NORMALIZED = '''
@registry.register("normalized")
class Normalized(Method):
    """g / ‖g‖."""

    def step(self, objective) -> Output:
        loss, logits = objective.accumulate()
        size = torch.stack([p.grad.square().sum() for p in objective.params]).sum().sqrt()
        for p in objective.params:
            p.grad /= size
        return Output(loss, logits, objective=None)
'''
AVERAGED = '''
@registry.register("averaged")
class Averaged(Method):
    """m ← beta m + (1 - beta) g; beta: how much of m stays."""

    def __init__(self, *, beta: Fraction = 0.9) -> None:
        super().__init__()
        self.beta = beta
        self.mean: list[Tensor] = []

    def step(self, objective) -> Output:
        loss, logits = objective.accumulate()
        self.mean = self.mean or [torch.zeros_like(p) for p in objective.params]
        for m, p in zip(self.mean, objective.params):
            m.lerp_(p.grad, 1 - self.beta)
            p.grad.copy_(m)
        return Output(loss, logits, objective=None)
'''
STATE = """
    def state_dict(self) -> dict[str, Tensor]:
        return super().state_dict() | {f"mean.{i}": m for i, m in enumerate(self.mean)}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        super().load_state_dict(state)
        count = sum(key.startswith("mean.") for key in state)
        self.mean = [state[f"mean.{i}"].clone() for i in range(count)]
"""
SHAKEN = '''
@registry.register("shaken")
@dataclass(kw_only=True)
class Shaken(Method):
    """(∇L(w) + ∇L(w + u)) / 2, u ~ N(0, sigma²)."""

    sigma: Strength = 0.05

    @property
    def evaluations(self) -> float:
        return 2.0

    def same_over_workers(self, division) -> bool:
        return True

    def step(self, objective) -> Output:
        loss, logits = objective.accumulate(0.5)
        shift = [
            self.sigma * torch.randn(p.shape, generator=objective.generator, dtype=p.dtype)
            for p in objective.params
        ]
        with objective.displaced() as at:
            at.perturb(shift)
            objective.accumulate(0.5)
        return Output(loss, logits, objective=None)
'''
PROPERTIES = "tests/trainables/methods/test_properties.py"
SAME_OVER_WORKERS = "tests/trainables/parallel/test_same_over_workers.py"
NAMES = ("averaged", "my_method", "normalized", "shaken")
AS_WRITTEN = ("--preset", "paper")
BY_PROCESSES = ("--executor", "processes", "--storage", "processes")
LEFT_OUT = (".git", ".venv", "results", "__pycache__", "*.egg-info", ".*_cache", ".hypothesis")


def blocks(document: str) -> dict[str, str]:
    """Path -> text of the files that a document writes."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return dict(re.findall(r"```python\n# ([\w/]+\.py)\n(.*?)```", text, re.S))


def write(project: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        assert not (ROOT / path).exists()
        (project / path).write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with a file for each of `NAMES`."""
    folder = tmp_path_factory.mktemp("recipe") / "project"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
    methods = folder / "trainables" / "methods"
    (methods / "normalized.py").write_text(HEAD + NORMALIZED)
    (methods / "averaged.py").write_text(HEAD + AVERAGED + STATE)
    (methods / "shaken.py").write_text(HEAD + SHAKEN)
    (own,) = readme = blocks("README.md")
    assert own == "trainables/methods/rules/my_method.py"
    write(folder, readme)
    return folder


@pytest.fixture(scope="module")
def extended(project: Path) -> Path:
    """The same with every part of CONTRIBUTING, its executor offered and its paper finished."""
    write(project, files := blocks("CONTRIBUTING.md"))
    assert len(files) == 8
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"```python\n(    if name == .*?)```", text, re.S)
    for path, anchor, offered in (
        ("sweep/cli/options.py", '    serial = "serial"\n', '    processes = "processes"\n'),
        ("sweep/run/executor.py", '    if name == "serial":\n', line),
    ):
        before, found, after = (project / path).read_text(encoding="utf-8").partition(anchor)
        assert found
        (project / path).write_text(before + offered + found + after, encoding="utf-8")
    done = sweep(project, "run", "--executor", "serial")
    assert done.returncode == 0, done.stderr
    return project


def python(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=500,
    )


def run_tests(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    chosen = (*arguments, "-k", " or ".join(NAMES))
    return python(project, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", *chosen)


def test_the_tests_of_methods_find_them_and_pass(project: Path) -> None:
    found = run_tests(project, "tests/trainables/methods", SAME_OVER_WORKERS, "-rA")
    assert found.returncode == 0, found.stdout[-3000:]
    for name in NAMES:
        assert f"PASSED {PROPERTIES}::test_cost_counts_passes[{name}]" in found.stdout


@pytest.mark.slow
def test_the_whole_suite_collects(project: Path) -> None:
    found = run_tests(project, "tests", "--collect-only")
    assert found.returncode == 0, found.stdout[-3000:]


def test_a_state_that_is_not_saved_is_found(project: Path) -> None:
    path = project / "trainables" / "methods" / "averaged.py"
    path.write_text(HEAD + AVERAGED)
    try:
        found = run_tests(project, PROPERTIES)
    finally:
        path.write_text(HEAD + AVERAGED + STATE)
    assert found.returncode == 1
    assert "test_state_survives_a_restart[averaged]" in found.stdout


def test_they_have_rows_and_validated_configurations(project: Path) -> None:
    found = asked(project, """
import json, sys
from search_spaces import apply, find
from sweep.plan import plan
from sweep.record import Record
from sweep.selection import selection
from trainables.config import TrialConfig
artifact = apply(find("compare/methods"), "smoke")
made = plan(artifact, "smoke", selection("paper"), Record.from_runs([]))
rows = {trial.cell.key["method"] for trial in made.trials}
def name(method, workers):
    return TrialConfig(method=method, workers=workers).trial_id
try:
    TrialConfig(method={"name": "shaken", "sigma": -1})
except ValueError as error:
    refused = str(error)
names = sys.argv[1:]
print(json.dumps({
    "rows": sorted(rows & set(names)),
    "same": [m for m in names if name(m, 1) == name(m, 4)],
    "refused": refused,
}))
""")  # fmt: skip
    assert found["rows"] == list(NAMES)
    assert found["same"] == ["shaken"]
    assert "sigma = -1" in found["refused"]


def asked(project: Path, program: str) -> dict[str, Any]:
    done = python(project, "-c", program, *NAMES)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_the_recipes_of_contributing_make_a_table(extended: Path) -> None:
    """A network, task, data, augmentation, measure, paper and format, a file each: run and
    printed."""
    table = sweep(extended, "table", "--format", "tsv")
    assert table.returncode == 0, table.stderr
    rows = [line.split("\t") for line in table.stdout.splitlines()]
    assert sorted({row[0] for row in rows}) == ["erm", "sam"]
    assert len(rows) == 4  # two methods, two columns
    assert all(float(row[-1]) >= 0 for row in rows)


def test_the_executor_of_contributing_runs_the_same_trials(extended: Path) -> None:
    """With the same numbers as the serial one, whatever took which time where."""
    refused = sweep(extended, "run", *BY_PROCESSES, "--workers", "2")
    assert refused.returncode == 2
    assert "has several workers: leave --workers away" in refused.stderr
    done = sweep(extended, "run", *BY_PROCESSES)
    assert done.returncode == 0, done.stderr
    one, other = (numbers(extended / folder) for folder in ("results", "processes"))
    assert len(one) == 4
    assert one == other


def sweep(project: Path, command: str, *options: str) -> subprocess.CompletedProcess[str]:
    return python(project, "-m", "sweep", command, "mine/table", *AS_WRITTEN, *options)


def numbers(storage: Path) -> dict[str, dict[str, float]]:
    """Trial -> what was measured on it, without its clock."""
    results = [json.loads(path.read_text()) for path in storage.glob("trials/*/result.json")]
    return {
        result["trial_id"]: {n: v for n, v in result["metrics"].items() if "seconds" not in n}
        for result in results
        if result["status"] == "done"
    }


def test_trials_of_them_are_trained(project: Path) -> None:
    found = asked(project, """
import json, sys
from trainables.config import TrialConfig
from trainables.train import fit
print(json.dumps({
    name: fit(TrialConfig(method=name, epochs=1, data={"subset": 256})).status
    for name in sys.argv[1:]
}))
""")  # fmt: skip
    assert found == dict.fromkeys(NAMES, "done")
