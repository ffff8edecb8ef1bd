"""Code of a person's own on nodes that have not the file: Ray sends it, to actors and workers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sweep.called import call
from tests.sweep.test_own_parts import METHOD
from trainables.own_parts.load import forget_all
from trainables.own_parts.used import from_text

GONE = """
from pathlib import Path

from helps import NAME

if "flatsweep_own_parts" not in __file__:
    Path(__file__).write_text("raise RuntimeError('the one that lies there')")
"""
SWEEP = """\
import: mine.py
base: {model: mlp_tiny, epochs: 1, data.subset: 100, batch_size: 32}
compare: {one: mine_sent, two: {method: mine_sent, workers: 2}}
seeds: 1
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    forget_all()


def test_a_method_reaches_the_processes_that_train(folder: Path, ray_address: str) -> None:
    """One by one, and workers of Ray Train. The file is another as soon as it was imported, so that
    no other process of this machine can have it from its place."""
    (folder / "helps.py").write_text("NAME = 1\n")
    (folder / "mine.py").write_text(METHOD.format(name="mine_sent") + GONE)
    (folder / "s.yaml").write_text(SWEEP)
    code, _, error = call("run", "s.yaml", "--address", ray_address, "--cpus", "0.5")
    assert code == 0, error
    results = [json.loads(path.read_text()) for path in folder.rglob("result.json")]
    assert sorted(result["config"]["workers"]["count"] for result in results) == [1, 2]
    for result in results:
        (label,) = from_text(result["provenance"]["parts"])
        assert label == "method mine_sent"
