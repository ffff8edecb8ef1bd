"""Losses of structures over two gloo processes are those of one; the contrastive one, which is more
than a mean over samples, as well."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from tests.trainables.parallel.worker_pair import EXECUTION, Pair
from tests.trainables.tasks import stand_ins
from trainables.config import TrialConfig
from trainables.train import Trial

CLOSE = 1e-9
"""float64 and a few steps: another order of sums."""

METHODS = {
    "erm": {},
    "sam": {"method": "sam"},
    "nso": {"method": "nso"},
    "fa": {"method": {"name": "fa", "num_probes": 1, "lam": 0.1}},
    "flooding": {"regularizers": [{"name": "flooding", "level": 3.0}]},
    "uneven": {"batch_size": 7, "drop_last": False},
    "one sample more": {"data.subset": 41, "drop_last": False},
}


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    made = Pair()
    with stand_ins.registered():
        yield made
    made.close()


def configured(kind: str, case: str) -> TrialConfig:
    return TrialConfig(**stand_ins.fields(kind, epochs=2)).replace(**METHODS[case])


def compare(pair: Pair, config: TrialConfig) -> None:
    alone = Trial(config, EXECUTION)
    while not alone.finished:
        alone.run_epoch()
    fields = config.replace(workers=2).model_dump(mode="json")
    answers = pair.run(fields, parts=stand_ins.__name__)
    for answer in answers:
        assert "error" not in answer, answer
        for name, value in alone.model.state_dict().items():
            torch.testing.assert_close(answer["weights"][name], value, rtol=CLOSE, atol=CLOSE)
        for name, curve in alone.history.items():
            expected = pytest.approx(curve, rel=CLOSE, abs=CLOSE, nan_ok=True)
            assert answer["history"][name] == expected, name


@pytest.mark.parametrize("case", METHODS)
def test_two_workers_train_the_contrastive_loss_of_one(pair: Pair, case: str) -> None:
    compare(pair, configured("contrastive", case))


@pytest.mark.parametrize("kind", [k for k in stand_ins.OF_TASK if k not in ("contrastive", "mse")])
def test_two_workers_train_structures_as_one(pair: Pair, kind: str) -> None:
    compare(pair, configured(kind, "uneven"))


def test_the_negatives_are_of_all_workers(pair: Pair) -> None:
    """Without them the running loss would be of half a batch: at most log 4 where nothing is
    learnt, and log 8 of the whole."""
    config = TrialConfig(**stand_ins.fields("contrastive", workers=2, optimizer={"lr": 1e-9}))
    (first, _) = pair.run(config.model_dump(mode="json"), parts=stand_ins.__name__)
    alone = Trial(config.replace(workers=1), EXECUTION)
    expected = alone.run_epoch()["running_train_loss"]
    assert first["history"]["running_train_loss"][0] == pytest.approx(expected, rel=1e-6)
