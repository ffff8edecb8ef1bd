"""Measures on every task: through structured batches, any loss, and attention."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch.func import functional_call

from tests.trainables.tasks import stand_ins
from trainables import measures, tasks
from trainables.config import TrialConfig
from trainables.errors import UsageError
from trainables.execution import Execution
from trainables.measures import Target, measure
from trainables.measures.curvature.nso_code import linear_layers, nso_code_lambda1
from trainables.measures.curvature.operator import HessianOperator
from trainables.measures.landscape.sharpness import mean_loss
from trainables.structures import batch_size, join, take
from trainables.train import Trial

CLOSE = 1e-9
STRUCTURED = [kind for kind in stand_ins.OF_TASK if kind != "mse"]
OF_CLASSES = (
    "classification",
    "smoothed_nll",
    "last_layer_eigenvalue",
    "fisher_log_det",
    "fisher_spectrum",
    "fisher_frobenius",
    "fisher_spectral_radius",
)
OF_INPUTS = ("robustness", "decision_boundary", "boundary_distance")
SMALL = {
    "fisher_log_det": {"num_samples": 4, "num_trials": 2},
    "fisher_spectrum": {"num_samples": 4, "num_trials": 2},
    "fisher_frobenius": {"num_samples": 4, "num_trials": 2},
    "fisher_spectral_radius": {"num_samples": 4, "num_trials": 2},
    "subset_hessian": {"num_samples": 4, "num_trials": 2, "num_probes": 2},
    "hessian_eigenvalues": {"largest": 1, "smallest": 0, "max_products": 5},
    "hessian_lambda_max": {"max_products": 5},
    "nso_code_trace": {"num_batches": 2, "batch_size": 4, "layers": "linear", "num_samples": 3},
    "nso_code_lambda1": {"num_batches": 2, "batch_size": 4, "layers": "linear", "max_products": 3},
    "sub_batch_gradients": {"num_splits": 2},
    "landscape_2d": {"points": 3},
    "landscape_1d": {"points": 3},
}


@pytest.fixture(autouse=True, scope="module")
def _parts():
    with stand_ins.registered():
        yield


def target(kind: str, **others) -> Target:
    """Of an untrained trial, float64."""
    trial = Trial(TrialConfig(**stand_ins.fields(kind)), Execution(device="cpu"))
    batches = list(trial.splits["train"].head(13, 5))
    assert [batch_size(targets) for _, targets in batches] == [5, 5, 3]
    given = {"initial": trial.initial, "method": trial.method} | others
    model = trial.model.eval()
    generator = torch.Generator().manual_seed(1)
    return Target(model, trial.loss_fn, batches, generator, **given)


def dense_hessian(found: Target, names=None) -> torch.Tensor:
    """Column by column, of losses that are made with attention written out here."""
    model = copy.deepcopy(found.model)
    for module in model.modules():
        if isinstance(module, stand_ins.Attention):
            module.forward = written_out.__get__(module)
    point = {n: p for n, p in model.named_parameters() if names is None or n in names}
    params = list(point.values())
    total = sum(batch_size(y) for _, y in found.batches)
    loss = sum(
        found.loss_fn(functional_call(model, {}, (x,)), y) * (batch_size(y) / total)
        for x, y in found.batches
    )
    first = torch.autograd.grad(loss, params, create_graph=True, materialize_grads=True)
    flat = torch.cat([g.reshape(-1) for g in first])
    rows = []
    for entry in flat:
        row = torch.autograd.grad(entry, params, retain_graph=True, materialize_grads=True)
        rows.append(torch.cat([g.reshape(-1) for g in row]))
    return torch.stack(rows)


def written_out(self, inputs):
    """`stand_ins.Attention.forward`, one product at a time."""
    tokens = inputs["tokens"]
    x = self.words(tokens) + self.places[: tokens.shape[1]]
    q, k, v = self.mixed(x).chunk(3, -1)
    scores = q @ k.transpose(1, 2) / stand_ins.D**0.5
    length = tokens.shape[1]
    hidden = torch.ones(length, length).triu(1).bool() if self.causal else None
    if not self.causal and "mask" in inputs:
        hidden = ~inputs["mask"][:, None, :].expand_as(scores)
    if hidden is not None:
        scores = scores.masked_fill(hidden, -torch.inf)
    return self.norm(x + scores.softmax(-1) @ v)


@pytest.mark.parametrize("kind", STRUCTURED)
def test_the_hessian_is_the_dense_one(kind: str) -> None:
    """Its trace, its largest eigenvalue and every column; in float64, to rounding."""
    found = target(kind)
    dense = dense_hessian(found)
    operator = HessianOperator(found.model, found.loss_fn, found.batches)
    fast = operator @ torch.eye(operator.size, dtype=torch.float64)
    scale = float(dense.abs().max())
    torch.testing.assert_close(fast, dense, rtol=0, atol=CLOSE * scale)
    assert float(fast.trace()) == pytest.approx(float(dense.trace()), rel=CLOSE)
    assert abs(float(dense.trace())) > 1e-3
    top = measure("hessian_lambda_max", found, tolerance=1e-10)["hessian_lambda_max"]
    assert top == pytest.approx(float(torch.linalg.eigvalsh(dense)[-1]), rel=1e-8)


def test_without_the_plain_form_attention_has_no_second_derivative() -> None:
    """What the operator's switch is for; and outside of a measure attention stays as it was."""
    found = target("token_cross_entropy")
    inputs, targets = found.batches[0]
    measure("hessian_trace", found, num_samples=1)
    params = list(found.model.parameters())
    loss = found.loss_fn(found.model(inputs), targets)
    first = torch.autograd.grad(loss, params, create_graph=True)
    with pytest.raises(RuntimeError, match="not implemented"):
        torch.autograd.grad(torch.stack([g.square().sum() for g in first]).sum(), params)


