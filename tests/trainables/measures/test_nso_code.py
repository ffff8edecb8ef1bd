"""NSO's own quantities, against dense Hessians of its small batches."""

import torch
import torchvision
from torch import nn

from tests.trainables.measures.networks import (
    Z,
    close,
    cross_entropy,
    dense_hessian,
    generator,
    network,
    squared,
    uneven,
)
from trainables.measures.base import Target
from trainables.measures.curvature.nso_code import (
    convolutions_and_head,
    nso_code_lambda1,
    nso_code_trace,
)


def test_selects_what_its_code_does():
    with torch.device("meta"):
        names = convolutions_and_head(torchvision.models.resnet34())
    assert len(names) == 34
    assert names[0] == "conv1.weight"
    assert names[-1] == "fc.weight"
    assert not any("downsample" in name for name in names)


def test_trace_is_a_mean_over_small_batches():
    """Batches of 5, 5, 2: the short one weighs as much as the others; a fourth is left out."""
    model, x, y = network("conv")
    names = ["0.weight", "3.weight", "7.weight"]
    cut = list(zip(x.split(5), y.split(5), strict=True))
    traces = [dense_hessian(model, cross_entropy, a, b, names).trace() for a, b in cut]
    options = {"batch_size": 5, "num_samples": 100, "tolerance": 1e-300}
    for most in (3, 2):
        got = nso_code_trace(
            Target(model, cross_entropy, uneven(x, y), generator=generator()),
            num_batches=most,
            **options,
        )
        want = sum(traces[:most]) / most
        assert 0 < got[""].std_error < 0.2 * abs(want) + 1
        assert abs(got[""].value - want) < Z * got[""].std_error
    # Every layer's largest trace: with one batch it is the trace itself.
    one = nso_code_trace(
        Target(model, cross_entropy, [(x, y)], generator=generator()), batch_size=12
    )
    close(one["sum_of_max"], one[""].value)


def test_error_is_the_spread_over_seeds():
    """A mean of 3 x 16 draws of kurtosis 15 has kurtosis 3.25: 40 seeds determine its deviation
    to sqrt(2.25 / 160) = 12 %, and 4.9 of these are 58 %.
    """
    model, x, y = network("mlp")
    names = convolutions_and_head(model)
    assert names == ("2.weight",)
    runs = [
        nso_code_trace(
            Target(model, cross_entropy, uneven(x, y), generator=generator(s)),
            batch_size=4,
            num_samples=16,
            tolerance=1e-300,
        )[""]
        for s in range(40)
    ]
    spread = torch.tensor([r.value for r in runs]).std()
    stated = torch.tensor([r.std_error for r in runs]).square().mean().sqrt()
    assert abs(spread / stated - 1) < 0.58


def test_trace_stops_early():
    """With a diagonal Hessian the second probe moves nothing: two draws, and no error."""
    model = nn.Linear(3, 1, bias=False).double().eval()
    x = torch.diag(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
    y = torch.zeros(3, dtype=torch.float64)
    g = generator()
    got = nso_code_trace(Target(model, squared, [(x, y)], generator=g), batch_size=3)
    close(got[""].value, 2 * 14 / 3)
    one_by_one = {"batch_size": 1, "num_batches": 2}
    got = nso_code_trace(Target(model, squared, [(x, y)], generator=generator()), **one_by_one)
    close(got[""].value, 2 * (1 + 4) / 2)
    two = generator()
    for _ in range(2):
        torch.empty(3).random_(0, 2, generator=two)
    assert torch.equal(g.get_state(), two.get_state())


def test_lambda_is_layer_by_layer():
    """Against the same iteration on a dense matrix, from the same start; one layer: the truth."""
    model, x, y = network("conv")
    names = ["0.weight", "3.weight", "7.weight"]
    sizes = [dict(model.named_parameters())[n].numel() for n in names]
    g, want = generator(5), []
    for a, b in zip(x.split(6), y.split(6), strict=True):
        h = dense_hessian(model, cross_entropy, a, b, names)
        v = torch.empty(sum(sizes), dtype=x.dtype).normal_(generator=g)
        for _ in range(40):
            v = torch.cat([part / part.norm() for part in v.split(sizes)])
            value, v = v @ h @ v, h @ v
        want.append(value)
    got = nso_code_lambda1(
        Target(model, cross_entropy, uneven(x, y), generator=generator(5)),
        batch_size=6,
        max_products=40,
        tolerance=1e-300,
    )
    close(got, sum(want) / 2, 1e-3)  # the code adds 1e-6 to every norm it divides by
    linear, x, y = network("linear")
    linear[1].bias.requires_grad_(False)
    top = torch.linalg.eigvalsh(dense_hessian(linear, cross_entropy, x, y, ["1.weight"]))[-1]
    got = nso_code_lambda1(
        Target(linear, cross_entropy, [(x, y)]), batch_size=12, max_products=2000
    )
    close(got, top, 1e-4)
