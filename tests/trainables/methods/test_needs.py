"""Options of methods are refused where they change nothing, and accepted nowhere else."""

from functools import cache
from typing import Annotated, Literal, get_args, get_origin

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn
from torch.nn import functional

from tests.trainables.methods.known import LOUD, REGULARIZERS
from tests.trainables.methods.oracle import flat, generator
from trainables import methods
from trainables.config import TrialConfig
from trainables.methods import Progress

SCHEDULE = {"name": "step", "milestones": [1, 2]}
STEPS = 3  # an epoch each
TRIAL = TrialConfig(
    model={"name": "vgg_tiny", "conv_dropout": 0.1}, batch_size=6, schedule=SCHEDULE, epochs=STEPS
)
"""What `network` is to the declarations: BatchNorm, dropout, vectors and matrices, one worker."""

STRENGTHS = {**LOUD, "amp": {"epsilon": 0.02}, "fa": {"lam": 0.5, "num_probes": 1}}
CANDIDATES = (True, False, 2, 0.37, 1.9, (2.0,))
CHOSEN = {  # where a candidate of the type would not act on this batch, although it can
    ("amp", "clip"): [0.1],  # only on longer gradients
    ("amp", "epsilon"): [0.03],  # above, no gradient leaves the ball
    ("amp", "inner_lr"): [0.01],  # above, the ball's radius decides
    ("adversarial", "epsilon"): [0.05],  # above, the step decides
    ("flooding", "level"): [0.01],  # only in which side of it the loss lies
    ("bsam", "damping"): [9.0],  # at 1e-3 a step
}
ROUNDING = {  # the same function of the batch, in another order of sums
    ("infomcr", "split"): "the sub-batch of a single one is the batch",
}


EXCEPT = {  # neither accepted for an effect nor refused for the lack of one
    ("bsam", "code_faithful", "posterior"): "contradictory: two rules",
    ("amp", "inner_lr", "norm"): "so short a step stays in the ball, and no norm is asked",
    ("asam", "perturb", "scaled"): "here every matrix has weight in its name; a ViT has others",
}


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1, bias=False), nn.BatchNorm2d(2), nn.Tanh(), nn.Dropout(0.2),
        nn.Flatten(), nn.Linear(18, 5), nn.Tanh(), nn.Linear(5, 3),
    ).double()  # fmt: skip


def trained(name, options):
    """Weights, gradients and statistics over some steps, the rate falling after the first two.

    The part is made directly: nothing is refused.
    """
    return _trained(name, tuple(sorted(complete(name, options).items())))


@cache
def _trained(name, items):
    options = dict(items)
    part = methods.registry.get(name)(**options)
    method = part
    if name in REGULARIZERS:
        method = methods.build("erm").compose(regularizers=(part,))
    model, draws = network(), generator(1)
    inputs = torch.randn(6, 1, 3, 3, dtype=torch.float64, generator=draws)
    targets = torch.randint(3, (6,), generator=draws)
    seen = []
    method.begin(model)
    for step in range(STEPS):
        torch.manual_seed(step)  # dropout
        method.advance(Progress(step, STEPS, step, STEPS, TRIAL.schedule.drops(step, STEPS)))
        method.gradient(model, functional.cross_entropy, inputs, targets, generator=generator(step))
        with torch.no_grad():
            for p in model.parameters():
                seen.append(p.grad.reshape(-1).clone())
                p -= (0.01 if options.get("posterior") == "adaptive" else 0.1) * p.grad
    return flat([*seen, *model.parameters(), *(b.double() for b in model.buffers())])


def alternatives(name, option):
    """Values of an option, other than its default, that its annotation allows."""
    field = methods.registry.schema(name).model_fields[option]
    kind = TypeAdapter(Annotated[field.annotation, "", *field.metadata])
    names = [v for t in (field.annotation, *get_args(field.annotation)) for v in literals(t)]
    for value in CHOSEN.get((name, option), [*names, *(() if names else CANDIDATES)]):
        try:
            allowed = kind.validate_python(value, strict=True)
        except ValidationError:
            continue
        if allowed != field.default:
            yield allowed


def literals(kind):
    return get_args(kind) if get_origin(kind) is Literal else ()


def contexts(name):
    """The defaults, and each discrete option at each other value, where that is accepted."""
    yield {}
    for option, field in methods.registry.schema(name).model_fields.items():
        continuous = field.annotation is float or isinstance(field.default, tuple)
        for value in () if continuous else alternatives(name, option):
            if accepted(name, {option: value}):
                yield {option: value}


def complete(name, options):
    schema = methods.registry.schema(name)
    defaults = {option: field.default for option, field in schema.model_fields.items()}
    return {**defaults, **STRENGTHS.get(name, {}), **options}


def accepted(name, options):
    options = complete(name, options)
    try:
        methods.registry.build(name, **options)
    except ValueError:
        return False
    return not methods.registry.idle(name, options, TRIAL)


def idle(name, options):
    """Whether one of ``options`` at its default gives the same bits."""
    given = trained(name, options)
    for option in options:
        others = trained(name, {key: options[key] for key in options if key != option})
        if torch.equal(given, others):
            return True
        if (name, option) in ROUNDING and torch.allclose(given, others, rtol=1e-9, atol=1e-9):
            return True
    return False


@pytest.mark.parametrize("name", methods.names())
def test_an_option_is_accepted_where_and_only_where_it_changes_something(name):
    """Every value of every option, alone and beside every value of every other discrete one."""
    for context in contexts(name):
        for option in methods.registry.schema(name).model_fields.keys() - context.keys():
            for value in alternatives(name, option):
                options = {**context, option: value}
                if (name, *sorted(options)) not in EXCEPT:
                    assert accepted(name, options) != idle(name, options), options


@pytest.mark.parametrize("name", methods.names())
def test_every_option_has_a_value_that_is_tried(name):
    for option in methods.registry.schema(name).model_fields:
        assert list(alternatives(name, option)), option
