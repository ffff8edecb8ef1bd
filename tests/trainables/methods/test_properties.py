"""What holds for every registered method: one that is added is enrolled by being registered.

A method that is not one of this package's (`KNOWN`) is held to what it declares.
"""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from tests.trainables.methods.known import KNOWN, NOISY, REGULARIZERS, RULES, build
from tests.trainables.methods.oracle import (
    Case,
    Oracle,
    case,
    close,
    flat,
    generator,
    slopes,
    some_directions,
)
from tests.trainables.methods.references import OPTIONS
from trainables import methods
from trainables.methods import Progress

ZERO = {  # the hyper-parameter at which the formula is ERM
    "sam": {"rho": 0}, "usam": {"rho": 0}, "asam": {"rho": 0}, "rsam": {"rho": 0},
    "bsam": {"rho": 0}, "amp": {"epsilon": 0}, "rmp": {"epsilon": 0}, "rpr": {"epsilon": 0},
    "nso": {"sigma": 0}, "wp_sgd": {"sigma": 0}, "infomcr": {"beta": 0}, "fa": {"lam": 0},
    "label_smoothing": {"smoothing": 0}, "flooding": {"level": 0}, "l2_sp": {"lam": 0},
    "adversarial": {"epsilon": 0}, "erm": {},
}  # fmt: skip

PASSES = {  # forward passes of a step with BatchNorm, at the options above
    "erm": 1, "sam": 2, "usam": 2, "asam": 2, "rsam": 2, "bsam": 2, "amp": 2, "rmp": 1, "rpr": 1,
    "nrs": 2, "nso": 2, "wp_sgd": 1, "infomcr": 16, "fa": 1, "label_smoothing": 1, "flooding": 1,
    "mixup": 1, "adversarial": 1, "l2_sp": 1,
}  # fmt: skip


@pytest.mark.parametrize("name", methods.names())
def test_weights_are_restored(name: str) -> None:
    """Bit for bit, with every option set; also where a pass fails half way."""
    for options in OPTIONS.get(name, [{}]):
        if options.get("code_faithful"):
            continue  # the authors' slip: see `test_code_faithful_moves_the_weights`
        for network in ("mlp", "conv"):
            c = case(network, dtype=torch.float32)
            before, places = c.weights, [p.data_ptr() for p in c.params]
            c.gradient_of(build(name, **options))
            assert torch.equal(c.weights.view(torch.int32), before.view(torch.int32))
            assert [p.data_ptr() for p in c.params] == places, "the weights' storage moved"


@pytest.mark.parametrize("name", methods.names())
def test_weights_are_restored_after_an_error(name: str) -> None:
    class Failing(nn.Module):
        def __init__(self, inner, at):
            super().__init__()
            self.inner, self.at, self.calls = inner, at, 0

        def forward(self, x):
            self.calls += 1
            if self.calls == self.at:
                raise RuntimeError("no memory left")
            return self.inner(x)

    for at in (1, 2):
        c = case("conv")
        before = c.weights
        c.model = Failing(c.model, at)
        try:
            c.gradient_of(build(name))
        except RuntimeError:
            assert torch.equal(c.weights, before)


@pytest.mark.parametrize("name", methods.names())
def test_noise_comes_from_the_generator(name: str) -> None:
    """Same generator, same gradient; another one, another gradient where there is noise."""
    c = case("mlp")
    torch.manual_seed(1)
    first = c.gradient_of(build(name), seed=1)
    torch.manual_seed(2)
    again = c.gradient_of(build(name), seed=1)
    other = c.gradient_of(build(name), seed=2)
    assert torch.equal(first, again)
    if name in KNOWN:
        assert torch.equal(first, other) == (name not in NOISY)


@pytest.mark.parametrize("name", methods.names())
def test_each_step_draws_anew(name: str) -> None:
    """One method object, one generator: the second step has other noise."""
    c, g, method = case("mlp"), generator(1), build(name)
    noisy = not torch.equal(*(case("mlp").gradient_of(build(name), seed=s) for s in (1, 2)))
    assert noisy == (name in NOISY) or name not in KNOWN
    steps = []
    for _ in range(2):
        method.gradient(c.model, c.loss_fn, c.inputs, c.targets, generator=g)
        steps.append(flat([p.grad for p in c.params]))
    changes = name not in KNOWN and bool(method.state_dict())  # what has a state may
    assert torch.equal(*steps) == (not noisy) or changes


@pytest.mark.parametrize("name", ZERO)
def test_zero_is_erm(name: str) -> None:
    options = dict(ZERO[name])
    if name in ("rsam", "bsam"):
        options["sigma"] = 0
    for network in ("mlp", "own_forward"):
        c = case(network)
        erm = Oracle(c).gradient(c.weights)
        close(c.gradient_of(methods.build(name, **options)), erm, 1e-12)


