"""What --set and --workers ask for is refused, or makes other trials and is then a variant."""

from __future__ import annotations

import pytest

import search_spaces
from search_spaces.spec import Artifact
from sweep.plan.variant import with_valid_settings, with_workers
from tests.sweep.cases import TINY
from trainables.errors import UsageError


def smoke(name: str) -> Artifact:
    return search_spaces.apply(search_spaces.find(name), "smoke")


def test_what_is_so_by_default_makes_no_variant() -> None:
    """Given by the artifact, or nowhere; alone, or beside what makes one."""
    for settings in ({"epochs": 2}, {"precision": "float32"}, {"optimizer.nesterov": False}):
        assert with_valid_settings(TINY, "smoke", settings) == TINY
    found = with_valid_settings(TINY, "smoke", {"epochs": 3, "precision": "float32"})
    assert str(found.variant) == "--set epochs=3"


def test_settings_may_need_one_another() -> None:
    """Nesterov's momentum would have no effect with Adam."""
    adam = {"optimizer.name": "adam", "optimizer.nesterov": False}
    with pytest.raises(UsageError, match="nesterov = True would have no effect"):
        with_valid_settings(smoke("nrs/table3"), "smoke", {"optimizer.name": "adam"})
    found = with_valid_settings(smoke("nrs/table3"), "smoke", adam)
    assert found.variant.options() == [
        "--set optimizer.name=adam",
        "--set optimizer.nesterov=false",
    ]


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("epoch", 2, "--set: unknown field 'epoch' (did you mean 'epochs'?); known: data.source, "),
        ("optimizer.rate", 2, "--set: unknown field 'optimizer.rate'"),
        ("epochs.last", 2, "--set: unknown field 'epochs.last'"),
        ("model.widths.first", 2, "--set: unknown field 'model.widths.first'"),
        ("seed", 2, "--set seed: seeds are 0, 1, ...; --seeds says how many"),
        ("protocol", 1, "--set protocol=1: trial: protocol = 1: "),
        ("epochs", 0, "--set epochs=0: trial: epochs = 0: "),
        ("method.rho", 1, "--set method.rho=1: trial: unknown option of method 'erm' 'rho'"),
        ("model", "resnet", "--set model=resnet: trial: unknown model 'resnet'"),
    ],
)
def test_a_field_that_cannot_be_is_one_sentence(path: str, value: object, sentence: str) -> None:
    with pytest.raises(UsageError) as error:
        with_valid_settings(TINY, "smoke", {path: value})
    assert str(error.value).startswith(sentence)
    assert "\n" not in str(error.value)


def test_an_artifact_that_is_blocked_stays_so() -> None:
    blocked = search_spaces.find("nrs/table1").with_experiment(blocked="it needs a network")
    assert with_valid_settings(blocked, "smoke", {"epochs": 3}) == blocked


def test_workers_are_a_variant_where_they_make_other_trials() -> None:
    """TINY has no BatchNorm and methods whose step is the same; NRS has devices."""
    assert str(with_workers(TINY, "smoke", 2, "local").variant) == ""
    nrs = smoke("nrs/table3")
    assert str(with_workers(nrs, "smoke", 2, "sync").variant) == "--workers 2:sync"
    assert str(with_workers(nrs, "smoke", 1, "local").variant) == ""
