"""Every architecture's small variant: a new one is enrolled by being registered."""

import pytest
import torch

from tests.trainables.measures.networks import close, cross_entropy, dense_jacobian
from trainables import models
from trainables.compatibility import ARRAYS
from trainables.measures.curvature.operator import HessianOperator
from trainables.measures.fisher.log_det import fisher_gram

NAMES = [
    name
    for name in models.names()
    if name.endswith("_tiny") and models.registry.fit(name).inputs == ARRAYS
]
"""Of the others the Hessians are compared where they are tested."""


def test_there_are_small_variants():
    assert len(NAMES) > 5


@pytest.mark.parametrize("name", NAMES)
def test_every_architecture(name):
    """Gram matrix against one backward pass a sample, H v against torch's own double backward."""
    torch.manual_seed(0)
    model = models.build(name, num_classes=4, input_shape=(3, 16, 16)).double().eval()
    x, y = torch.randn(3, 3, 16, 16, dtype=torch.float64), torch.tensor([0, 1, 2])
    g, log_r = fisher_gram(model, x, y)
    rows = dense_jacobian(model, x, y)
    close(log_r.exp()[:, None] * g * log_r.exp(), rows @ rows.T, what=name)
    operator = HessianOperator(model, cross_entropy, [(x, y)])
    v = torch.randn(operator.size, dtype=torch.float64)
    parameters = list(model.parameters())
    first = torch.autograd.grad(cross_entropy(model(x), y), parameters, create_graph=True)
    inner = torch.cat([part.reshape(-1) for part in first]) @ v
    second = torch.autograd.grad(inner, parameters, materialize_grads=True, allow_unused=True)
    close(operator @ v, torch.cat([part.reshape(-1) for part in second]), what=name)
