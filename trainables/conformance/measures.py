"""What every measure promises."""

from __future__ import annotations

import math

import torch

from trainables import measures, methods
from trainables.conformance.cases import LOSS, NETWORKS, Case, case, equal, generator, global_seed
from trainables.measures.base import Target, flatten


def target(tried: Case, seed: int = 0) -> Target:
    """The network in evaluation mode, with what a measure of a trial can ask for."""
    model = tried.model.eval()
    batches = [(tried.inputs[:5], tried.targets[:5]), (tried.inputs[5:], tried.targets[5:])]
    initial = {name: value.clone() for name, value in case(seed=1).model.state_dict().items()}
    fits = initial.keys() == model.state_dict().keys()
    return Target(
        model,
        LOSS,
        batches,
        generator=generator(seed),
        initial=initial if fits else dict(model.state_dict()),
        method=methods.build("erm"),
        num_training=8,
    )


def take(name: str, of: Target) -> dict[str, float]:
    """Its numbers, with its defaults."""
    options = measures.registry.resolve(name, {})
    return flatten(name, measures.registry.get(name)(of, **options))


def numbers(name: str) -> str:
    """Its numbers with float32 and float64 weights."""
    for dtype in (torch.float32, torch.float64):
        for network in NETWORKS:
            found = take(name, target(case(network, dtype)))
            if not found:
                return "it gives no number"
            wrong = [key for key, v in found.items() if not math.isfinite(v) and "std" not in key]
            if wrong:
                return f"with {str(dtype).removeprefix('torch.')} weights {wrong[0]} is not finite"
    return ""


def noise(name: str) -> str:
    """Two measurements with one generator."""
    found = []
    for seed in (1, 2):
        with global_seed(seed):
            found.append(take(name, target(case())))
    if all(a == b or (a != a and b != b) for a, b in zip(*map(dict.values, found), strict=True)):
        return ""
    return "its noise is not drawn from target.generator: two measurements with one differ"


def model_restored(name: str) -> str:
    """The model after it was measured."""
    for network in NETWORKS:
        tried = case(network)
        of = target(tried)
        before = [value.clone() for value in tried.model.state_dict().values()]
        take(name, of)
        after = list(tried.model.state_dict().values())
        if not all(equal(a, b) for a, b in zip(after, before, strict=True)):
            return "it leaves other weights or statistics than it found"
        if any(module.training for module in tried.model.modules()):
            return "it leaves the model in training mode"
    return ""


CHECKS = (numbers, noise, model_restored)

__all__ = ["CHECKS"]
