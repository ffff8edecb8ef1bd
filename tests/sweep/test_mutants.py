"""The tests of planning and reading can fail: each of these faults is noticed by one of them.

A fault is a change of one place of a module's source. The tests that need no fixture are run
in this process against the changed module until one of them fails.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

HERE = Path(__file__).parent
PACKAGE = HERE.parents[1] / "sweep"
AFRESH = ("sweep.", "table_cases")

FAULTS: dict[str, list[tuple[str, str]]] = {
    "aggregate": [
        ("squares / np.maximum(n - 1, 1)", "squares / n"),
        ("first + c,", "first,"),
        ("r = d - np.repeat(c, n)", "r = x - np.repeat(first + c, n)"),
        ("np.ptp(used) <= 2 *", "np.ptp(used) <= 0 *"),
        ("np.ptp(used) <= 2 *", "np.ptp(used) <= 200 *"),
        ("return min(complete, key=_mean)", "return max(complete, key=_mean)"),
        ("complete = [point for point in points if point.complete]", "complete = points"),
        ("if len(points) == 1:", "if False:"),
        ("exact.mean(self.values)", "math.fsum(self.values) / len(self.trials)"),
        ("exact.mean(self.values)", "min(self.values)"),
        ("exact.mean(self.values)", "sum(self.values) / len(self.values)"),
        ("point.values.append(math.inf)", "pass"),
        ('elif status == "done" and not', "elif not"),
        ('np.array([s == "done" for s in statuses], dtype=bool)', "True"),
        ("np.isfinite(values) & ", ""),
        ("asked=len(members)", "asked=n"),
        ('diverged=statuses.count("diverged")', "diverged=0"),
        ('missing=statuses.count("missing")', "missing=0"),
        ('running=statuses.count("running")', "running=0"),
        ('failed=statuses.count("failed")', "failed=0"),
        ('undefined=statuses.count("done") - n', "undefined=0"),
        ("[p for p in points if p.complete] or", ""),
        ("self.points > 1 and self.searched", "self.searched"),
        ("plan.artifact.last_stage(cell)", "plan.artifact.stages[0]"),
        ("self.n == self.asked > 0", "self.n > 0"),
    ],
    "columns": [
        ('if epoch == "last" or', "if True or"),
        ("np.where(once, last, best)", "last"),
        ("np.where(once, last, best)", "best"),
        ('"last" if only_at_the_end(metric, rule, record) else', ""),
        ('epoch not in ("last", "mean") and any', "any"),
        ("n in known and n not in TOTALS", "n in known"),
        ("metric.epoch or rule.epoch", "rule.epoch"),
        ("first - minus[0] if minus else first", "first"),
    ],
    "selection": [
        ('last epoch", "validation_error"', 'last epoch", "test_error"'),
        ('last epoch", "validation_error"', 'last epoch", "validation_error", "best_test"'),
        ("Selection(self.on, self.epoch) if self.on else artifact.selection", "artifact.selection"),
        ('self.on.startswith("validation_")', "False"),
        ('            "test_error",\n            "best_test"', '"test_error",\n"last"'),
        ('            "test_error",\n            "best_test"', '"validation_error",\n"best_test"'),
        (" ({best} on the test set, so optimistic)", ""),
    ],
    "record": [
        ("_RANK[run.status] >= _RANK[other.status]", "True"),
        ("_RANK[run.status] >= _RANK[other.status]", "_RANK[run.status] > _RANK[other.status]"),
        ("np.where(self._keys[at] == wanted + code, self._order[at], -1)", "self._order[at]"),
        ("enumerate(values, start=1)", "enumerate(values)"),
        ("np.where(rows < 0, np.nan,", "np.where(rows < 0, 0.0,"),
        ('"missing" if row is None', '"done" if row is None'),
    ],
    "welch": [
        ("df = 1 / (pa**2 / (a.n - 1) + pb**2 / (b.n - 1))", "df = a.n + b.n - 2"),
        ("(a.n - 1) + pb**2 / (b.n - 1)", "a.n + pb**2 / b.n"),
        ("a.std**2 / a.n, b.std**2 / b.n", "a.std**2, b.std**2"),
        ("(1 + confidence) / 2", "confidence"),
        ("min(a.n, b.n) < 2", "min(a.n, b.n) < 1"),
        ("> width", "< width"),
    ],
    "table_cells": [
        ("if comparable else cells", "if True else cells"),
        ("not reported.comparable:", "False:"),
        ("cell.mean - reported.mean", "reported.mean - cell.mean"),
        ("abs(difference) <= width", "abs(difference) >= width"),
        ("std * unit_of(unit)", "std"),
        ("unit.display(mean)", "mean"),
        ("if own is reference:", "if False:"),
        ("math.hypot(own.std / own.mean, reference.std / reference.mean)", "own.std / own.mean"),
        ("own.mean / reference.mean", "reference.mean / own.mean"),
        ("or not cell.summary.complete", ""),
        ("or cell.result.provisional", ""),
        ('1 if better == "lower" else -1', "1"),
        ("distinguishable(rival, best) is False", "False"),
        (' or better == "neither"', ""),
        ("len(rivals) < 2 or", ""),
        ("if k != compared", "if k == compared"),
        ("expected * (a.mean - b.mean) > 0", "expected * (a.mean - b.mean) < 0"),
        ("expected == 0 or of_a == of_b", "expected == 0"),
        ("pairs[of_a, of_b].append", "pairs[len(pairs)].append"),
        ("another * expected < 0", "False"),
        ("-expected, b, a, of_b, of_a", "expected, b, a, of_b, of_a"),
        ("if not result.cell.hidden", "if True"),
        ("if result.provisional:", "if False:"),
    ],
    "tables": [
        ("artifact.rows + tuple(varying)", "artifact.rows"),
        ("if len(places) < len(cells):", "if False:"),
        ("name + entries if artifact.metrics_down else", ""),
        ("comparable=preset.comparable", "comparable=True"),
    ],
    "table_text": [
        ('if cell.n == cell.asked else f"{cell.n}/{cell.asked}"', ""),
        ("(n, *cell.problems)", "(n,)"),
        ("tiny = value != 0 and", "tiny = False and"),
    ],
    "plan": [
        ("trial.trial_id in trial.awaits or ", ""),
        ("seen.add((trial.trial_id, trial.awaits))", "seen.add((trial.trial_id, frozenset()))"),
        ("(*earlier.trials, *earlier.expected)", "earlier.trials"),
        ("not in OUTCOMES for t in parents", 'in ("missing",) for t in parents'),
        ("not in OUTCOMES for t in parents", 'in ("missing", "running") for t in parents'),
        ("seen.add((trial.trial_id, trial.awaits))", "pass"),
        ('update={"seed": seed}', "update={}"),
        ("if trial.point == point)", ")"),
        ("for field in stage.inherit}", "for field in ()}"),
        ("budget.epochs(config, cell.budget, artifact.step_times)", "config.epochs"),
        ('if t.cell.budget == "time"]', "]"),
        ("if choice not in artifact.choices", ""),
        ("held_out.taken_from(settled, searched=len(points) > 1, shown=shown)", "settled"),
        ('return status == "diverged"', "return False"),
        ("if trial.trial_id not in self._shown:", "if False:"),
    ],
    "held_out": [
        ("searched or (shown and source in self.throughout)", "searched"),
        ("searched or (shown and source in self.throughout)", "shown"),
        ("searched or (shown and source in self.throughout)", "searched or shown"),
        ("if config.data.validation or not", "if not"),
        ('rule.epoch == "best_validation" or len', "len"),
        ("if stage is not artifact.last_stage(cell):", "if False:"),
        ("self.shares.get(source, ", "{}.get(source, "),
        (', "data.split_seed": data.split_seed}', "}"),
        ("if len(found) > 1:", "if False:"),
        ('return f"{label} {', 'return f"{'),
        ("if held not in shown:", "if False:"),
        ("elif not trial.cell.hidden:", "else:"),
    ],
    "budget": [
        ("round(config.epochs / cost)", "int(config.epochs / cost)"),
        ("max(1, round(config.epochs / cost))", "round(config.epochs / cost)"),
        ("config.epochs / cost", "config.epochs"),
        ('if budget == "time" else', "if False else"),
        ('if budget == "time" else', "if True else"),
        ("found[1].ratio if found", "1.0 if found"),
        ("for table in times if table.setting == wanted for", "for table in times for"),
        ("for table, step in known if step.method == method)", "for table, step in known)"),
        ('"epochs", "method")', '"method")'),
        ('"split_seed"),', '"split_seed", "augmentation"),'),
        ('("lr", "weight_decay")', '("lr", "weight_decay", "clip_norm")'),
        ("config.epochs, drops)", "config.epochs, 0)"),
        ("batchnorm=config.batchnorm,", ""),
        ("for r in config.regularizers", "for r in ()"),
        ("Progress(step, SIMULATED", "Progress(0, SIMULATED"),
        ("count / SIMULATED", "1 / len(counts)"),
        ("if found is None:", "if False:"),
        ("if lacking:", "if False:"),
        ("len(used) > 1", "False"),
    ],
    "estimate": [
        (
            "t.config.epochs * step_time(t.config, times) * c.seconds",
            "t.config.epochs * c.seconds",
        ),
        ("work = epochs * step_time(trial.config, times)", "work = epochs"),
        ("times = planned.artifact.step_times", "times = ()"),
        ("[*planned.missing(record), *planned.expected]", "planned.missing(record)"),
        ('"subset", ', ""),
        (", str(config.batch_size)", ""),
        ("if _kind(trial) not in costs and", "if"),
        ("len(left) - len(known)", "0"),
        ("sum(s for s, _ in costs) / len(costs)", "sum(s for s, _ in costs)"),
    ],
    "proposals": [
        ("log = low > 0 and high / low >= DECADES", "log = low > 0"),
        ("log = low > 0 and high / low >= DECADES", "log = False"),
        (" and name not in AS_LISTED", ""),
        (" and not isinstance(v, bool)", ""),
        ("min(max(float(", "max(max(float("),
        ("if point not in taken and point not in found:", "if point not in found:"),
        ("if point not in taken and point not in found:", "if point not in taken:"),
        ("_sampler(len(taken))", "_sampler(None)"),
        ("value=number)", "value=0.0)"),
        ("n_startup_trials=STARTUP, ", ""),
    ],
    "search": [
        ("return math.inf", "return summary.mean"),
        ("summary.mean if summary.complete else None", "summary.mean"),
        ("if earliest.covers(other)", "if True"),
        ("replace(other, hidden=True)", "other"),
        ("if artifact.last_stage(cell).name == stage.name else ()", ""),
        ("if metric.relative_to is None", "if True"),
        ("if m not in narrow.measures", "if False"),
        ("for label in match)", "for label in ())"),
        ("stages.insert(0, earliest)", "pass"),
        ("cells = [cell for cell in cells if cell.key.get(label) == value]", ""),
        (', stated="", ranks=True', ""),
    ],
    "figure_data": [
        ('if record.status(t) == "done"', ""),
        ("statistics.stdev(values)", "statistics.pstdev(values)"),
        ("value - other[x]", "value"),
        ('max if metric.better == "higher" else min', "min"),
        ("[metric.display(value) for value in at]", "at"),
        ("math.isfinite(curve[x])", "True"),
    ],
}


@contextmanager
def changed(name: str, old: str, new: str) -> Iterator[None]:
    """All modules of ``sweep`` afresh, one of them with ``new`` for the first ``old``."""
    source = (PACKAGE / f"{name}.py").read_text(encoding="utf-8")
    assert old in source, f"{name}.py no longer holds {old!r}"
    own = {key: module for key, module in sys.modules.items() if key.startswith(AFRESH)}
    for key in own:
        del sys.modules[key]
    package = importlib.import_module("sweep")
    before = dict(vars(package))
    try:
        module = ModuleType(f"sweep.{name}")
        module.__file__ = str(PACKAGE / f"{name}.py")
        sys.modules[module.__name__] = module
        exec(compile(source.replace(old, new, 1), module.__file__, "exec"), vars(module))
        setattr(package, name, module)
        yield
    finally:
        for key in [key for key in sys.modules if key.startswith(AFRESH)]:
            del sys.modules[key]
        sys.modules.update(own)
        vars(package).clear()
        vars(package).update(before)


def load(name: str) -> ModuleType:
    spec = spec_from_file_location(f"faulty_{name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def run(module: ModuleType) -> None:
    """Every test of ``module`` that needs no fixture: those with drawn cases last."""
    tests = {name: test for name, test in vars(module).items() if name.startswith("test_")}
    for name in sorted(tests, key=lambda name: hasattr(tests[name], "hypothesis")):
        for arguments in cases(tests[name]):
            tests[name](**arguments)


ABOUT: dict[str, tuple[str, ...]] = {
    "aggregate": ("test_golden", "test_aggregate", "test_tables", "test_spreads"),
    "columns": ("test_golden", "test_aggregate", "test_tables"),
    "selection": ("test_golden", "test_aggregate", "test_held_out"),
    "record": ("test_golden", "test_record"),
    "welch": ("test_golden", "test_welch"),
    "plan": ("test_plan", "test_held_out", "test_budget"),
    "held_out": ("test_held_out",),
    "budget": ("test_budget",),
    "estimate": ("test_estimate",),
    "proposals": ("test_search",),
    "search": ("test_search",),
    "figure_data": ("test_figures",),
}
ABOUT_TABLES = ("test_golden", "test_tables", "test_table_formats")


def examine(name: str) -> None:
    """The tests that are about module ``name``."""
    for tests in ABOUT.get(name, ABOUT_TABLES):
        run(load(tests))


def cases(test: Any) -> Iterator[dict[str, Any]]:
    marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
    needed = {} if hasattr(test, "hypothesis") else signature(test).parameters
    if len(marks) > 1 or test.__name__ == "test_importing_the_reading_side_is_light":
        return
    names: Any = marks[0].args[0] if marks else ()
    names = (names,) if isinstance(names, str) else tuple(names)
    if set(needed) != set(names):
        return
    for values in marks[0].args[1] if marks else [()]:
        yield dict(zip(names, values if len(names) != 1 else (values,), strict=True))


def test_without_a_fault_nothing_is_noticed():
    with changed("welch", "CONFIDENCE = 0.95", "CONFIDENCE = 1 - 0.05"):
        for name in ("plan", "estimate", "search", "aggregate", "record", "tables"):
            examine(name)


@pytest.mark.parametrize(
    ("name", "old", "new"), [(name, *fault) for name, faults in FAULTS.items() for fault in faults]
)
def test_a_fault_is_noticed(name, old, new):
    noticed = (Exception, pytest.fail.Exception)  # however it shows
    with changed(name, old, new), pytest.raises(noticed):
        examine(name)
