"""Another of the readings that an artifact's choices name, chosen."""

from __future__ import annotations

import pytest

import search_spaces
from search_spaces.nso.protocol import SIZES
from search_spaces.readings import read
from search_spaces.spec import Artifact
from sweep.aggregate import selection
from sweep.plan.expand import PlannedTrial, plan
from sweep.record.record import Record
from trainables.errors import UsageError

WITH_BSAM = ("nso/table6", "nso/ablation_plain")


def planned(artifact: Artifact) -> list[PlannedTrial]:
    stages = plan(artifact, "paper", selection("paper"), Record.from_runs([])).stages
    return [trial for stage in stages for trial in (*stage.trials, *stage.expected)]


@pytest.mark.parametrize("name", WITH_BSAM)
def test_bsam_as_published_can_be_chosen(name: str) -> None:
    """Its step is m / s alone, with N of each data set, whatever the common search has found."""
    artifact = search_spaces.find(name)
    published = read(artifact, "bsam", "adaptive")
    before, after = planned(artifact), planned(published)
    assert len(before) == len(after)
    changed = 0
    for old, new in zip(before, after, strict=True):
        if old.cell.key["method"] != "BSAM":
            assert new.trial_id == old.trial_id
            continue
        changed += 1
        assert old.config.method.options["posterior"] == "fixed"
        assert new.config.method.options["posterior"] == "adaptive"
        assert new.config.method.options["num_data"] == SIZES[new.cell.key["dataset"]][0]
        assert new.config.optimizer.momentum == new.config.optimizer.weight_decay == 0
        assert new.config.optimizer.lr == old.config.optimizer.lr
        assert new.config.method.options["rho"] == old.config.method.options["rho"]
    assert changed
    assert published.variant.options() == ["--read bsam=adaptive"]
    (choice,) = (c for c in published.notes.choices if c.field == "method.posterior")
    assert choice.interpretation == "adaptive: bSAM as published"


def test_the_default_reading_says_which_rule_runs() -> None:
    (choice,) = (
        c for c in search_spaces.find("nso/table6").notes.choices if c.field == "method.posterior"
    )
    assert choice.interpretation.startswith("fixed: the code's")
    assert "adaptive is bSAM as published" in choice.why


def test_an_unknown_reading_names_those_that_there_are() -> None:
    with pytest.raises(
        UsageError, match=r"value of reading bsam 'adaptiv' \(did you mean"
    ) as error:
        read(search_spaces.find("nso/table6"), "bsam", "adaptiv")
    assert "known: fixed, adaptive" in str(error.value)
    with pytest.raises(
        UsageError, match=r"^nso/table6: unknown reading 'bsan' \(did you mean 'bsam'"
    ):
        read(search_spaces.find("nso/table6"), "bsan", "fixed")
