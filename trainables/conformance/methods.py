"""What every method promises: an update rule, or a regularizer, which is tried with ERM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from trainables import methods
from trainables.conformance.cases import (
    NETWORKS,
    case,
    close,
    conv,
    equal,
    generator,
    global_seed,
    mlp,
)
from trainables.conformance.lockstep import gradients
from trainables.methods import Method, Progress
from trainables.parallel.division import Division

STEP = 1e-5
"""Of central differences: their error is about STEP² = 1e-10 and 1e-16 / STEP = 1e-11."""


def build(name: str, network: Callable[[], nn.Module] = mlp) -> Method:
    """With its defaults, in the middle of the training of such a network."""
    method = methods.build(name)
    method.begin(case(network, seed=9).model)
    method.advance(Progress(step=5, steps=10, epoch=5, epochs=10, lr_drops=1))
    return method


def gradient(name: str) -> str:
    """A step with float32 and float64 weights."""
    for dtype in (torch.float32, torch.float64):
        for network in NETWORKS:
            tried = case(network, dtype)
            try:
                tried.step(build(name, network))
            except (RuntimeError, TypeError) as error:
                return f"with {_words(dtype)} weights it raises {type(error).__name__}: {error}"
            for parameter in tried.params:
                if parameter.grad is None or not parameter.grad.isfinite().all():
                    return f"with {_words(dtype)} weights some have no finite gradient"
    return ""


def _words(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def weights_restored(name: str) -> str:
    """Weights after a step."""
    for network in NETWORKS:
        tried = case(network, torch.float32)
        before, places = tried.weights, [p.data_ptr() for p in tried.params]
        tried.step(build(name, network))
        if not equal(tried.weights, before):
            return "it leaves other weights than it found: displace them by objective.displaced()"
        if [p.data_ptr() for p in tried.params] != places:
            return "it leaves the weights in other places than it found them: change none itself"
    return ""


class _Failing(nn.Module):
    """Fails in its pass number ``at``."""

    def __init__(self, inner: nn.Module, at: int) -> None:
        super().__init__()
        self.inner, self.left = inner, at

    def forward(self, inputs: Tensor) -> Any:
        self.left -= 1
        if self.left == 0:
            raise MemoryError
        return self.inner(inputs)


def weights_restored_after_an_error(name: str) -> str:
    """Weights after a pass that failed."""
    for at in (1, 2):
        tried = case()
        before = tried.weights
        tried.model = _Failing(tried.model, at)
        try:
            tried.step(build(name))
        except MemoryError:
            if not equal(tried.weights, before):
                return f"where its pass {at} fails, it leaves other weights than it found"
    return ""


def noise(name: str) -> str:
    """Two steps with one generator."""
    found = []
    for seed in (1, 2):
        with global_seed(seed):
            found.append(case().gradient(build(name), seed=1))
    if equal(*found):
        return ""
    return "its noise is not drawn from objective.generator: two steps with the same one differ"


def state(name: str) -> str:
    """A restart."""
    tried, old = case(), build(name)
    for seed in (1, 2):
        tried.step(old, seed)
    saved = old.state_dict()
    if strange := [key for key, value in saved.items() if not isinstance(value, Tensor)]:
        return f"its state has {strange[0]!r}, which is no tensor: a checkpoint holds tensors"
    saved = {key: value.clone() for key, value in saved.items()}
    new = build(name)
    new.load_state_dict(saved)
    if equal(case().gradient(old, 3), case().gradient(new, 3)):
        return ""
    return (
        "its state does not survive a restart: what one step leaves for the next belongs in "
        "state_dict and load_state_dict"
    )


def passes(name: str) -> str:
    """What a step costs."""
    tried, samples = case(conv), list[int]()
    tried.model.register_forward_pre_hook(lambda _, given: samples.append(len(given[0])))
    method = build(name, conv)
    said = method.cost
    tried.step(method)
    run = sum(samples) / len(tried.inputs)
    if said >= run - 1e-9:  # more are those that are no forward passes, such as a product with H
        return ""
    return f"evaluations says {said:g} passes a step, and the model was run for {run:g}"


def modes(name: str) -> str:
    """A network of which a layer is frozen in evaluation mode."""
    tried = case(conv)
    tried.model[1].eval()  # type: ignore[index]
    before = [module.training for module in tried.model.modules()]
    tried.step(build(name, conv))
    after = [module.training for module in tried.model.modules()]
    return "" if before == after else "it leaves layers in another mode than it found"


def output(name: str) -> str:
    """What a step returns."""
    out = case().step(build(name))
    if out.loss.shape != ():
        return f"its loss has shape {tuple(out.loss.shape)}: it is one number"
    if out.logits.shape[:1] != (8,):
        return f"its logits have shape {tuple(out.logits.shape)}: they are of the whole batch"
    if any(t.requires_grad for t in (out.loss, out.logits, out.objective) if t is not None):
        return "what it returns is not detached, so that every step keeps the graph of the last"
    return ""


def objective(name: str) -> str:
    """The objective whose gradient it gives."""
    tried = case()
    expected = tried.gradient(build(name), seed=4)
    if tried.step(build(name), seed=4).objective is None:
        return ""
    direction = torch.randn(len(expected), dtype=expected.dtype, generator=generator(8))
    direction /= direction.norm()
    ends = []
    for sign in (1, -1):
        moved = case()
        nn.utils.vector_to_parameters(
            moved.weights + sign * STEP * direction, moved.model.parameters()
        )
        ends.append(float(moved.step(build(name), seed=4).objective))  # type: ignore[arg-type]
    slope = (ends[0] - ends[1]) / (2 * STEP)
    if abs(slope - float(direction @ expected)) <= 1e-6 * float(expected.norm()):
        return ""
    return "its gradient is not that of the objective it returns: return objective=None"


def workers(name: str) -> str:
    """Two workers that share a batch."""
    found = gradients(case(), lambda: build(name))
    if not equal(*found):
        return "two workers that share a batch have different gradients"
    method, division = build(name), Division(workers=2, batch_size=8)
    declared: tuple[Any, ...] = (method, *method.composition.regularizers)
    if not all(part.same_over_workers(division) for part in declared):
        return ""  # a trial on several workers is another one, and is called so
    if close(found[0], case(mlp).gradient(build(name), seed=3), 1e-9):
        return ""
    return (
        "same_over_workers says that two workers do what one does, and their gradient is another: "
        "return False"
    )


CHECKS = (
    gradient,
    weights_restored,
    weights_restored_after_an_error,
    noise,
    state,
    passes,
    modes,
    output,
    objective,
    workers,
)

__all__ = ["CHECKS"]
