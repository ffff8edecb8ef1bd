"""Some cells of an artifact, and what they need."""

from __future__ import annotations

import pytest

import search_spaces
from sweep.plan.where import chosen
from tests.sweep.files.cases import SMALL, artifact, ids, planned
from trainables.errors import UsageError


def test_the_cells_with_these_entries_stay() -> None:
    some = chosen(artifact(SMALL), {"method": "SAM"})
    assert [cell.key for cell in some.experiment.cells] == [{"method": "SAM"}]
    assert [stage.name for stage in some.experiment.stages] == ["grid-SAM"]
    assert ids(planned(some)) < ids(planned(artifact(SMALL)))


def test_cells_that_a_ratio_is_to_stay_hidden() -> None:
    text = f"{SMALL}metrics: [{{name: device_seconds, relative_to: {{method: ERM}}}}]\n"
    some = chosen(artifact(text), {"method": "SAM"})
    assert [(c.key["method"], c.hidden) for c in some.experiment.cells] == [
        ("ERM", True), ("SAM", False),
    ]  # fmt: skip


def test_an_artifact_fans_out_first() -> None:
    made = search_spaces.find("compare/methods")
    some = chosen(made, {"method": "sam", "budget": "equal time"})
    shown = [cell.key for cell in some.experiment.cells if not cell.hidden]
    assert shown == [{"method": "sam", "budget": "equal time"}]
    assert {c.key["method"] for c in some.experiment.cells if c.hidden} == {"erm"}


@pytest.mark.parametrize(
    ("where", "said"),
    [
        (
            {"metod": "SAM"},
            "unknown label of mine/x 'metod' (did you mean 'method'?); known: method",
        ),
        (
            {"method": "SAN"},
            "unknown method of mine/x 'SAN' (did you mean 'SAM'?); known: ERM, SAM",
        ),
    ],
)
def test_what_is_not_there_is_said(where: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        chosen(artifact(SMALL), where)
    assert str(refused.value) == said
