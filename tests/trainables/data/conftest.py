"""What tests of data share: small data sets, and none remembered from the test before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from trainables import data

SMALL = {
    "imagenet": {"size": 16},
    "aircraft": {"size": 16},
    "caltech256": {"size": 8},
    "indoor67": {"size": 16},
    "retina": {"size": 16},
    "folder": {"size": 16},
    "spirals": {"points": 40},
    "word_problems": {"problems": 24},
    "paraphrases": {"pairs": 24},
    "commonsense_qa": {"tokenizer": "words"},
    "strategy_qa": {"rationales": 2, "tokenizer": "bytes"},
    "mrpc": {"tokenizer": "words"},
    "matrix_sensing": {"size": 6, "rank": 2, "measurements": 60},
    "ego_graphs": {"graphs": 30},
    "conceptual_captions": {"size": 16},
}
"""Options that keep a test's data set small."""


@pytest.fixture
def small() -> dict[str, dict[str, Any]]:
    return SMALL


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    data.forget()
    yield
    data.forget()