@pytest.mark.parametrize("name", methods.names())
def test_gradient_is_that_of_the_objective(name: str) -> None:
    """Central differences of out.objective at fixed noise, error about 1e-9."""
    for options in OPTIONS.get(name, [{}]):
        if options.get("code_faithful"):
            continue
        c = case("mlp")
        if name == "fa":
            options = {**options, "num_probes": 1}
        fresh = lambda options=options: build(name, **options)  # noqa: E731
        method = fresh()
        if name == "l2_sp":
            method.begin(case("mlp", seed=1).model)
        gradient = c.gradient_of(method, seed=4)
        if c.output.objective is None:
            assert name in RULES, "a regularizer's loss is its objective"
            assert not has_objective(name, options)
            continue
        assert has_objective(name, options) or name in REGULARIZERS or name not in KNOWN

        def objective(w, c=c, method=method):
            oracle = Oracle(c)
            oracle.load(w)
            moved = Case(oracle.model, c.inputs, c.targets, c.loss_fn)
            moved.gradient_of(method, seed=4)
            return float(moved.output.objective)

        along = some_directions(c.weights)
        close(along @ gradient, slopes(objective, c.weights, along), 1e-6)


def has_objective(name: str, options: dict) -> bool:
    """Where nothing that depends on the weights is held constant."""
    if name in ("rpr", "nrs"):
        fixed = options.get("scale") == "unit_then_scale"
        return fixed and options.get("loss") != "detached_target"
    return name in ("erm", "rmp", "nso", "wp_sgd", "fa")


