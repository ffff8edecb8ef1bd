"""Two gloo processes that share a trial of pairs, or of graphs, do what one process does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.trainables.parallel.worker_pair import BASE, Pair, alone, compare
from trainables.config import TrialConfig

TRIALS: dict[str, dict[str, Any]] = {
    "pairs": {
        "data": {"source": "captioned_digits", "subset": 70, "validation": 10, "split_seed": 0},
        "model": "clip_tiny",
        "loss": "contrastive",
        "optimizer": {"name": "adamw", "lr": 0.003},
    },
    "graphs": {
        "data": {"source": "ego_graphs", "subset": 100, "validation": 10, "split_seed": 0},
        "model": "gcn_tiny",
        "optimizer": {"lr": 0.1},
    },
}


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.close()


@pytest.mark.parametrize("method", ["erm", "nso", "sam"])
@pytest.mark.parametrize("kind", TRIALS)
def test_two_workers_give_the_numbers_of_one(pair: Pair, kind: str, method: str) -> None:
    """Equal but for the order of sums: a contrastive loss has all pairs of the batch in it.

    Adam divides by the root of small second moments, which makes of 1e-16 a step some 1e-12.
    """
    single = {**BASE, **TRIALS[kind], "method": method, "batch_size": 30, "drop_last": False}
    together = {**single, "workers": 2}
    compare(pair.run(together), alone(single), 1e-9)
    assert TrialConfig(**together).trial_id == TrialConfig(**single).trial_id
