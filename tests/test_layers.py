"""No circles, and the light parts stay light; which room may import which, `make lint` says."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Set
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "numpy", "pandas", "ray", "mlflow", "sklearn", "matplotlib", "pyarrow"}


def imported(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def imports(folder: str, of: str) -> set[str]:
    """Files of ``folder`` that import ``of`` or something below it."""
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / folder).rglob("*.py")
        if any(name == of or name.startswith(f"{of}.") for name in imported(path))
    }


def test_no_circle_of_files() -> None:
    """Imports inside functions count; those that only a type checker sees do not."""
    graph = grimp.build_graph(
        "sweep", "search_spaces", "trainables", exclude_type_checking_imports=True
    )
    order = TopologicalSorter(
        {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    )
    assert list(order.static_order())  # CycleError names one


def test_folders_are_few_files() -> None:
    assert len(list((ROOT / "sweep").glob("*.py"))) <= 8


def test_search_spaces_import_only_what_a_trial_is_configured_and_recorded_as() -> None:
    found = {
        name
        for path in (ROOT / "search_spaces").rglob("*.py")
        for name in imported(path)
        if name.startswith("trainables")
    }
    assert found <= {"trainables.config", "trainables.errors", "trainables.metric_name"}


def test_ray_is_imported_by_two_files_of_a_trial_and_mlflow_by_the_record_alone() -> None:
    found = {path for path in imports("trainables", "ray") if "/ray_private/" not in path}
    assert found <= {"trainables/tune.py", "trainables/distributed.py"}
    assert {path.rpartition("/")[0] for path in imports("sweep", "ray")} == {"sweep/ray_executor"}
    assert imports("trainables", "mlflow") == set()
    assert {path.rpartition("/")[0] for path in imports("sweep", "mlflow")} == {"sweep/record"}


def test_executors_are_known_where_they_are_chosen_and_nowhere_else() -> None:
    """A sweep is given one."""
    for one in ("sweep.ray_executor", "sweep.run.serial"):
        folder = one.replace(".", "/")
        users = {path for path in imports("sweep", one) if not path.startswith(folder)}
        assert users == {"sweep/run/executor.py"}


def loaded(code: str, heavy: Set[str] = HEAVY) -> set[str]:
    """Which of ``heavy`` are in ``sys.modules`` after ``code`` ran in a fresh process."""
    ending = "\nimport sys; print('\\n' + ' '.join(m for m in sys.modules if '.' not in m))"
    done = subprocess.run(
        [sys.executable, "-c", code + ending], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.splitlines()[-1].split()) & heavy


def test_search_spaces_need_neither_torch_nor_ray() -> None:
    assert loaded("import search_spaces; search_spaces.artifacts()") == set()


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["data", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = f"""
import sys
from sweep.cli import app
try:
    app({arguments!r})
except SystemExit as end:
    assert not end.code
"""
    assert loaded(code) == set()


def test_importing_the_reading_side_is_light() -> None:
    """``sweep --help`` imports these: numpy and pyarrow wait until there is something to read."""
    code = "import sweep.aggregate, sweep.record.record, sweep.tables.layout"
    assert loaded(code, HEAVY | {"scipy", "rich"}) == set()


def test_training_needs_neither_ray_nor_mlflow_nor_a_compiler() -> None:
    """sympy comes with torch's, whose import takes as long as that of torch."""
    code = """
from trainables import fit
from trainables.config import TrialConfig
small = {"data": {"subset": 40}, "model": "mlp_tiny", "epochs": 1, "batch_size": 20}
for optimizer in ("sgd", "adam", "adamw"):
    fit(TrialConfig(**small, optimizer={"name": optimizer}))
"""
    assert loaded(code, {"ray", "mlflow", "pandas", "sklearn", "sympy"}) == set()


@pytest.mark.parametrize("code", ["import trainables", "import trainables.job"])
def test_the_package_and_what_travels_to_a_trial_are_light(code: str) -> None:
    assert loaded(code) == set()


def test_every_file_fits_in_a_head() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for folder in ("sweep", "trainables", "search_spaces")
        for path in (ROOT / folder).rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 450
    }
    assert long == {}
