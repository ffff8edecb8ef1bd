"""Options whose effect depends on the rest of the trial: refused where they change nothing."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from trainables import needs
from trainables.config import Component, Data, Optimizer, Schedule, TrialConfig, Workers, merge
from trainables.execution import Execution
from trainables.methods.rules import infomcr
from trainables.models import registry as models
from trainables.needs import Needs, OfTrial, declared
from trainables.train import Trial

BASE: dict[str, Any] = {
    "data.subset": 64, "model": "mlp_tiny", "epochs": 3, "batch_size": 16, "precision": "float64",
}  # fmt: skip
NORMED = {"model": "vgg_tiny"}
ADAM = {"optimizer": {"name": "adam", "lr": 0.01}}
STEP = {"schedule": {"name": "step", "milestones": [1]}}
STILL = {"optimizer.lr": 1e-9, "drop_last": False}  # every epoch's loss is that of the one before
PLATEAU = {**STILL, "schedule": {"name": "plateau", "patience": 1}, "epochs": 6}
# Between the images as they are and as dropout leaves them, the losses differ by far.
RISING = {**PLATEAU, "model": {"name": "mlp_tiny", "dropout": 0.9}}
FACTORS = {
    "data.source": {"name": "matrix_sensing", "size": 4, "rank": 1, "measurements": 80},
    "model": "factorization", "loss": "mse", "optimizer.lr": 1e-3,
}  # fmt: skip

# field: a value, trials in which it can have no effect, one in which it has
FIELDS: dict[str, tuple[Any, list[dict[str, Any]], dict[str, Any]]] = {
    "optimizer.momentum": (0.5, [ADAM], {}),
    "optimizer.nesterov": (True, [ADAM], {}),
    "optimizer.betas": ((0.5, 0.9), [{}], ADAM),
    "optimizer.eps": (0.1, [{}], ADAM),
    "optimizer.amsgrad": (True, [{}], {**ADAM, "optimizer.lr": 0.1}),
    "optimizer.decay": ("weights", [FACTORS], {"optimizer.weight_decay": 0.5}),
    "schedule.name": (
        "constant",
        [{"schedule.warmup_epochs": 3}, {"schedule.warmup_epochs": 5}],
        {},
    ),
    "schedule.milestones": ((1.0,), [{}, {"schedule.name": "constant"}], {}),
    "schedule.gamma": (0.5, [{}, {"schedule.name": "constant"}], STEP),
    "schedule.patience": (2, [{}, STEP], PLATEAU),
    "batchnorm": ("all", [{"method": "sam"}, NORMED], {**NORMED, "method": "sam"}),
    "batchnorm_parts": (4, [{}, {"method": "sam"}], NORMED),
    "schedule.watch": ("clean", [{}, STEP], RISING),
    "workers.batchnorm": ("sync", [NORMED], {**NORMED, "workers.count": 2}),
}


def config(changes: dict[str, Any]) -> TrialConfig:
    return TrialConfig(**merge({}, {**BASE, **changes}))


def injected(trial: TrialConfig, path: str, value: Any) -> TrialConfig:
    """``trial`` with another value of a field or of an option, which nothing has checked."""
    part, _, leaf = path.rpartition(".")
    if not part:
        return trial.model_copy(update={leaf: value})
    old = getattr(trial, part)
    if isinstance(old, Component):
        new: Any = Component(**{**old.model_dump(), leaf: value})
    else:
        new = old.model_copy(update={leaf: value})
    return trial.model_copy(update={part: new})


def trained(trial: TrialConfig) -> dict[str, torch.Tensor]:
    training = Trial(trial, Execution(device="cpu", threads=1))
    while not training.finished:
        training.run_epoch()
    return training.model.state_dict()


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def sections() -> Iterator[tuple[str, Any]]:
    yield from (("optimizer.", Optimizer), ("schedule.", Schedule), ("workers.", Workers))
    yield from (("data.", Data), ("", TrialConfig))


def test_every_field_with_a_need_is_tried() -> None:
    found = {
        prefix + name
        for prefix, section in sections()
        for kind in (Needs, OfTrial)
        for name, _ in declared(section, kind)
    }
    assert found == set(FIELDS)


@pytest.mark.parametrize("path", FIELDS)
def test_a_field_is_refused_where_it_changes_nothing(path: str) -> None:
    value, without, _ = FIELDS[path]
    for changes in without:
        with pytest.raises(ValueError, match=f"{path.rpartition('.')[2]} = .* would have no eff"):
            config({**changes, path: value})
        plain = config(changes)
        assert equal(trained(injected(plain, path, value)), trained(plain)), changes


@pytest.mark.parametrize("path", FIELDS)
def test_a_field_is_accepted_where_it_changes_something(path: str) -> None:
    value, _, changes = FIELDS[path]
    extra = {"schedule.name": "step"} if path == "schedule.milestones" else {}
    one, other = config({**changes, **extra, path: value}), config(changes)
    assert one.trial_id != other.trial_id
    if one.workers.count == 1:
        assert not equal(trained(one), trained(other))


@pytest.mark.parametrize(
    "schedule",
    [
        {"name": "step", "milestones": [3, 7]},
        {"name": "plateau", "patience": 1},
        {"name": "plateau"},
    ],
)
def test_a_schedule_that_never_falls_is_refused(schedule: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"schedule\.\w+ = .* would have no effect: it needs"):
        config({"schedule": schedule})
    plain = config({"schedule.name": "constant"})
    given = injected(plain, "schedule", Schedule(**schedule))
    assert equal(trained(given), trained(plain))


def test_a_plateau_falls_as_soon_as_it_is_accepted() -> None:
    falling = {**STILL, "schedule": {"name": "plateau", "patience": 1}, "epochs": 4}
    constant = config({**falling, "schedule": {"name": "constant"}})
    assert not equal(trained(config(falling)), trained(constant))


def test_a_pass_of_its_own_for_the_statistics_is_refused_where_the_first_is_that_pass() -> None:
    """Also by its own condition on the model: without BatchNorm there is nothing to move."""
    for changes in (NORMED, {"method": "nso"}, {**NORMED, "method": "sam"}):
        with pytest.raises(ValueError, match="batchnorm = 'separate' would have no effect"):
            config({**changes, "batchnorm": "separate"})
        plain = config(changes)
        assert equal(trained(injected(plain, "batchnorm", "separate")), trained(plain))
    noisy = {**NORMED, "method": {"name": "nso", "sigma": 0.1}}
    assert not equal(trained(config({**noisy, "batchnorm": "separate"})), trained(config(noisy)))


# -- options of methods that depend on the trial --------------------------------------------------

WITHOUT: dict[OfTrial, dict[str, Any]] = {
    needs.SEVERAL_WORKERS: {},
    needs.SEVERAL_IMAGES: {"batch_size": 1, "data.subset": 8, "data.validation": 0},
    needs.DROPOUT: {},
    needs.VECTORS: FACTORS,
    needs.SEVERAL_TENSORS: FACTORS,
    infomcr.OWN_STATISTICS: STEP,
}
VALUES: dict[str, Any] = {
    "perturbation": "local", "num_devices": 4, "num_splits": 4, "dropout": "independent",
    "perturb": "weights", "scope": "weights", "norm": "per_tensor", "head_lam": 0.5,
    "statistics": "full_batch", "scale": "relative_per_tensor",
}  # fmt: skip
PARTS = [
    (name, option, need)
    for name in importlib.import_module("trainables.methods").names()
    for option, need in declared(
        importlib.import_module("trainables.methods").registry.schema(name), OfTrial
    )
]


@pytest.mark.parametrize(("name", "option", "need"), PARTS, ids=lambda p: getattr(p, "words", p))
def test_an_option_of_a_method_is_refused_where_it_changes_nothing(
    name: str, option: str, need: OfTrial
) -> None:
    """To the bit, but for InfoMCR's pass over the whole batch: another order of sums."""
    same = need if need in WITHOUT else needs.SEVERAL_TENSORS  # of NRS's scale
    changes = {**WITHOUT[same], **(STEP if name == "infomcr" else {}), "method": {"name": name}}
    with pytest.raises(ValueError, match=f"{option} = .* would have no effect"):
        config({**changes, f"method.{option}": VALUES[option]})
    plain = config(changes)
    one, other = trained(injected(plain, f"method.{option}", VALUES[option])), trained(plain)
    for key, value in one.items():
        tolerance = 1e-9 if option == "statistics" else 0.0
        torch.testing.assert_close(value, other[key], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("options", "schedule"),
    [
        ({}, {}),
        ({}, {"name": "constant"}),
        ({"phases": "001"}, {"name": "step", "milestones": [1]}),
        ({"start": 1.0}, {"name": "step", "milestones": [1]}),
    ],
)
def test_infomcr_that_never_begins_is_refused(
    options: dict[str, Any], schedule: dict[str, Any]
) -> None:
    """It would be ERM bit for bit."""
    changes = {f"schedule.{key}": value for key, value in schedule.items()}
    with pytest.raises(ValueError, match=r"'infomcr' would have no effect: .*method\.start"):
        config({**changes, "method": {"name": "infomcr", **options}})
    plain = config(changes)
    given = Component(name="infomcr", **options).resolved("methods")
    assert equal(trained(injected(plain, "method", given)), trained(plain))
    begun = {**changes, "method": {"name": "infomcr", "start": 0.5, "alpha": 0.05}}
    assert not equal(trained(config(begun)), trained(plain))


