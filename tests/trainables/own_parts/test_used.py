"""Which code of one's own a trial is made of, in its result."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from trainables import data, own_parts
from trainables.__main__ import main
from trainables.config import Request, TrialConfig
from trainables.data.prepare import catalog
from trainables.execution import Execution
from trainables.job import Job
from trainables.own_parts.load import forget_all
from trainables.own_parts.used import as_text, from_text, source_of, to_send, used
from trainables.train import fit

SEVERAL = '''
from pathlib import Path

import torch

from trainables.data.base import Dataset, Images
from trainables.data.base import registry as sets
from trainables.measures.base import registry as measures
from trainables.methods.base import Method, Output, registry

KINDS = Path(__file__).with_name("numbers.txt")


@registry.register("plain_here")
class Plain(Method):
    """The gradient."""

    def step(self, objective):
        loss, logits = objective.accumulate()
        return Output(loss, logits, objective=None)


@measures.register("one_here")
def one_here(target):
    """1."""
    return 1.0


@sets.register("read_here")
def read_here():
    """As many classes as a file says."""
    count = int(KINDS.read_text())
    pixels = torch.arange(64 * 16, dtype=torch.int64).to(torch.uint8).view(64, 1, 4, 4)
    images = Images(pixels, torch.arange(64) % count)
    return Dataset("read_here", images, None, num_classes=count, mean=(0.5,), std=(0.5,))
'''


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "several.py").write_text(SEVERAL)
    (tmp_path / "numbers.txt").write_text("2")
    own_parts.load_parts([tmp_path / "several.py"])
    yield tmp_path
    forget_all()
    data.forget()


@pytest.mark.usefixtures("folder")
def test_a_result_says_which_code_its_parts_are() -> None:
    """Those that it uses: the method and what is measured, not the data set of the same file."""
    config = TrialConfig(
        model="mlp_tiny", method="plain_here", epochs=1, data={"subset": 64}, batch_size=32
    )
    execution = Execution(measures=(Request("one_here"), Request("distance_from_initialization")))
    origin = fit(config, execution).provenance
    (source,) = own_parts.loaded()
    assert from_text(origin["parts"]) == {
        "method plain_here": source.digest, "measure one_here": source.digest,
    }  # fmt: skip
    assert to_send(config, execution.measures) == (source,)
    assert used(config.replace(method={"name": "erm"})) == {}
    ours = config.replace(method={"name": "erm"})
    assert "parts" not in fit(ours).provenance


def test_the_content_of_a_set_of_ones_own_has_a_digest(folder: Path) -> None:
    before = data.load("read_here").digest
    data.forget()
    assert data.load("read_here").digest == before
    (folder / "numbers.txt").write_text("4")
    data.forget()
    assert data.load("read_here").digest not in ("", before)
    assert data.load("digits").digest == ""


@pytest.mark.usefixtures("folder")
def test_a_set_of_ones_own_is_described_by_its_first_line(tmp_path: Path) -> None:
    found = catalog.status("read_here", tmp_path)
    assert (found.state, found.title) == (
        catalog.Availability.BUILT_IN, "As many classes as a file says.",
    )  # fmt: skip


def test_one_trial_alone_imports_them_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    forget_all()
    config = {"model": "mlp_tiny", "method": "plain_here", "epochs": 1, "data": {"subset": 64}}
    (folder / "trial.json").write_text(json.dumps({**config, "batch_size": 32}))
    words = [str(folder / "trial.json"), "--device", "cpu"]
    assert main(words) == 2
    assert "unknown method 'plain_here'" in capsys.readouterr().err
    assert main([*words, "--import", str(folder / "several.py")]) == 0
    assert "method plain_here=" in json.loads(capsys.readouterr().out)["provenance"]["parts"]


@pytest.mark.usefixtures("folder")
def test_a_job_brings_its_sources() -> None:
    config = TrialConfig(model="mlp_tiny", method="plain_here")
    job = Job.of(config, sources=to_send(config))
    assert Job.from_json(job.to_json()) == job
    forget_all()
    assert job.checked_config() == config  # they lie where they were


def test_a_part_of_a_program_is_known_by_the_file_of_that(tmp_path: Path) -> None:
    """It was imported by the program itself, and is not sent."""
    assert source_of(test_a_job_brings_its_sources).entry == Path(__file__).name


def test_what_is_written_is_read() -> None:
    digests = {"method a=b": "0", "model c": "12"}
    assert from_text(as_text(digests)) == digests
    assert from_text("") == {}
