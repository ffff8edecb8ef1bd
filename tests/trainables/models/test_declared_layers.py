"""Networks are what they declare, and have no option that can do nothing."""

from __future__ import annotations

import inspect
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from trainables import models
from trainables.conformance.kinds import KINDS
from trainables.models import Layers, registry
from trainables.structures import tensors

BASES = {  # the smallest networks; a variant's options are those of the large one
    name
    for name in models.names()
    if name.endswith("_tiny") or name in ("resnet8", "factorization")
}
LAYER_OPTIONS = {"dropout": 0.5, "conv_dropout": 0.5, "attention_dropout": 0.5, "batchnorm": False}


def shape(name: str) -> tuple[int, tuple[int, ...]]:
    """(classes, shape of an input) that the network takes."""
    return (1, (1, 4, 4)) if name == "factorization" else (3, (2, 16, 16))


def given(name: str) -> dict[str, Any]:
    """What the network takes of a data set, beside its options."""
    classes, size = shape(name)
    own = KINDS.get(registry.fit(name).inputs)
    every = {
        "num_classes": classes,
        "input_shape": size,
        "spec": own and dict(own.spec),
    }
    return {
        key: every[key] for key in inspect.signature(registry.get(name)).parameters.keys() & every
    }


def inputs_of(name: str) -> Any:
    """Four of its inputs."""
    own = KINDS.get(registry.fit(name).inputs)
    if own is not None:
        return own.batch(4, torch.float64)
    return torch.randn(4, *shape(name)[1], dtype=torch.float64)


def passed(model: nn.Module, inputs: Any) -> torch.Tensor:
    """All outputs in one vector."""
    return torch.cat([tensor.flatten() for tensor in tensors(model(inputs))])


def built(name: str, options: dict[str, Any]) -> nn.Module:
    """With the options as they are: nothing is refused."""
    torch.manual_seed(0)
    model = registry.get(name)(**given(name), **options)
    assert isinstance(model, nn.Module)
    return model.double()


@torch.no_grad()
def filled(model: nn.Module) -> nn.Module:
    """``model`` with other weights: a classifier may start at zero, and scales at one."""
    for parameter in model.parameters():
        parameter.add_(torch.linspace(-0.5, 0.5, parameter.numel()).view_as(parameter))
    return model


def kinds(name: str) -> list[dict[str, Any]]:
    known = registry.schema(name).model_fields
    return [{}, *({option: v} for option, v in LAYER_OPTIONS.items() if option in known)]


@pytest.mark.parametrize("name", models.names())
def test_every_network_declares_its_layers(name: str) -> None:
    assert isinstance(models.layers(name, registry.resolve(name, {})), Layers)


@pytest.mark.parametrize("name", models.names())
def test_the_declaration_is_true_of_the_network(name: str) -> None:
    """With each option that adds or removes layers. Dropout is what makes two passes differ."""
    known = given(name)
    if name != "factorization" and "input_shape" in known:
        known["input_shape"] = (3, 32, 32)
    for options in kinds(name):
        declared = models.layers(name, registry.resolve(name, options))
        assert declared is not None
        with torch.device("meta"):
            model = registry.get(name)(**known, **registry.resolve(name, options))
        parameters = list(model.parameters())
        assert declared.batchnorm == any(isinstance(m, _NormBase) for m in model.modules())
        assert declared.vectors == any(p.dim() < 2 for p in parameters)
        assert declared.several_tensors == (len(parameters) > 1)
        assert declared.dropout == _drops(model)


def _drops(model: nn.Module) -> bool:
    rates = [
        getattr(module, rate)
        for module in model.modules()
        for rate in ("p", "dropout", "drop_rate")
        if isinstance(getattr(module, rate, None), float)
    ]
    return any(rate > 0 for rate in rates)


@pytest.mark.parametrize("name", sorted(BASES))
def test_dropout_is_what_makes_two_passes_differ(name: str) -> None:
    inputs = inputs_of(name)
    for options in kinds(name):
        model, complete = filled(built(name, options)), registry.resolve(name, options)
        same = torch.equal(passed(model, inputs), passed(model, inputs))
        declared = models.layers(name, complete)
        assert declared is not None
        assert declared.dropout != same


# -- options --------------------------------------------------------------------------------------

CANDIDATES = (
    True, False, 2, 5, 8, 0.3, 0.7, (4,), (), ((4,), (4,), (8,)), ((), (), ())
)  # fmt: skip
SIZES = {"depth": (16, 20), "alpha": (12,), "heads": (1, 4), "width": (8, 32), "patch": (2, 8)}


def alternatives(name: str, option: str) -> list[Any]:
    field = registry.schema(name).model_fields[option]
    kinds = (field.annotation, *get_args(field.annotation))
    names = [v for kind in kinds if get_origin(kind) is Literal for v in get_args(kind)]
    adapter = TypeAdapter(Annotated[field.annotation, "", *field.metadata])
    found = []
    for value in names or SIZES.get(option, CANDIDATES):
        try:
            allowed = adapter.validate_python(value, strict=True)
        except ValidationError:
            continue
        if allowed != field.default:
            found.append(allowed)
    return found


def behaviour(name: str, options: dict[str, Any]) -> list[torch.Tensor]:
    """Parameters, what a pass of training gives and leaves, and what evaluation then gives."""
    model = filled(built(name, options))
    torch.manual_seed(1)
    inputs = inputs_of(name)
    seen = passed(model, inputs), *model.state_dict().values(), passed(model.eval(), inputs)
    return [tensor.detach() for tensor in seen]


def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    return len(one) == len(other) and all(map(torch.equal, one, other))


@pytest.mark.parametrize("name", sorted(BASES))
def test_an_option_is_accepted_where_and_only_where_it_changes_something(name: str) -> None:
    """Alone, and beside each that takes layers away."""
    fields = registry.schema(name).model_fields
    away = [{"batchnorm": False}, {"hidden": ()}, {"widths": ()}]
    for context in [{}, *(c for c in away if c.keys() <= fields.keys())]:
        plain = behaviour(name, context)
        for option in fields.keys() - context.keys():
            for value in alternatives(name, option):
                options = {**context, option: value}
                try:
                    changed = behaviour(name, options)
                except ValueError:
                    continue  # the network says what it cannot be
                assert refused(name, options) == same(changed, plain), options


def refused(name: str, options: dict[str, Any]) -> bool:
    try:
        registry.resolve(name, options)
    except ValueError as error:
        return "would have no effect" in str(error)
    return False


@pytest.mark.parametrize(
    ("name", "options", "needed"),
    [
        ("resnet34", {"weights_sha256": "b627a593"}, "weights, the name of a file"),
        ("wrn_tiny", {"final_bn_momentum": 0.1}, "another value than bn_momentum"),
        ("resnet18_tiny", {"stem_width": 2}, "another value than width"),
    ],
)
def test_what_an_option_needs_is_said(name: str, options: dict[str, Any], needed: str) -> None:
    with pytest.raises(ValueError, match=f"model '{name}': .* would have no effect: .*{needed}"):
        registry.resolve(name, options)
    if name != "resnet34":
        assert same(behaviour(name, options), behaviour(name, {}))
