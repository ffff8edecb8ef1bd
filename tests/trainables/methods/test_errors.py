"""What cannot be right is refused in one sentence that names what is allowed."""

import math

import pytest

from tests.trainables.methods.known import REGULARIZERS
from tests.trainables.methods.references import OPTIONS
from trainables import methods
from trainables.config import TrialConfig


@pytest.mark.parametrize(
    ("name", "near"), [("sma", "sam"), ("NSO", "nso"), ("flodding", "flooding")]
)
def test_unknown_name(name, near):
    with pytest.raises(ValueError, match=f"unknown method '{name}'.*known: .*{near}"):
        methods.build(name)


@pytest.mark.parametrize("name", methods.names())
def test_misspelt_hyper_parameter(name):
    with pytest.raises(ValueError, match=f"unknown option of method '{name}' 'rhoo'"):
        methods.build(name, rhoo=0.1)


SCALARS = [
    (name, option)
    for name in methods.names()
    for option, default in methods.registry.resolve(name, {}).items()
    if isinstance(default, int | float) and not isinstance(default, bool)
]


@pytest.mark.parametrize(("name", "option"), SCALARS)
@pytest.mark.parametrize("value", [-1, math.nan, math.inf, "much", None])
def test_out_of_range(name, option, value):
    optional = {("amp", "clip"), ("infomcr", "start"), ("l2_sp", "head_lam")}
    assert (name, option) not in optional, "optional hyper-parameters have default None"
    with pytest.raises(ValueError, match=f"method '{name}': {option} = "):
        methods.build(name, **{option: value})


CHOICES = [
    ("amp", "norm"), ("nrs", "scale"), ("nrs", "ball"), ("nrs", "loss"), ("nso", "distribution"),
    ("rmp", "reading"), ("bsam", "posterior"), ("infomcr", "phases"), ("infomcr", "statistics"),
    ("fa", "form"), ("fa", "distribution"), ("mixup", "per"), ("label_smoothing", "convention"),
    ("sam", "perturbation"), ("l2_sp", "scope"), ("nso", "sigma_schedule"),
    ("asam", "scaled"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "option"), CHOICES)
def test_unknown_choice_names_the_allowed(name, option):
    allowed = methods.registry.resolve(name, {})[option]
    with pytest.raises(ValueError, match=f"{option} = 'else'.*'{allowed}'"):
        methods.build(name, **{option: "else"})


@pytest.mark.parametrize(("name", "option"), [("amp", "clip"), ("infomcr", "start")])
def test_optional_hyper_parameters(name, option):
    methods.build(name, **{option: None})
    methods.build(name, **{option: 0.5})
    with pytest.raises(ValueError, match=option):
        methods.build(name, **{option: -0.5})


def test_a_rule_is_no_regularizer():
    with pytest.raises(ValueError, match=r"'sam' is an update rule.*flooding"):
        methods.build("nso", regularizers=["sam"])
    with pytest.raises(ValueError, match="unknown method 'mixap'"):
        methods.build("nso", regularizers=[{"name": "mixap"}])
    with pytest.raises(ValueError, match="alpha = -1"):
        methods.build("nso", regularizers=[("mixup", {"alpha": -1})])


def test_a_trial_refuses_a_rule_as_regularizer():
    with pytest.raises(ValueError, match=r"'sam' is an update rule"):
        TrialConfig(regularizers=["sam"])
    assert TrialConfig(regularizers=["mixup"]).regularizers[0].options["alpha"] == 1.0


def test_batchnorm_switch():
    with pytest.raises(
        ValueError, match="batchnorm = 'none': allowed are 'clean', 'all', 'separate'"
    ):
        methods.build("sam", batchnorm="none")


def test_bsam_combinations():
    for options in ({"sigma": 0}, {"code_faithful": True}):
        with pytest.raises(ValueError, match="posterior = 'adaptive' needs"):
            methods.build("bsam", posterior="adaptive", **options)


def test_mixup_twice():
    from tests.trainables.methods.oracle import case

    with pytest.raises(ValueError, match="'mixup' is given twice"):
        case("mlp").gradient_of(methods.build("mixup", regularizers=["mixup"]))


@pytest.mark.parametrize("name", methods.names())
def test_every_method_documents_every_hyper_parameter(name):
    told = methods.registry.get(name).__doc__
    for option in methods.registry.resolve(name, {}):
        forms = (f"{option}:", f"{option}, ", f", {option}")
        assert any(form in told for form in forms), f"{option} is not in the docstring"


def test_case_lists_name_only_real_options():
    for name, cases in OPTIONS.items():
        for options in cases:
            methods.registry.resolve(name, options)
    assert set(OPTIONS) | set(REGULARIZERS) <= set(methods.names())
