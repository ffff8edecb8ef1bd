"""Data made from a formula: AMP's spirals and NSO's matrix sensing."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from trainables.data.base import About, Dataset, Images, about, registry
from trainables.errors import UsageError
from trainables.registry import Count, Index, NonNegative
from trainables.seeding import generator

about["spirals"] = About("two spirals in the plane (AMP, figure 6); computed")
about["matrix_sensing"] = About("measurements of a low-rank matrix (NSO, Section 5); computed")


@registry.register("spirals")
def spirals(*, points: Count = 200, noise: NonNegative = 1.0, draw: Index = 0) -> Dataset:
    """Two interleaved spirals with uniform noise; features (N, 2), two classes.

    With a on a grid over [0, 4 pi] and u uniform on [0, noise]^2:
    class 0 is a (cos a, sin a) + u, class 1 is (a + pi) (cos a, sin a) + u.
    That is the spiral of Sugiyama's textbook (Introduction to Statistical Machine
    Learning, 2015), which AMP's figure 6 cites without parameters. The test set has ten
    times the points and noise of its own.

    Args:
        points: Training points, both classes together (the textbook: 200).
        noise: Edge of the square that noise is uniform on (the textbook: 1).
        draw: Seed of the noise.
    """
    parts = []
    for index, size in enumerate((points, 10 * points)):
        per_class = max(1, size // 2)
        angle = torch.linspace(0, 4 * math.pi, per_class, dtype=torch.float64)
        direction = torch.stack([angle.cos(), angle.sin()], 1)
        clean = torch.cat([angle[:, None] * direction, (angle[:, None] + math.pi) * direction])
        shift = torch.rand(
            clean.shape, generator=generator(draw, "spirals", index), dtype=torch.float64
        )
        labels = torch.arange(2).repeat_interleave(per_class)
        parts.append(Images((clean + noise * shift).float(), labels))
    return Dataset(
        name="spirals",
        train=parts[0],
        test=parts[1],
        num_classes=2,
        mean=(0.0, 0.0),
        std=(1.0, 1.0),
        class_names=("inner", "outer"),
        source="two spirals (computed)",
        standardize=True,
    )


MOST_ENTRIES = 10**9
"""Of all measured matrices together, 8 bytes each: forty times the paper's."""


@registry.register("matrix_sensing")
def matrix_sensing(
    *, size: Count = 100, rank: Count = 5, measurements: Count = 2500, draw: Index = 0
) -> Dataset:
    """Linear measurements y = <A, X> of X = U U^T; inputs A (N, d, d), targets y (N,).

    U (d, r) is standard normal, A = (B + B^T) / 2 with B (d, d) standard normal (NSO,
    Section 5 and its code). The second set of measurements is the paper's validation set:
    it is both validation and test set here. X is ``extra["solution"]``.

    Args:
        size: d (the code: 100).
        rank: r (the code: 5).
        measurements: In each set (the code: 5 d r = 2,500).
        draw: Seed of U and the measurements.

    Raises:
        UsageError: the rank is more than the size, or the measurements are `MOST_ENTRIES` or more.
    """
    if rank > size:
        raise UsageError(f"matrix_sensing: rank = {rank} is more than size = {size}")
    if measurements * size * size >= MOST_ENTRIES:
        raise UsageError(
            f"matrix_sensing: {measurements} measurements of size = {size} have "
            f"{measurements * size * size:.0e} entries, {MOST_ENTRIES:.0e} are too many"
        )
    from_draw = generator(draw, "matrix_sensing")
    factor = torch.randn(size, rank, generator=from_draw, dtype=torch.float64)
    solution = factor @ factor.T
    train, held = (_measurements(solution, measurements, from_draw) for _ in range(2))
    return Dataset(
        name="matrix_sensing",
        train=train,
        validation=held,
        test=held,
        num_classes=1,
        mean=(0.0,),
        std=(1.0,),
        source=f"matrix sensing, d = {size}, r = {rank} (computed)",
        extra={"solution": solution},
    )


def _measurements(solution: Tensor, count: int, from_draw: Generator) -> Images:
    """``count`` measurements: matrices in single precision, and targets in double from these."""
    normal = torch.randn(count, *solution.shape, generator=from_draw)
    matrices = (normal + normal.transpose(1, 2)) / 2
    targets = torch.cat([(piece.double() * solution).sum((1, 2)) for piece in matrices.split(256)])
    return Images(matrices, targets)
