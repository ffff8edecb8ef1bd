"""Examples that all differ."""

from __future__ import annotations

import pytest

from trainables.data.text.drawn import Draws, different
from trainables.errors import UsageError


def letter(draws: Draws) -> str:
    return draws.one("abcdef")


def test_they_differ_and_depend_on_the_seed_alone() -> None:
    found = [different(letter, 6, draw, "letters") for draw in range(20)]
    assert all(sorted(letters) == list("abcdef") for letters in found)
    assert found == [different(letter, 6, draw, "letters") for draw in range(20)]
    assert len({tuple(letters) for letters in found}) > 1


def test_more_are_the_same_and_others_after_them() -> None:
    assert different(letter, 6, 0, "letters")[:3] == different(letter, 3, 0, "letters")


def test_more_than_there_are_is_refused() -> None:
    with pytest.raises(UsageError, match="only about 6 different examples, and 7 are needed"):
        different(letter, 7, 0, "letters")