@pytest.mark.parametrize("kind", STRUCTURED)
def test_the_perturbation_gap_is_that_of_the_quadratic_model(kind: str) -> None:
    """At a small sigma: E[(L(w + U) + L(w - U)) / 2] - L(w) = sigma² / 2 Tr(H) to a relative
    O(sigma²); both have the same draws' error, so they agree to 4.9 of it (false alarm 1e-6)."""
    found = target(kind)
    numbers = measure("perturbation_gap", found, sigma=1e-3, num_samples=200, num_probes=400)
    gap, model = numbers["perturbation_gap"], numbers["perturbation_gap/hessian"]
    errors = [numbers[f"{n}_std_error"] for n in ("perturbation_gap", "perturbation_gap/hessian")]
    assert abs(gap - model) < 4.9 * math.hypot(*errors)
    names = {n for n, p in found.model.named_parameters() if p.ndim > 1}
    trace = float(dense_hessian(found, names).trace())
    assert abs(model - 1e-6 / 2 * trace) < 4.9 * errors[1] + 1e-15


def test_the_loss_is_the_mean_over_samples() -> None:
    found = target("token_cross_entropy")
    inputs, targets = join(found.batches)
    whole = float(found.loss_fn(found.model(inputs), targets).detach())
    assert mean_loss(found) == pytest.approx(whole, rel=CLOSE)


def test_nsos_quantities_are_of_linear_weights_and_of_small_batches() -> None:
    """One batch, one layer's block alone: then the code's power iteration finds an eigenvalue."""
    found = target("contrastive")
    assert linear_layers(found.model) == ("image.weight", "text.mixed.weight")
    cut = take(join(found.batches), slice(4))
    one = Target(found.model, found.loss_fn, [cut], found.generator)
    names = linear_layers(found.model)
    dense = dense_hessian(one, names)
    trace = measure(
        "nso_code_trace", found, batch_size=4, num_batches=1, layers="linear",
        num_samples=400, tolerance=1e-300,
    )  # fmt: skip
    gap = abs(trace["nso_code_trace"] - float(dense.trace()))
    assert gap < 4.9 * trace["nso_code_trace_std_error"]
    size = found.model.image.weight.numel()
    options = {"num_batches": 1, "batch_size": 4, "layers": "linear", "max_products": 400}
    found.model.text.requires_grad_(False)
    value = nso_code_lambda1(found, **options)
    blocks = [dense[:size, :size], dense[size:, size:]]
    bound = sum(float(torch.linalg.eigvalsh(b).abs().max()) for b in blocks)
    cross = float(torch.linalg.matrix_norm(dense[:size, size:], 2))
    assert 0 < abs(value) <= bound + 2 * cross + CLOSE


def test_shared_weights_are_the_embeddings() -> None:
    model = stand_ins.Writer({"vocabulary": stand_ins.V})
    assert linear_layers(model) == ("body.mixed.weight", "head.weight")
    model.head.weight = model.body.words.weight
    assert linear_layers(model) == ("body.mixed.weight",)


@pytest.mark.parametrize("name", measures.names())
@pytest.mark.parametrize("kind", STRUCTURED)
def test_every_measure_is_finite_or_says_what_it_needs(kind: str, name: str) -> None:
    found = target(kind)
    refused = (
        (name in OF_CLASSES and not kind.startswith("cross_entropy"))
        or name in OF_INPUTS
        or name == "recovery_distance"
        or (name == "pac_bayes_bound" and kind == "contrastive")
    )
    options = SMALL.get(name, {})
    if name.startswith("nso_code") and kind == "cross_entropy of graphs":
        options = options | {"layers": "convolutions_and_head"}
    if refused:
        with pytest.raises(UsageError):
            measure(name, found, **options)
        return
    numbers = measure(name, found, **options)
    assert numbers
    # gradients of few samples and a mean over draws may be dependent: ln det = -inf
    finite = {k: v for k, v in numbers.items() if "log_det" not in k and "std_error" not in k}
    assert all(map(math.isfinite, finite.values())), numbers


def test_padding_changes_no_graph() -> None:
    """A batch of graphs joined with larger ones has the same loss."""
    found = target("cross_entropy of graphs")
    cut = join(found.batches)
    batches = [take(cut, slice(i, i + 1)) for i in range(5)]
    for inputs, _ in batches:  # as the data make them: no larger than they need to be
        kept = int(inputs["nodes"].sum())
        inputs["nodes"] = inputs["nodes"][:, :kept]
        inputs["adjacency"] = inputs["adjacency"][:, :kept, :kept]
    found = replace(found, batches=batches)
    sizes = {inputs["nodes"].shape[1] for inputs, _ in found.batches}
    assert len(sizes) > 1
    inputs, targets = join(found.batches)
    whole = float(found.loss_fn(found.model(inputs), targets).detach())
    assert mean_loss(found) == pytest.approx(whole, rel=CLOSE)
    assert isinstance(found.loss_fn, tasks.Task)
