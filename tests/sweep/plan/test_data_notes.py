"""What was skipped when a sweep's data were read is said wherever the sweep is looked at or run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.sweep.called import call
from trainables import data
from trainables.data_folder import prepared_notes
from trainables.train import Execution, Trial

if TYPE_CHECKING:
    from tests.trainables.data.originals import Originals

OPTIONS = {"set": "images", "size": 8, "confusion": 0}
FILE = """
base:
  data: {source: {name: folder, set: images, size: 8}, validation: 0}
  model: mlp_tiny
  epochs: 1
  batch_size: 2
grid: {method: [erm, sam]}
seeds: 1
"""


@pytest.fixture
def folder(tmp_path: Path, originals: Originals) -> Path:
    """A data directory with images in folders, of which a file is skipped, and a sweep's file."""
    data.forget()
    originals.make("folder", tmp_path)
    (tmp_path / "images/train/cat/x.heic").write_bytes(b"x")
    (tmp_path / "sweep.yaml").write_text(FILE, encoding="utf-8")
    return tmp_path


def said(command: str, folder: Path, *more: str) -> list[str]:
    code, _, errors = call(
        command,
        str(folder / "sweep.yaml"),
        *("--data", str(folder), "--storage", str(folder / "results"), *more),
    )
    assert code == 0, errors
    return [line for line in errors.splitlines() if "were skipped: 1 .heic" in line]


@pytest.mark.parametrize("command", ["plan", "show"])
def test_looking_at_a_sweep_says_what_was_skipped_in_its_data(folder: Path, command: str) -> None:
    assert said(command, folder) == []  # nothing is read for it
    data.load("folder", folder, set="images", size=8)
    assert len(said(command, folder)) == len(said(command, folder, "--format", "json")) == 1


def test_a_run_says_it_once_for_all_its_trials(folder: Path) -> None:
    assert len(said("run", folder, "--executor", "serial")) == 1


def test_a_trial_says_it_to_who_listens(folder: Path) -> None:
    from trainables.config import TrialConfig

    source = {"name": "folder", "set": "images", "size": 8}
    notes: list[str] = []
    Trial(
        TrialConfig(data={"source": source, "validation": 0}, batch_size=2, epochs=1),
        Execution(device="cpu", data_dir=folder),
        notify=notes.append,
    )
    assert ["1 .heic" in note for note in notes] == [True]


def test_notes_are_those_of_the_copy_that_is_used(folder: Path) -> None:
    for size in (8, 16):
        data.load("folder", folder, set="images", size=size)
        (folder / "images/train/cat/y.heic").write_bytes(b"y")
    assert "1 .heic" in prepared_notes("folder", OPTIONS, folder)[0]
    assert "2 .heic" in prepared_notes("folder", OPTIONS | {"size": 16}, folder)[0]
    assert prepared_notes("folder", OPTIONS | {"size": 32}, folder) == ()
    assert prepared_notes("fold", OPTIONS, folder) == ()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"options": 1}', '{"options": {}}', "null"])
def test_a_manifest_that_cannot_be_read_says_nothing(folder: Path, content: str) -> None:
    data.load("folder", folder, set="images", size=8)
    (manifest,) = folder.glob("prepared/*/manifest.json")
    assert json.loads(manifest.read_text(encoding="utf-8"))["notes"]
    manifest.write_text(content, encoding="utf-8")
    assert prepared_notes("folder", OPTIONS, folder) == ()
