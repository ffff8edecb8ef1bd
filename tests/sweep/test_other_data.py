"""``--set data.source=...``: every artifact on the data that is there, whatever a preset has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import search_spaces
from search_spaces.spec import Artifact
from sweep.cli.options import SweepOptions
from sweep.cli.workflow import artifact_of
from sweep.plan.expand import Plan, PlannedTrial, plan
from sweep.record.record import Record
from sweep.selection import selection
from tests.sweep.called import call
from tests.trainables.data.originals import encoded, random_images, write_parquet
from trainables.errors import UsageError
from trainables.train import Execution, Trial

RUNNABLE = [made for made in search_spaces.artifacts() if not made.experiment.blocked]
ON_MATRICES = {"nso/figure6"}
"""Artifacts whose network is of matrices, and of no images."""
OF_OTHER_INPUTS = {"compare/tasks", "nso/figure2_bert", "nso/figure2_gcn", "nso/table5"}
"""Artifacts with networks of texts, pairs and graphs, which take no images."""


def on_parquet(artifact: str, preset: str) -> Plan:
    options = SweepOptions(artifact=artifact, preset=preset, settings=["data.source=parquet"])
    made = artifact_of(options)
    return plan(made, preset, selection("paper"), Record.from_runs([]))


def trials(planned: Plan) -> Iterator[PlannedTrial]:
    for stage in planned.stages:
        yield from stage.trials
        yield from stage.expected


@pytest.mark.parametrize("preset", search_spaces.PRESETS)
@pytest.mark.parametrize("artifact", RUNNABLE, ids=lambda artifact: artifact.id)
def test_every_trial_is_on_the_data_that_is_set(artifact: Artifact, preset: str) -> None:
    if artifact.id in OF_OTHER_INPUTS:
        with pytest.raises(UsageError, match="and data set 'parquet' has arrays"):
            on_parquet(artifact.id, preset)
        return
    planned = on_parquet(artifact.id, preset)
    sources = {t.config.data.source.model_dump_json() for t in trials(planned)}
    assert [json.loads(source)["name"] for source in sources] == ["parquet"]
    assert planned.variant == "--set data.source=parquet"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CIFAR-10's shape and classes, and no more images than a few batches of any artifact."""
    folder = tmp_path_factory.mktemp("data")
    for split, count in (("train", 1500), ("test", 100)):
        images = [encoded(image) for image in random_images(count, 32, 32, seed=count)]
        file = folder / "cifar10" / f"{split}.parquet"
        write_parquet(file, [*images], [i % 10 for i in range(count)])
    return folder


def test_every_network_and_method_of_the_smallest_preset_takes_a_step_on_it(data: Path) -> None:
    tried: set[str] = set()
    for artifact in (made for made in RUNNABLE if made.id not in OF_OTHER_INPUTS):
        for trial in trials(on_parquet(artifact.id, "smoke")):
            config = trial.config
            kind = repr((config.model, config.data.augmentation, config.loss, config.method.name))
            if artifact.id not in ON_MATRICES and kind not in tried:
                Trial(config, Execution("cpu", data)).time_step(at_least=0)
                tried.add(kind)
    assert len(tried) > 50


@pytest.mark.usefixtures("offer")
def test_a_sweep_runs_on_it_from_the_command(data: Path, tmp_path: Path) -> None:
    words = ["test/tiny", "--set", "data.source=parquet", "--storage", str(tmp_path)]
    code, _, said = call("run", *words, "--executor", "serial", "--seeds", "1", "--data", str(data))
    assert (code, said.count("test error")) == (0, 2)
    table = call("table", *words, "--seeds", "1", "--format", "md")[1]
    assert "--set data.source=parquet" in table
