"""What a paper's text and its authors' code say is declared once, as values of a part's options."""

from __future__ import annotations

import pytest

from tests.trainables.methods.oracle import case
from trainables import methods
from trainables.config import TrialConfig

DECLARED = {name: methods.registry.readings(name) for name in methods.names()}
TWO = sorted(name for name, readings in DECLARED.items() if readings)


def test_which_have_two() -> None:
    assert TWO == ["amp", "asam", "bsam", "infomcr", "mixup", "rmp", "rsam"]


@pytest.mark.parametrize("name", TWO)
def test_both_decide_the_same_options_and_are_others(name: str) -> None:
    text, code = DECLARED[name]["text"], DECLARED[name]["code"]
    assert DECLARED[name].keys() == {"text", "code"}
    assert text.keys() == code.keys()
    assert all(text[option] != code[option] for option in text)


@pytest.mark.parametrize("reading", ["text", "code"])
@pytest.mark.parametrize("name", TWO)
def test_a_reading_is_what_it_stands_for_and_is_not_kept(name: str, reading: str) -> None:
    values = DECLARED[name][reading]
    assert methods.registry.resolve(name, {"reading": reading}) == methods.registry.resolve(
        name, values
    )
    c = case("conv")
    assert c.gradient_of(methods.build(name, reading=reading), seed=3).equal(
        case("conv").gradient_of(methods.build(name, **values), seed=3)
    )


@pytest.mark.parametrize("name", [n for n in TWO if n != "rmp"])
def test_an_option_given_beside_it_wins(name: str) -> None:
    for option, value in DECLARED[name]["text"].items():
        if (name, option) == ("bsam", "posterior"):
            continue  # adaptive, which code_faithful excludes
        found = methods.registry.resolve(name, {"reading": "code", option: value})
        others = {k: v for k, v in DECLARED[name]["code"].items() if k != option}
        assert found == methods.registry.resolve(name, {**others, option: value})


def trial(method: object, **fields: object) -> TrialConfig:
    return TrialConfig(**{"method": method, "model": {"name": "resnet18"}, **fields})


def test_a_configuration_has_the_values_and_their_name() -> None:
    read = trial({"name": "rsam", "rho": 0.1, "reading": "code"})
    written = trial({"name": "rsam", "rho": 0.1, "code_faithful": True})
    assert read == written
    assert read.trial_id == written.trial_id
    assert "reading" not in read.canonical
    assert TrialConfig(**read.model_dump(mode="json")) == read
    mixed = trial("sam", regularizers=[{"name": "mixup", "reading": "code"}])
    assert mixed.regularizers[0].options["per"] == "sample"


def test_an_override_replaces_what_the_reading_stands_for() -> None:
    code = trial("amp").replace(**{"method.reading": "code"})
    assert code == trial({"name": "amp", "norm": "per_tensor", "clip": 50.0})
    assert code.replace(**{"method.reading": "text"}) == trial("amp")
    clipped = code.replace(**{"method.reading": "text", "method.clip": 50.0, "seed": 1})
    assert clipped == trial({"name": "amp", "clip": 50.0}, seed=1)
    other = code.replace(**{"method": "rsam", "method.reading": "code"})
    assert other == trial({"name": "rsam", "code_faithful": True})


def test_the_option_of_rmp_keeps_its_values_and_names() -> None:
    for given, kept in [("paper", "paper"), ("text", "paper"), ("code", "code")]:
        config = trial({"name": "rmp", "reading": given})
        assert config.method.options["reading"] == kept
        assert trial("rmp").replace(**{"method.reading": given}) == config
    with pytest.raises(ValueError, match="reading = 'papr': input should be 'paper' or 'code'"):
        methods.build("rmp", reading="papr")


def test_what_is_no_reading_is_refused_in_one_sentence() -> None:
    with pytest.raises(ValueError, match="'amp': reading = 'paper': allowed are 'text' and 'code'"):
        methods.build("amp", reading="paper")
    with pytest.raises(
        ValueError, match=r"'erm' has one reading, .* with two: amp, asam, "
    ) as error:
        trial({"name": "erm", "reading": "code"})
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=r"'mlp' has one reading, .* with two: gcn, gcn_tiny"):
        TrialConfig(model={"name": "mlp", "reading": "code"})
    with pytest.raises(ValueError, match="reading = \\['code'\\]: allowed"):
        methods.build("amp", reading=["code"])
