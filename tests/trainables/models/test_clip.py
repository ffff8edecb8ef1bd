"""The two towers of CLIP: what they see, how large they are, their second derivatives."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from tests.trainables.measures.networks import close, dense_hessian
from trainables.measures.curvature.operator import HessianOperator
from trainables.methods.ops.attention import plain_attention
from trainables.models.clip import LOWEST_TEMPERATURE, ImageText

Outputs = tuple[Tensor, Tensor, Tensor]


def tiny(**changes: int) -> ImageText:
    options = {
        "channels": 1,
        "size": 8,
        "vocabulary": 11,
        "patch": 4,
        "depth": 1,
        "heads": 2,
        "width": 4,
        "context": 6,
        "embedding": 3,
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ImageText(**{**options, **changes}).double()


def pairs(count: int = 4, length: int = 5) -> dict[str, Tensor]:
    draws = torch.Generator().manual_seed(1)
    return {
        "image": torch.randn(count, 1, 8, 8, generator=draws, dtype=torch.float64),
        "tokens": torch.randint(11, (count, length), generator=draws),
        "mask": torch.arange(length) < torch.tensor([3, length, 1, 2])[:count, None],
    }


def info_nce(outputs: Outputs, _: object = None) -> Tensor:
    """Written here once more: symmetric, over the batch."""
    images, texts, temperature = outputs
    logits = normalize(images, dim=1) @ normalize(texts, dim=1).T / temperature[0].exp()
    own = torch.arange(len(logits))
    return (cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2


def test_outputs_are_embeddings_and_the_temperature_of_each_pair() -> None:
    images, texts, temperature = tiny()(pairs())
    assert images.shape == texts.shape == (4, 3)
    assert images.dtype == texts.dtype == torch.float64
    assert torch.equal(temperature, torch.full((4,), math.log(0.07)).float().double())


def test_a_text_is_what_it_is_up_to_its_end() -> None:
    """Padding changes nothing, its last token and all before it do."""
    model, batch = tiny(), pairs()
    _, texts, _ = model(batch)
    for row, count in enumerate(batch["mask"].sum(1).tolist()):
        for place in range(batch["tokens"].shape[1]):
            other = {**batch, "tokens": batch["tokens"].clone()}
            other["tokens"][row, place] = (other["tokens"][row, place] + 1) % 11
            _, changed, _ = model(other)
            same = (changed == texts).all(1)
            assert torch.equal(same, (torch.arange(4) != row) | (place >= count))
    shorter = {**batch, "tokens": batch["tokens"][:1, :3], "mask": batch["mask"][:1, :3]}
    close(model({**shorter, "image": batch["image"][:1]})[1][0], texts[0], 1e-12)


def test_pairs_are_embedded_one_by_one() -> None:
    model, batch = tiny(), pairs()
    whole = model(batch)
    for row in range(4):
        for one, all_of_them in zip(
            model({k: v[row : row + 1] for k, v in batch.items()}), whole, strict=True
        ):
            close(one[0], all_of_them[row], 1e-12)


def test_the_temperature_has_a_least_value() -> None:
    model = tiny()
    with torch.no_grad():
        model.log_temperature.fill_(-9.0)
    least = torch.full((4,), math.log(LOWEST_TEMPERATURE), dtype=torch.float64)
    assert torch.equal(model(pairs())[2], least)


def test_size_of_the_papers() -> None:
    """ViT-S/16 with a text tower as wide: both by formulas of their own.

    A layer of width w has 4 w² + 4 w in attention, 8 w² + 5 w in its perceptron, 4 w in its norms.
    """
    with torch.device("meta"):
        model = ImageText(
            channels=3,
            size=224,
            vocabulary=49408,
            patch=16,
            depth=12,
            heads=6,
            width=384,
            context=77,
            embedding=384,
        )
    w = 384
    layers = 12 * (12 * w * w + 13 * w)
    image = 3 * 16 * 16 * w + w + (14 * 14 + 1) * w + layers + 4 * w + w * w
    text = (49408 + 77) * w + layers + 2 * w + w * w
    assert sum(p.numel() for p in model.parameters()) == image + text + 1 == 62_257_537


def test_trace_of_the_hessian_is_the_dense_ones() -> None:
    model, batch = tiny(patch=8, width=2, heads=1, embedding=2).eval(), pairs(3)
    targets = torch.arange(3)
    with plain_attention():
        dense = dense_hessian(model, info_nce, batch, targets)
    operator = HessianOperator(model, info_nce, [(batch, targets)])
    products = operator @ torch.eye(operator.size, dtype=torch.float64)
    close(products, dense)
    close(products.trace(), dense.trace())
    assert dense.trace().abs() > 0.01
