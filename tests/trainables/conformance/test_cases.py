"""What parts are tried on."""

from __future__ import annotations

import random

from trainables.conformance import cases


def test_pythons_generator_is_as_it_was_too() -> None:
    before = random.getstate()
    with cases.global_seed(3):
        one = random.random()
    assert random.getstate() == before
    with cases.global_seed(3):
        assert random.random() == one