@pytest.mark.parametrize("name", methods.names())
def test_statistics_move_once(name: str) -> None:
    """`clean`: like one plain pass at the weights of the method's first pass."""
    c = case("conv")
    c.gradient_of(build(name))
    norm = c.model[1]
    assert int(norm.num_batches_tracked) == 1
    assert norm.momentum == 0.1
    assert norm.track_running_stats
    if name in ("infomcr", "mixup", "adversarial") or name in NOISY - {"fa", "nrs"}:
        return  # their first pass is elsewhere, or on other images: pinned by their own tests
    plain = case("conv")
    plain.model(plain.inputs)
    torch.testing.assert_close(norm.running_mean, plain.model[1].running_mean, rtol=1e-12, atol=0)
    torch.testing.assert_close(norm.running_var, plain.model[1].running_var, rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", methods.names())
def test_statistics_move_with_all_passes(name: str) -> None:
    c = case("conv", batch=16)
    c.gradient_of(build(name, batchnorm="all"))
    assert int(c.model[1].num_batches_tracked) == PASSES.get(name, methods.build(name).passes)


@pytest.mark.parametrize("name", methods.names())
def test_statistics_stay_in_evaluation_mode(name: str) -> None:
    c = case("conv")
    c.model.eval()
    before = copy.deepcopy(c.model.state_dict())
    c.gradient_of(build(name))
    assert not c.model.training
    assert all(torch.equal(before[k], v) for k, v in c.model.state_dict().items())


@pytest.mark.parametrize("name", methods.names())
def test_modes_are_kept(name: str) -> None:
    """A layer frozen in evaluation mode stays so, the rest trains."""
    c = case("conv")
    c.model[1].eval()
    c.gradient_of(build(name))
    assert [m.training for m in c.model] == [True, False, True, True, True]


@pytest.mark.parametrize("name", methods.names())
def test_frozen_parameters_are_left_alone(name: str) -> None:
    c = case("mlp")
    c.model[0].weight.requires_grad_(False)
    c.gradient_of(build(name))
    assert c.model[0].weight.grad is None
    assert all(p.grad is not None and p.grad.shape == p.shape for p in c.params)


@pytest.mark.parametrize("name", methods.names())
def test_unused_parameters_get_zero(name: str) -> None:
    c = case("mlp")
    c.model.extra = nn.Linear(2, 2).double()
    c.model.forward = lambda x: nn.Sequential(*list(c.model.children())[:-1])(x)
    c.gradient_of(build(name, **({"lam": 0.0} if name == "l2_sp" else {})))
    precise = name in ("nrs", "fa", "infomcr", "erm", "sam", "nso")
    assert c.model.extra.weight.grad is not None
    assert not (precise and c.model.extra.weight.grad.any())


@pytest.mark.parametrize("name", methods.names())
def test_output_is_detached(name: str) -> None:
    c = case("mlp")
    c.gradient_of(build(name))
    out = c.output
    assert out.loss.shape == ()
    assert out.logits.shape == (8, 3)
    assert all(not t.requires_grad for t in (out.loss, out.logits, out.objective) if t is not None)
    assert all(not p.grad.requires_grad for p in c.params)


@pytest.mark.parametrize("name", methods.names())
def test_stale_gradients_are_replaced(name: str) -> None:
    c = case("mlp")
    fresh = c.gradient_of(build(name))
    for p in c.params:
        p.grad = torch.full_like(p, 7.0)
    assert torch.equal(c.gradient_of(build(name)), fresh)


@pytest.mark.parametrize("name", methods.names())
def test_cost_counts_passes(name: str) -> None:
    """`cost` is what the model was run for: samples forward, in batches, with a gradient."""
    if name == "fa":
        assert methods.build("fa", num_probes=1).cost == 9
        assert methods.build("fa", num_probes=2, form="difference").cost == 7
        assert methods.build("fa", lam=0).cost == 1
        return
    for options in OPTIONS.get(name, [{}]):
        c, samples = case("conv", batch=24), []
        c.model.register_forward_pre_hook(lambda _, x: samples.append(len(x[0])))  # noqa: B023
        method = build(name, **options)
        c.gradient_of(method)
        assert method.cost == sum(samples) / 24, (options, method.cost, samples)


@pytest.mark.parametrize("name", methods.names())
def test_state_survives_a_restart(name: str) -> None:
    """Tensors only; a fresh method with the saved state continues as the old one does."""
    c, options = case("mlp"), {"posterior": "adaptive"} if name == "bsam" else {}
    old, g = build(name, **options), generator(1)
    old.begin(case("mlp", seed=9).model)
    old.gradient(c.model, c.loss_fn, c.inputs, c.targets, generator=g)
    state = {k: v.clone() for k, v in old.state_dict().items()}
    assert all(isinstance(v, torch.Tensor) for v in state.values())
    assert bool(state) == (name in ("l2_sp", "bsam")) or name not in KNOWN
    new = build(name, **options)
    new.load_state_dict(state)
    assert torch.equal(c.gradient_of(old, seed=2), c.gradient_of(new, seed=2))


# InfoMCR switches autocast off, and FA does not displace.
@pytest.mark.parametrize("name", [n for n in methods.names() if n not in ("infomcr", "fa")])
def test_autocast_sees_the_displaced_weights(name: str) -> None:
    """Autocast caches low-precision weights; a stale cache would undo every displacement."""
    gradients = []
    for cached in (True, False):
        c = case("mlp", dtype=torch.float32)
        with torch.autocast("cpu", torch.bfloat16, cache_enabled=cached):
            gradients.append(c.gradient_of(build(name, **strong(name))))
    assert torch.equal(*gradients)


def strong(name: str) -> dict:
    """A displacement that bfloat16 can see."""
    return {"sam": {"rho": 0.5}, "usam": {"rho": 0.5}, "rsam": {"rho": 0.5}, "bsam": {"rho": 0.5},
            "asam": {"rho": 0.5}}.get(name, {})  # fmt: skip


@pytest.mark.parametrize("name", methods.names())
def test_progress_switches(name: str) -> None:
    """Phases and schedules; before any progress is told, every phase is active."""
    c = case("mlp")
    plain = Oracle(c).gradient(c.weights)

    def is_plain(method, **progress):
        method.advance(Progress(**progress))
        gradient, cost = c.gradient_of(method), method.cost
        return bool((gradient - plain).norm() < 1e-12 * plain.norm()), cost

    if name == "infomcr":
        assert is_plain(build(name), lr_drops=0) == (True, 1)
        assert is_plain(build(name), lr_drops=1) == (False, 2)
        assert is_plain(build(name, phases="001"), lr_drops=1) == (True, 1)
        assert is_plain(build(name, phases="001"), lr_drops=3) == (False, 2)
        assert is_plain(build(name, start=0.5), step=49, steps=100, lr_drops=2) == (True, 1)
        assert is_plain(build(name, start=0.5), step=50, steps=100) == (False, 2)
    elif name == "fa":
        assert is_plain(build(name, every=3), step=3) == (False, 21)
        assert is_plain(build(name, every=3), step=4) == (True, 1)
    elif name in ("nso", "wp_sgd"):
        for schedule, last in (("linear", 0.05), ("exp", 1e-3)):
            method = build(name, sigma_schedule=schedule)
            assert is_plain(method, epoch=0, epochs=3)[0] == (schedule == "linear")
            method.advance(Progress(epoch=1, epochs=3))
            half = build(name, sigma=last)
            assert torch.equal(c.gradient_of(method), c.gradient_of(half))
    elif name in KNOWN:
        method = build(name)
        before = c.gradient_of(method)
        method.advance(Progress(step=5, steps=9, epoch=2, epochs=3, lr_drops=1))
        assert torch.equal(c.gradient_of(method), before)


# A regularizer has another loss; the only pass of two rules is at a point that the reference pins.
@pytest.mark.parametrize("name", [n for n in RULES if n not in ("rmp", "rpr")])
def test_loss_and_logits_are_those_of_the_first_pass(name: str) -> None:
    c = case("mlp")
    w, oracle = c.weights, Oracle(c)
    c.gradient_of(build(name), seed=3)
    if name in ("nso", "wp_sgd", "rsam", "bsam"):
        w = w + 0.1 * torch.empty_like(w).normal_(generator=generator(3))
    torch.testing.assert_close(c.output.logits, oracle.logits(w).detach(), rtol=1e-12, atol=1e-12)
    assert abs(float(c.output.loss) - oracle.value(w)) < 1e-12


@pytest.mark.parametrize("name", ["rsam", "bsam"])
def test_code_faithful_moves_the_weights(name: str) -> None:
    """RSAM and BSAM as released never undo the ascent; as published they do."""
    c = case("mlp")
    before = c.weights
    c.gradient_of(methods.build(name, rho=0.5, code_faithful=True))
    moved = (c.weights - before).norm()
    assert moved > 0.2
    if name == "bsam":
        assert abs(float(moved) - 0.5) < 1e-9
