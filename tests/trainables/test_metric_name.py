"""The one grammar of recorded names: what is written is read back, and nobody else writes it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_spaces.spec import Metric
from trainables.metric_name import (
    CurveName,
    Epoch,
    MapName,
    MetricName,
    Split,
    best,
    join,
    label_of_options,
    of_split,
    place,
    sample_place,
)

ROOT = Path(__file__).parents[2]

WORDS = st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True).filter(
    lambda word: not word.endswith("_std_error") and word not in get_args(Epoch)
)
NUMBERS = st.one_of(
    st.floats(-1e6, 1e6).map(str),
    st.floats(-10, 10).map(place),
    st.integers(-99, 99).map(str),
)
NAMES = st.fixed_dictionaries(
    {
        "label": WORDS,
        "parts": st.lists(WORDS | NUMBERS, max_size=3).map(tuple),
        "at": st.just("") | NUMBERS,
        "epoch": st.sampled_from(get_args(Epoch)),
        "std_error": st.booleans(),
    }
)


def read(name: MetricName) -> dict[str, Any]:
    return {
        "label": name.label,
        "parts": name.parts,
        "at": name.at,
        "epoch": name.epoch,
        "std_error": name.is_std_error,
    }


def written(label: str, parts: tuple[str, ...], **rest: Any) -> str:
    return MetricName.of(label, *parts, **rest)


@given(NAMES)
def test_what_is_written_is_read_back(made: dict[str, Any]) -> None:
    assert read(MetricName(written(**made))) == made


@given(
    st.text(alphabet="ab1./@-_", max_size=12)
    | st.lists(
        st.sampled_from(["best_test", "best_validation", "/", "_std_error", "@", "0.5", "a", ""]),
        max_size=6,
    ).map("".join)
)
def test_every_text_is_a_name_that_can_be_written_again(text: str) -> None:
    assert written(**read(MetricName(text))) == text


@given(NAMES, st.sampled_from(["best_test", "best_validation"]))
def test_further_names_say_what_they_are_of(made: dict[str, Any], epoch: Epoch) -> None:
    name = MetricName(written(**{**made, "epoch": "last", "std_error": False}))
    assert read(MetricName(name.std_error)) == {**read(name), "std_error": True}
    assert read(MetricName(name.at_epoch(epoch))) == {**read(name), "epoch": epoch}
    assert name.at_epoch("last") == name
    assert name.belongs_to(name.label)
    assert not name.belongs_to(f"{name.label}_")
    other = MetricName(name.relabelled(name.label, "seen"))
    assert read(other) == {**read(name), "label": "seen"}


@pytest.mark.parametrize("split", get_args(Split))
def test_a_number_of_every_epoch_names_its_images(split: str) -> None:
    name = MetricName(of_split(split, "error_top5"))
    assert (name, name.data_split, name.quantity) == (f"{split}_error_top5", split, "error_top5")
    assert MetricName("running_train_error").data_split is None
    assert MetricName("test").data_split is None


def test_the_recorded_spellings() -> None:
    """They are in every record there is."""
    assert MetricName(of_split("test", "error")).at_epoch(best("test")) == "best_test/test_error"
    assert MetricName("epoch").at_epoch(best("validation")) == "best_validation/epoch"
    assert MetricName("trace").std_error == "trace_std_error"
    assert join("gap", "0.02", "hessian") == "gap/0.02/hessian"
    assert join("gap", "") == "gap"
    assert place(-1, 0.5) == "-1.000/0.500"
    assert sample_place(-1, 0.5) == "sample/-1.000/0.500"


@given(WORDS, st.just("") | WORDS.map("/{}".format), st.lists(NUMBERS, unique=True, max_size=5))
def test_points_of_a_curve_are_found(head: str, tail: str, xs: list[str]) -> None:
    curve = CurveName(head, tail)
    assert CurveName.parse(str(curve)) == curve
    names = {f"{head}{'@' if i % 2 else '/'}{x}{tail}": float(x) for i, x in enumerate(xs)}
    others = [
        f"{head}{tail}/x",
        f"{head}_/1{tail}",
        f"{head}/1{tail}_std_error",
        f"best_test/{head}",
    ]
    found = curve.points([*others, *names])
    assert {name: x for x, name in found} == names
    assert [x for x, _ in found] == sorted(names.values())


@given(WORDS, st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), unique=True, max_size=5))
def test_points_and_samples_of_a_map_are_found(label: str, places: list[tuple[int, int]]) -> None:
    values = [join(label, place(*at)) for at in places]
    samples = [join(label, sample_place(*at)) for at in places]
    others = [label, f"{label}/1", f"{label}_/1/2", f"{label}/1/2/3", f"best_test/{label}/1/2"]
    names = [*others, *values, *samples]
    found = [list(read(names)) for read in (MapName(label).points, MapName(label).samples)]
    assert found == [
        [(*at, name) for at, name in zip(places, own, strict=True)] for own in (values, samples)
    ]


@given(WORDS, WORDS, WORDS)
def test_a_label_is_replaced_in_every_name_that_has_it(old: str, new: str, part: str) -> None:
    made = [
        MetricName.of(old, *parts, at=at, epoch=epoch, std_error=error)
        for parts in ((), (part,), ("0.5", part))
        for at in ("", "0.1")
        for epoch in get_args(Epoch)
        for error in (True, False)
    ]
    others = [f"{old}_", f"{old}:{part}", f"_/{old}", f"{old}_/{part}"]
    for name in made:
        found = MetricName(MetricName(name).with_label(old, new))
        assert found.label == new
        given = MetricName(name)
        assert (found.parts, found.at, found.epoch) == (given.parts, given.at, given.epoch)
        assert found.is_std_error == given.is_std_error
    for name in others:
        assert MetricName(name).with_label(old, new) == name
    assert MetricName(f"{old}@/{part}").with_label(old, new) == f"{new}@/{part}"


@pytest.mark.parametrize(
    ("options", "label"),
    [
        ({"half": True}, "m:half:true"),
        ({"kind": "fast", "at": 1}, "m:at:1:kind:fast"),
        ({"list": [1, 2.5]}, "m:list:_1_2.5_"),
        ({"path": "a/b@0.1=c"}, "m:path:a_b_0.1_c"),
        ({"most": None}, "m:most:null"),
    ],
)
def test_a_label_of_other_options_is_one_that_mlflow_takes(
    options: dict[str, Any], label: str
) -> None:
    assert label_of_options("m", options) == label
    assert re.fullmatch(r"[\w. :/-]+", label)
    name = MetricName(MetricName.of(label, "a", at="0.5", std_error=True))
    assert (name.label, name.parts, name.at) == (label, ("a",), "0.5")
    assert not name.belongs_to("m")


TELLING = re.compile(
    r"""f?["'][^"'\n]*(?:best_(?:test|validation|\{\w+\})/|\}_std_error|_std_error["'])"""
    r"""|partition\(["']@["']\)|\[@/\]|:\.3f\}/"""
)


def test_no_other_file_writes_or_reads_these_names() -> None:
    files = (
        p for part in ("trainables", "search_spaces", "sweep") for p in (ROOT / part).rglob("*.py")
    )
    found = {
        str(path.relative_to(ROOT)): line
        for path in files
        for line in path.read_text().splitlines()
        if TELLING.search(line.split("``")[0])
    }
    assert set(found) == {"trainables/metric_name.py"}, found


def test_the_key_of_a_column_is_its_own() -> None:
    """Two columns of one recorded name are told apart by it; it is what `Cell.reported` goes by."""
    gap = Metric("a", "", minus="b", epoch="last", relative_to={"method": "ERM"})
    assert gap.key == "a-b@last/ratio"
