"""What a configuration is: complete, validated, and named by its content."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables import methods
from trainables.config import PROTOCOL_VERSION, TrialConfig, merge
from trainables.errors import UsageError
from trainables.trial_id import ADDED


def test_defaults_are_written_out_so_that_equal_trials_are_equal() -> None:
    plain = TrialConfig(method="sam")
    spelled = TrialConfig(method={"name": "sam", "rho": plain.method.options["rho"]}, seed=0)
    assert plain == spelled
    assert plain.trial_id == spelled.trial_id


def test_the_identity_does_not_depend_on_the_order_or_type_of_numbers() -> None:
    one = TrialConfig(epochs=5, optimizer={"lr": 1, "momentum": 0})
    two = TrialConfig(optimizer={"momentum": 0.0, "lr": 1.0}, epochs=5)
    assert one.trial_id == two.trial_id


ALWAYS = {"name": "infomcr", "start": 0.0}
"""Regularized from the first step on, so that it sees sub-batches alone."""


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"epochs": 11},
        {"method.rho": 0.051},
        {"data.validation": 0.2},
        {"data.augmentation": ["flip"]},
        {"regularizers": ["label_smoothing"]},
        {"model.widths": [8]},
        {"batchnorm": "all", "model": "resnet_tiny"},
        {"batchnorm": "separate", "model": "resnet_tiny", "method": "nso"},
        {"batchnorm_parts": 4, "model": "resnet_tiny"},
        {"schedule": {"name": "plateau", "watch": "clean", "patience": 1}},
        {"precision": "float64"},
        {"schedule.warmup_epochs": 1},
        {"optimizer.nesterov": True},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_changes_numbers_changes_the_identity(change: dict[str, object]) -> None:
    config = TrialConfig(method=change.get("method", "sam"), model=change.get("model", "mlp"))
    assert config.replace(**change).trial_id != config.trial_id


def test_the_identity_is_the_same_in_every_process() -> None:
    code = "from trainables.config import TrialConfig; print(TrialConfig(method='amp').trial_id)"
    command = [sys.executable, "-c", code]
    elsewhere = subprocess.run(command, capture_output=True, text=True, check=True)
    assert elsewhere.stdout.strip() == TrialConfig(method="amp").trial_id


def test_a_changed_protocol_version_is_not_accepted() -> None:
    assert json.loads(TrialConfig().canonical)["protocol"] == PROTOCOL_VERSION
    older = PROTOCOL_VERSION - 1
    with pytest.raises(ValueError, match=f"protocol = {older}"):
        TrialConfig(protocol=older)


def test_a_copy_has_a_name_of_its_own() -> None:
    config = TrialConfig()
    assert config.trial_id != config.model_copy(update={"seed": 5}).trial_id
    assert config.model_copy(update={"seed": 5}).trial_id == TrialConfig(seed=5).trial_id
    assert config.model_copy().trial_id == config.trial_id


def test_a_configuration_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        TrialConfig().seed = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"batchnorm_parts": 256}, "batchnorm_parts = 256 exceeds batch_size = 128"),
        (
            {"batchnorm_parts": 4, "method": {"name": "nrs", "num_devices": 4}},
            "each of the 4 parts of a batch that method 'nrs' makes has statistics of its own",
        ),
        (
            {"batchnorm_parts": 4, "model": "resnet_tiny", "method": ALWAYS},
            "each of the 8 parts of a batch that method 'infomcr' makes has statistics of its own",
        ),
        ({"optimizer": {"lr": -1}}, r"optimizer\.lr = -1: input should be greater than 0"),
        ({"optimizer": {"lr": float("nan")}}, r"optimizer\.lr = nan: .*finite"),
        ({"optimizer": {"name": "lion"}}, "should be 'sgd', 'adam' or 'adamw'"),
        ({"method": {"name": "amp", "epsilonn": 1}}, r"did you mean 'epsilon'\?"),
        ({"method": {"name": "nso", "sigma": float("inf")}}, "sigma = inf"),
        ({"data": {"source": "digit"}}, r"unknown data set 'digit' \(did you mean 'digits'\?\)"),
        ({"data": {"augmentation": ["flop"]}}, r"did you mean 'flip'\?"),
        ({"seed": -1}, "seed = -1: input should be greater than or equal to 0"),
        ({"batch_size": 0}, "batch_size = 0"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(
    fields: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence) as error:
        TrialConfig(**fields)
    assert "\n" not in str(error.value)


def test_flat_has_a_scalar_a_leaf() -> None:
    flat = TrialConfig(method="sam").flat()
    assert flat["method.name"] == "sam"
    assert flat["optimizer.lr"] == 0.1
    assert not [value for value in flat.values() if isinstance(value, dict)]


leaves = st.dictionaries(
    st.sampled_from(["a", "b.c", "b.d", "e.f.g"]), st.integers() | st.text(max_size=3), max_size=4
)


@settings(max_examples=50, deadline=None)
@given(leaves, leaves)
def test_merge_lets_the_later_value_win_and_changes_neither_argument(
    base: dict[str, object], overrides: dict[str, object]
) -> None:
    tree = merge({}, base)
    kept = json.dumps(tree)
    assert merge(tree, overrides) == merge({}, {**base, **overrides})
    assert json.dumps(tree) == kept


def test_merge_finds_one_of_several_parts_by_its_name() -> None:
    base = {"data.augmentation": ("flip", {"name": "cutout", "size": 16})}
    options = {"data.augmentation.cutout.size": 8, "data.augmentation.flip.probability": 0.1}
    changed = [{"name": "flip", "probability": 0.1}, {"name": "cutout", "size": 8}]
    tree = merge({}, base)
    assert merge(tree, options)["data"]["augmentation"] == changed
    assert merge({}, {**base, **options})["data"]["augmentation"] == changed
    assert tree == merge({}, base)


@pytest.mark.parametrize("given", [("flip",), ("pad_crop", "pad_crop")])
def test_merge_refuses_a_part_that_is_not_there_or_there_twice(given: tuple[str, ...]) -> None:
    path = "data.augmentation.pad_crop.fill"
    with pytest.raises(UsageError, match=f"{path}: there must be one 'pad_crop'") as error:
        merge({"data": {"augmentation": given}}, {path: "zero"})
    assert str(list(given)) in str(error.value)


def test_an_option_added_later_leaves_the_name_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the value that stands for what was done before, it is shown and not hashed."""
    config = TrialConfig(method="sam", model="resnet_tiny", batchnorm="all")
    before = json.loads(config.canonical)
    monkeypatch.setitem(methods.registry._added, "sam", {"rho": config.method.options["rho"]})
    monkeypatch.setitem(ADDED, "optimizer.nesterov", False)
    monkeypatch.setitem(ADDED, "batchnorm", "clean")
    same = TrialConfig(method="sam", model="resnet_tiny", batchnorm="all")
    named = json.loads(same.canonical)
    assert "rho" not in named["method"]
    assert "nesterov" not in named["optimizer"]
    assert named["batchnorm"] == before["batchnorm"] == "all"
    assert same.flat() == config.flat()
    other = same.replace(**{"method.rho": 0.2, "optimizer.nesterov": True})
    assert json.loads(other.canonical)["method"]["rho"] == 0.2
    assert json.loads(other.canonical)["optimizer"]["nesterov"] is True


LATER = [
    ("method", "asam", "scaled"),
    ("model", "mlp", "outputs"),
    ("model", "mlp_tiny", "outputs"),
]
"""Options that came after trials were recorded."""


@pytest.mark.parametrize(("kind", "part", "option"), LATER)
def test_a_later_option_is_in_no_older_trials_name(kind: str, part: str, option: str) -> None:
    config = TrialConfig(**{kind: part})
    assert option in getattr(config, kind).options
    assert option not in json.loads(config.canonical)[kind]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"data": 3, "data.subset": 1}, "data.subset: data is 3, which has no fields"),
        ({"data": {"augmentation": []}, "data.augmentation.cutout": 1}, "write the whole list"),
        ({"regularizers": [3], "regularizers.mixup.alpha": 1}, "there must be one 'mixup'"),
        ({"regularizers": [{}], "regularizers.mixup.alpha": 1}, "there must be one 'mixup'"),
    ],
)
def test_merge_refuses_a_path_through_a_value(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        merge({}, given)
