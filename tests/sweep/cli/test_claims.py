"""`sweep claims` on a record with nothing in it: what is asked for is said, and nothing is run."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.sweep.called import call


@pytest.fixture(autouse=True, scope="module")
def _here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One empty record for all of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("empty"))
        yield


def test_claims_of_a_paper_as_json() -> None:
    code, out, _ = call("claims", "nrs", "--format", "json")
    tree = json.loads(out)
    assert code == 0
    assert (tree["preset"], tree["comparable"], len(tree["claims"])) == ("smoke", False, 19)
    assert {each["verdict"] for each in tree["claims"]} == {"not yet", "never judged"}
    assert tree["claims"][0]["printed"] == "holds"
    assert tree["claims"][-1]["note"].startswith("needs ")


@pytest.mark.parametrize("kind", ["terminal", "md", "html"])
def test_claims_of_a_table_with_what_they_are_of(kind: str) -> None:
    code, out, _ = call("claims", "nrs/table3", "--format", kind)
    flat = " ".join(out.split())
    assert code == 0
    assert "nrs-13" in flat
    assert "nrs-01" not in flat
    assert "of this data and this network" in flat
    assert ('<th scope="row">nrs-13</th>' in flat) == (kind == "html")
    assert ("| nrs-13 |" in flat) == (kind == "md")


def test_what_the_printed_numbers_say_is_told_of_a_claim() -> None:
    found = json.loads(call("claims", "nrs/table3", "--format", "json")[1])["claims"]
    assert {each["id"]: each["printed"] for each in found}["nrs-13"] is not None


def test_claims_narrowed_to_some_cells() -> None:
    _, out, _ = call("claims", "nrs", "--where", "model=VGG16", "--format", "json")
    assert "nrs-05" not in out  # of the ViT
    assert "nrs-06" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nsr",), "unknown paper or artifact 'nsr'"),
        (("nrs/table9",), "nrs/table1"),
        (("compare/methods",), "no claim of a paper is about it"),
        (("nrs", "--where", "model=VGG17"), "no comparison of these claims"),
        (("nrs", "--format", "csv"), "csv"),
    ],
)
def test_bad_input_is_one_sentence(arguments: tuple[str, ...], said: str) -> None:
    code, _, err = call("claims", *arguments)
    assert code == 2
    assert said in err
    assert "Traceback" not in err
