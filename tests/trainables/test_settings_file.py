"""YAML as it is read here: values, lines, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from trainables.errors import UsageError
from trainables.settings_file import MOST_BYTES, MOST_LEVELS, Dumper, parse, read


def value(text: str) -> Any:
    return parse(text, "f.yaml").value


def test_words_are_those_of_yaml_1_2() -> None:
    text = "{on: yes, a: [1e-4, .5, 1., -3e5, 0x10, 0o17, 017, ~, null, true, False, '1', 1:30]}"
    numbers = [1e-4, 0.5, 1.0, -3e5, 16, 15, 17, None, None, True, False, "1", "1:30"]
    found = value(text)
    assert found == {"on": "yes", "a": numbers}
    assert [type(v) for v in found["a"]] == [type(v) for v in numbers]


def test_lines_are_of_keys_and_of_items() -> None:
    source = parse("a: 1\nb:\n  - 2\n  - c:\n      4\n", "f.yaml")
    assert source.lines == {
        (): 1, ("a",): 1, ("b",): 2, ("b", 0): 3, ("b", 1): 4, ("b", 1, "c"): 4,
    }  # fmt: skip
    assert str(source.error(("b", 1, "c"), "wrong")) == "f.yaml:4: wrong"
    assert str(source.error(("b", "kind", 0, "nothing"), "wrong")) == "f.yaml:3: wrong"


REFUSED = {
    "a: *x": "f.yaml:1: anchors and aliases (& and *)",
    "a: 1\nb: &x 1": "f.yaml:2: anchors and aliases",
    # Each is ten of those before it: a billion words when it is unfolded.
    "a: &a [x, x]\nb: &b [*a, *a]\n": "f.yaml:1: anchors and aliases",
    "a: 1\nb: !!python/object/apply:os.system [ls]": "f.yaml:2: tags such as",
    "a: !mine 1": "f.yaml:1: tags such as",
    "a: 1\nb: 2\na: 3": "f.yaml:3: 'a' stands twice, first in line 1",
    "a: 1\nb: [1\n\n": "f.yaml:2: no YAML: while parsing a flow sequence",
    "a: [1": "f.yaml:1: no YAML: while parsing a flow sequence",
    "a: 1\n b: c: d": "f.yaml:2: no YAML: mapping values are not allowed",
    "--- 1\n--- 2": "f.yaml:2: no YAML: expected a single document",
    "\n? [a]\n: b": "f.yaml:2: a key is a word or a number",
    "a: 1\nb: "
    + "[" * (MOST_LEVELS + 1)
    + "]" * (MOST_LEVELS + 1): "f.yaml:2: more than 40 levels",
    "a: \x00": "f.yaml: no YAML: unacceptable character",
    "a: 1e999": "f.yaml:1: 1e999 is no number that is read here",
    "a: " + "9" * 5000: "f.yaml:1: 99999999999999999999 is no number that is read here",
    "\ta: 1": "f.yaml:1: no YAML:",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:12].replace("\n", " "))
def test_what_is_no_file_of_settings_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        value(text)
    assert str(refused.value).startswith(REFUSED[text])
    assert "\n" not in str(refused.value)


def test_as_many_levels_as_are_said_are_read() -> None:
    assert value("[" * MOST_LEVELS + "]" * MOST_LEVELS)
    with pytest.raises(UsageError, match="more than 40 levels"):
        value("[" * (MOST_LEVELS + 1) + "]" * (MOST_LEVELS + 1))


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.yaml cannot be read: No such file"):
        read(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"a: \xff\xfe")
    with pytest.raises(UsageError, match=r"bytes\.yaml:1: it is no text in UTF-8"):
        read(tmp_path / "bytes.yaml")
    (tmp_path / "long.yaml").write_text("a" * (MOST_BYTES + 1))
    with pytest.raises(UsageError, match=r"1,000,001 bytes are no file of settings"):
        read(tmp_path / "long.yaml")


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=8)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.none() | st.booleans() | NUMBERS | WORDS | st.sampled_from(["on", "1e-4", "~", "*"])
TREES = st.recursive(
    LEAVES, lambda tree: st.lists(tree, max_size=3) | st.dictionaries(WORDS, tree, max_size=3)
)


@given(TREES)
def test_what_is_written_is_read_again(tree: Any) -> None:
    text = yaml.dump(tree, Dumper=Dumper, allow_unicode=True, sort_keys=False)
    assert repr(value(text)) == repr(tree)


def test_numbers_that_are_not_finite_are_not_read() -> None:
    assert value("[.inf, .nan]") == [".inf", ".nan"]  # words, which no field takes
    assert not math.isfinite(float("1e999"))
