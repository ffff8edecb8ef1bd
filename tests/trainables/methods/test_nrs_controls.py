"""What NRS is without its perturbation: the control arms of nrs/controls."""

import pytest
import torch

from tests.trainables.methods.oracle import case, close, flat, generator
from trainables import methods

ROUNDING = 1e-13  # of sums of fewer than 100 terms in float64, relative to the largest entry

SCALES = ("relative", "relative_per_tensor", "unit_then_scale", "literal", "gaussian_literal")


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(("loss", "times"), [("as_printed", 2.0), ("averaged", 1.0)])
@pytest.mark.parametrize("network", ["mlp", "rectified", "conv"])
@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_at_epsilon_0_it_is_a_multiple_of_the_plain_gradient(network, loss, times, scale, alpha):
    """Of Equation 3 twice; the divergence of a network from itself has no gradient."""
    plain = case(network).gradient_of(methods.build("erm"))
    options = {"epsilon": 0.0, "alpha": alpha, "scale": scale, "loss": loss}
    found = case(network).gradient_of(methods.build("nrs", **options))
    close(found, times * plain, ROUNDING)


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_of_four_devices_too(network):
    """Where BatchNorm sees the same four parts of a batch."""
    plain = case(network).gradient_of(methods.build("erm", batchnorm_parts=4))
    close(
        case(network).gradient_of(methods.build("nrs", epsilon=0.0, num_devices=4)),
        2 * plain,
        ROUNDING,
    )
    close(
        case(network).gradient_of(methods.build("rpr", epsilon=0.0, num_devices=4)),
        plain,
        ROUNDING,
    )


def test_its_perturbation_is_not_nothing():
    plain = case("mlp").gradient_of(methods.build("erm"))
    found = case("mlp").gradient_of(methods.build("nrs", epsilon=0.1))
    assert (found - 2 * plain).norm() > 1e-3 * plain.norm()


def descended(method, steps=5, **options):
    """Weights after some steps of SGD on one batch."""
    c = case("conv")
    optimizer = torch.optim.SGD(c.params, momentum=0.9, nesterov=True, **options)
    for step in range(steps):
        method.gradient(c.model, c.loss_fn, c.inputs, c.targets, generator=generator(step))
        optimizer.step()
    return flat(c.params)


def test_it_descends_as_a_baseline_of_twice_the_rate_and_half_the_decay():
    nrs = descended(methods.build("nrs", epsilon=0.0), lr=0.1, weight_decay=0.01)
    close(descended(methods.build("erm"), lr=0.2, weight_decay=0.005), nrs, 100 * ROUNDING)
    alone = descended(methods.build("erm"), lr=0.1, weight_decay=0.005)
    assert (alone - nrs).norm() > 1e-2 * nrs.norm(), "half the decay alone is another arm"