def test_mixup_of_a_single_image_is_refused() -> None:
    with pytest.raises(ValueError, match="'mixup' would have no effect: it needs batch_size"):
        config({"regularizers": ["mixup"], "batch_size": 1})


@pytest.mark.parametrize("name", ["sam", "nso", "amp", "nrs", "fa"])
def test_a_strength_of_zero_is_allowed_with_what_stands_beside_it(name: str) -> None:
    zero = {"sam": "rho", "nso": "sigma", "amp": "epsilon", "nrs": "epsilon", "fa": "lam"}[name]
    beside = {"amp": {"inner_steps": 2}, "nrs": {"loss": "averaged"}, "fa": {"num_probes": 1}}
    config({"method": {"name": name, zero: 0, **beside.get(name, {})}})


@pytest.mark.parametrize(
    "fields",
    [
        {"method": {"name": "infomcr", "start": 0.3}},
        {"method": {"name": "bsam", "posterior": "adaptive", "beta1": 0.8}},
        {"model": "vgg_tiny", "method": {"name": "sam", "perturbation": "local"}, "workers": 2},
        {**ADAM, "optimizer.amsgrad": True},
        STEP,
    ],
)
def test_what_is_accepted_is_accepted_again_when_it_is_read_back(fields: dict[str, Any]) -> None:
    """Completed with its defaults, as results keep it and `replace` makes it."""
    made = config(fields)
    assert TrialConfig(**made.model_dump(mode="json")) == made.replace(seed=0) == made


def test_an_undeclared_model_is_taken_to_have_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(models._layers, "mlp_tiny")
    config({"method": {"name": "sam"}, "batchnorm": "all"})
