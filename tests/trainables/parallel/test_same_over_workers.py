"""Every registered part: trials that have one name on 1 and 2 workers have one result on both.

The parts and their options come from the registries, so one that is added tomorrow is held to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import pytest

from tests.trainables.parallel.worker_pair import BASE, Pair, alone, compare
from trainables import methods, models
from trainables.config import TrialConfig
from trainables.data import augment
from trainables.errors import UsageError

FIELDS: dict[str, Any] = {
    **BASE,
    "data": {"source": "digits", "subset": 192, "validation": 48, "split_seed": 0},
    "model": {"name": "mlp", "widths": [8]},
    "optimizer": {"lr": 0.02},
}
UNEVEN = {
    "batch_size": 25,
    "drop_last": False,
}  # a worker has 12 samples or 13; the last ones 9, 10
NORMED = {"model": "resnet_tiny"}


def variants(package: Any, name: str) -> Iterator[dict[str, Any]]:
    """The part with its defaults, and with other values of its options: those listed, and 2."""
    yield {"name": name}
    for option, field in package.registry.schema(name).model_fields.items():
        if get_origin(field.annotation) is Literal:
            values = get_args(field.annotation)
        else:
            values = {bool: (True, False), int: (2,)}.get(field.annotation, ())
        yield from ({"name": name, option: value} for value in values if value != field.default)


def cases() -> Iterator[dict[str, Any]]:
    for name in methods.names():
        yield {"method": name, **NORMED}
        yield {"method": name, **NORMED, "workers": {"batchnorm": "sync"}}
        for variant in variants(methods, name):
            yield {"method": variant}
            yield {"method": variant, **UNEVEN}
    for name in methods.regularizers():
        yield {"method": "sam", "regularizers": [name]}
    for name in augment.registry.names():
        yield {"data": {**FIELDS["data"], "augmentation": [name]}}
    for name in models.names():
        if name.endswith("_tiny"):
            yield {"model": name}


def shared() -> dict[str, tuple[TrialConfig, TrialConfig]]:
    """The cases that are allowed and have one name on 1 and 2 workers: the trial on each."""
    assert TrialConfig(**FIELDS)  # so that what is refused below is refused for the case's sake
    found = {}
    for changes in cases():
        fields = {**FIELDS, "epochs": 1 if "model" in changes else 2, **changes}
        try:
            two = TrialConfig(**fields | {"workers": {**changes.get("workers", {}), "count": 2}})
            one = TrialConfig(**fields | {"workers": 1})
        except UsageError:
            continue
        if one.trial_id == two.trial_id:
            found[json.dumps(changes)] = one, two
    return found


SHARED = shared()


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.close()


@pytest.mark.parametrize("case", SHARED)
def test_one_name_is_one_result(pair: Pair, case: str) -> None:
    """Equal but for the order of sums: float64 rounding, 1e-16 a step, grows far less than 1e-9."""
    one, two = (config.model_dump(mode="json") for config in SHARED[case])
    answers = pair.run(two)
    trial, refused = None, None
    try:
        trial = alone(one)
    except UsageError as error:  # a method that the network does not suit, on both alike
        refused = f"UsageError: {error}"
    if trial is None:
        assert [answer["error"] for answer in answers] == [refused] * 2
    else:
        compare(answers, trial, 1e-9)


def test_nearly_every_part_shares_its_trials() -> None:
    """So that the test above is of something; what is missing draws noise of a worker's own, or
    is no mean over the batch (flooding)."""
    own = {"mixup", "adversarial", "flooding"}
    alone = [c["method"]["name"] for c in map(json.loads, SHARED) if c.keys() == {"method"}]
    assert set(alone) == set(methods.names()) - own
