"""Each fault of a file is one sentence with its line, before anything starts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sweep.files import load
from tests.sweep.files.cases import SMALL, artifact
from trainables.errors import UsageError

FAULTS: list[tuple[str, str, str]] = [
    # What is replaced (empty: a line is added), by what, and what is said.
    ("seeds: 2", "seds: 2", "7: unknown key 'seds' (did you mean 'seeds'?); known: base, "),
    ("seeds: 2", "seeds: two", "7: seeds = 'two': input should be a valid integer"),
    ("seeds: 2", "seeds: 0", "7: seeds = 0: input should be greater than or equal to 1"),
    ("epochs: 2", "epoch: 2", "2: unknown key 'epoch' (did you mean 'epochs'?); known: model, "),
    ("epochs: 2", "epochs: -2", "2: epochs = -2: input should be greater"),
    ("epochs: 2", "epochs: [2]", "2: epochs = "),
    ("epochs: 2", "epochs: 2, seed: 3", "2: seed cannot be given: repetitions are counted"),
    ("epochs: 2", "epochs: 2, protocol: 2", "2: protocol cannot be given"),
    ("epochs: 2", "epochs: 2, optimizer: {lrr: 1}", "2: unknown key 'optimizer.lrr' (did you mean"),
    ("mlp_tiny", "mpl_tiny", "2: unknown model 'mpl_tiny' (did you mean 'mlp_tiny'?)"),
    ("mlp_tiny", "{name: mlp, widht: 3}", "2: unknown option of model 'mlp' 'widht' (did you"),
    ("[0.05, 0.1]", "[]", "6: grid.optimizer.lr is empty"),
    ("[0.05, 0.1]", "0.1", "6: grid.optimizer.lr = 0.1: write a list, such as [0.1]"),
    ("[0.05, 0.1]", "[0.05, -0.1]", "6: optimizer.lr = -0.1: input should be greater than 0"),
    ("[0.05, 0.1]", "[0.05, 0.05]", "6: optimizer.lr has 0.05 twice"),
    ("[0.05, 0.1]", "{log: [1, 0.1], num: 3}", "6: optimizer.lr: log: 1 is not below 0.1"),
    ("[0.05, 0.1]", "{log: [0.1, 1]}", "6: grid.optimizer.lr: num is required"),
    ("[0.05, 0.1]", "{lug: [0.1, 1], num: 2}", "6: unknown key 'lug' (did you mean 'log'?)"),
    ("optimizer.lr:", "optimizer.lrr:", "6: unknown key 'optimizer.lrr' (did you mean 'optimizer."),
    ("optimizer.lr:", "method.rho:", "6: unknown option of method 'erm' 'rho'; known: none"),
    ("method: erm", "method: emr", "4: unknown method 'emr' (did you mean 'erm'?)"),
    ("method: sam", "method: sam, method.rhoo: 1", "5: unknown option of method 'sam' 'rhoo' (did"),
    ("[0.01, 0.1]", "[0.01, -1]", "5: method 'sam': rho = -1: input should be greater"),
    ("SAM:", "ERM:", "5: 'ERM' stands twice, first in line 4"),
    ("{method: erm}", "{method: erm, grid: [1]}", "4: compare.ERM.grid = [1]: input should be a v"),
    ("name: x", "name: a/b", "1: name = 'a/b': string should match pattern"),
    ("name: x", "name: x\nproject: nrs", "2: project 'nrs' is a paper's; take another word"),
    ("name: x", "[x]", "2: no YAML: "),
    ("", "select: {epoch: first}", "8: select.epoch = 'first': input should be 'last', "),
    ("", "select: {onn: test_error}", "8: unknown key 'onn' (did you mean 'on'?); known: epoch, o"),
    ("", "select: {on: test_eror}", "8: unknown metric 'test_eror' (did you mean 'test_error'?)"),
    ("", "metrics: [test_error, test_eror]", "8: unknown metric 'test_eror'"),
    ("", "metrics: []", "8: metrics is empty"),
    ("", "metrics: [{name: test_error, shwon: plain}]", "8: unknown key 'shwon' (did you mean 'sh"),
    ("", "metrics: [{name: test_nll, relative_to: {metod: ERM}}]", "8: unknown label 'metod' (did"),
    ("", "metrics: [{name: test_nll, relative_to: {method: EMR}}]", "8: unknown method 'EMR' (did"),
    ("", "metrics: [{name: test_nll, where: {method: [EMR]}}]", "8: unknown method 'EMR' (did"),
    ("", "measures: [{name: loss, where: {metod: ERM}}]", "8: unknown label 'metod' (did"),
    ("", "figures: [{x: epoch, y: [test_eror]}]", "8: unknown metric 'test_eror' (did you mean"),
    ("", "figures: [{over_plane: landscape_2d}]", "8: unknown measure of the file 'landscape_2d'"),
    ("", "presets:\n  tiny: {axes: {optimizer.lrr: 1}}", "9: unknown key 'optimizer.lrr' (did you"),
    ("", "measures: [hessian_trac]", "8: unknown measure 'hessian_trac' (did you mean 'hessian_tr"),
    ("", "measures: [{name: hessian_trace, options: {a: 1}}]", "8: unknown option of measure "),
    ("", "then: {sed: 3}", "8: unknown key 'sed' (did you mean 'seeds'?); known: grid, points, se"),
    ("", "then: {epochs: 0}", "8: epochs = 0: input should be greater"),
    ("", "then:\n- seeds: 1\n- method.a: 1", "10: unknown option of method 'erm' 'a'"),
    ("", "points: [{optimizer.lr: 0.1}]", "8: optimizer.lr is tried in grid and in points"),
    ("", "points: [{epochs: 1}, {}]", "8: it sets no field"),
    ("", "points:\n- epochs: 1\n- epochs: 1", "10: {'epochs': 1} is there twice"),
    ("", "points:\n- epochs: 1\n- grid: {epochs: []}", "10: points.1.grid.epochs is empty"),
    ("", "points: {sobol: {epochs: [1]}, num: 0}", "8: points.num = 0: input should be greater"),
    ("", "points: {sobol: {epoch: [1]}, num: 1}", "8: unknown key 'epoch' (did you mean 'epochs'?"),
    ("", "points: {sobol: {epochs: 1}, num: 1}", "8: points: epochs: write {log: [a, b]}"),
    ("", "columns: {data: {}}", "8: data has no entries"),
    ("", "columns: {method: {A: }}", "8: method is the label of compare"),
    ("", "columns: {data: {A: {data.source: digit}}}", "8: unknown data set 'digit' (did you mean"),
    ("", "presets:\n  smoke: {epochs: x}", "9: epochs = 'x': input should be a valid integer"),
    ("", "presets:\n  smoke: {epoch: 1}", "9: unknown key 'epoch' (did you mean 'epochs'?)"),
    ("", "presets:\n  full: {epochs: 1}", "9: full is the file as it is written"),
    ("", "presets:\n  smoke: {method.rho: 1}", "9: a preset sets fields and whole parts (method:"),
    ("", "figures: [{x: epochs}]", "8: unknown x of a figure 'epochs' (did you mean 'epoch'?)"),
    ("", "figures: [{y: [test_error]}]", "8: a figure has one of x, in_name and over_plane"),
    ("", "figures: [{x: epoch, panels: [metod]}]", "8: unknown label 'metod' (did you mean 'metho"),
    ("", "printed: [{method: SAMM, test_error: 3}]", "8: it fits no cell: unknown entry 'SAMM' (d"),
    ("", "printed: [{method: SAM, test_eror: 3}]", "8: unknown label or metric 'test_eror' (did y"),
    ("", "printed: [{method: SAM, test_error: 3 or so}]", "8: '3 or so' is no number such as 3.1"),
    ("", "printed: [{method: SAM}]", "8: no number is given"),
    ("", "table: {rows: [metod]}", "8: unknown label 'metod' (did you mean 'method'?)"),
    ("", "stages:\n- {name: a}", "6: stages says it in full; leave grid out"),
    ("", "cells:\n- {key: {a: b}}", "3: cells says it in full; leave compare out"),
    ("", "budget: money", "8: budget = 'money': input should be 'epochs', 'gradients' or 'time'"),
    ("", "import: none.py", "8: there is no file none.py"),
    ("", "import: [other.yaml]", "8: other.yaml is no Python file; a sweep's file imports parts"),
    ("epochs: 2", "data.validation: 0, data.subset: 100}\nselect: {on: validation_error",
     "2: ERM holds no images out (data.validation: 0), and select needs validation_error"),
]  # fmt: skip


def faulty(old: str, new: str) -> str:
    return SMALL.replace(old, new) if old else f"{SMALL}{new}\n"


@pytest.mark.parametrize(("old", "new", "said"), FAULTS, ids=[new for _, new, _ in FAULTS])
def test_a_fault_is_one_sentence_with_its_line(old: str, new: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        artifact(faulty(old, new))
    assert str(refused.value).startswith(f"f.yaml:{said}")
    assert "\n" not in str(refused.value)


def test_an_option_of_the_data_set_is_not_the_datas_own() -> None:
    with pytest.raises(UsageError) as refused:
        artifact(faulty("epochs: 2", "data: {source: folder, set: photos}"))
    assert str(refused.value).endswith("; an option of data.source is data.source.set")


def test_the_file_without_a_fault_is_read() -> None:
    assert artifact(SMALL).id == "mine/x"


FULL = """\
name: x
base: {model: mlp_tiny}
cells:
- {key: {method: ERM}}
- {key: {method: SAM}, method: sam}
stages:
- {name: search, where: {method: ERM}, grid: {optimizer.lr: [0.1, 0.2]}}
- {name: after, where: {method: SAM}, after: search, match: [], inherit: [optimizer.lr]}
"""

FAULTS_IN_FULL: list[tuple[str, str, str]] = [
    ("key: {method: SAM}", "key: {method: ERM}", "5: a cell ERM is there twice"),
    ("name: after", "name: search", "8: a stage 'search' is there twice"),
    ("after: search", "after: serach", "8: unknown earlier stage 'serach' (did you mean 'search'?"),
    ("after: search", "after: after", "8: unknown earlier stage 'after'"),
    ("{method: SAM}, after", "{method: SAN}, after", "8: stage after covers no cell"),
    ("where: {method: ERM}", "where: {method: SAM}", "4: no stage trains ERM"),
    ("[optimizer.lr]}", "[optimizer.rl]}", "8: unknown key 'optimizer.rl' (did you mean"),
    ("match: []", "match: [method]", "6: stage after: SAM has no parent in stage search that agre"),
    ("method: sam", "method: sma", "5: unknown method 'sma' (did you mean 'sam'?)"),
    ("[0.1, 0.2]", "[0.1, -0.2]", "7: optimizer.lr = -0.2: input should be greater than 0"),
    ("{key: {method: ERM}}", "{key: {method: ERM}, printed: {test_eror: {mean: 1}}}",
     "4: unknown metric 'test_eror' (did you mean 'test_error'?)"),
    ("{key: {method: ERM}}", "{kye: {method: ERM}}", "4: cells.0: key is required"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "said"), FAULTS_IN_FULL, ids=[n for _, n, _ in FAULTS_IN_FULL]
)
def test_a_fault_of_the_full_form_is_one_sentence_with_its_line(
    old: str, new: str, said: str
) -> None:
    assert old in FULL
    with pytest.raises(UsageError) as refused:
        artifact(FULL.replace(old, new))
    assert str(refused.value).startswith(f"f.yaml:{said}")


def test_the_full_form_without_a_fault_is_read() -> None:
    assert [stage.name for stage in artifact(FULL).experiment.stages] == ["search", "after"]


@pytest.mark.parametrize("text", ["", "[1]", "word", "3"])
def test_what_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"^f\.yaml:1: a sweep's file is a mapping"):
        artifact(text)


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    file = folder / "s.yaml"
    file.write_text(f"import: [{', '.join(f'{name}.py' for name in files)}]\nbase: {{epochs: 1}}\n")
    return file


def test_a_name_is_that_of_the_file_where_none_is_given(tmp_path: Path) -> None:
    assert load(written(tmp_path)).id == "mine/s"


def test_broken_parts_are_told_with_their_own_traceback(tmp_path: Path) -> None:
    file = written(tmp_path, parts="def f():\n    return 1 / 0\n\n\nf()\n")
    with pytest.raises(UsageError) as refused:
        load(file)
    said = str(refused.value)
    assert said.startswith(f"{file}:1: parts.py cannot be imported:\n")
    assert re.findall(r"line \d+", said) == ["line 5", "line 2"]
    assert said.endswith("ZeroDivisionError: division by zero")


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    code = "from trainables.methods.base import Method, registry\n\n\n@registry.register('sam')\n"
    code += "class Mine(Method):\n    pass\n"
    with pytest.raises(UsageError, match=r"s\.yaml:1: parts\.py: method 'sam' is one of flat"):
        load(written(tmp_path, parts=code))


def test_parts_that_load_the_file_that_imports_them_are_refused(tmp_path: Path) -> None:
    file = written(
        tmp_path, parts=f"from sweep.files import load\nload({str(tmp_path / 's.yaml')!r})\n"
    )
    with pytest.raises(UsageError) as refused:
        load(file)
    assert str(refused.value) == (f"{file}:1: parts.py imports itself: parts.py > parts.py")
