"""Random vectors of the size of the parameters, drawn from a given generator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

Distribution = Literal["normal", "laplace", "uniform", "binomial", "binomial_uncentered"]
"""Distributions of independent entries with unit variance and, but for the last, mean zero.

``laplace`` has scale 1/√2, ``uniform`` lies in [-√3, √3], ``binomial`` is Binomial(4, ½) - 2.
``binomial_uncentered`` is Binomial(4, ½), of mean 2.
"""


def fill(flat: Tensor, distribution: str, generator: torch.Generator | None) -> None:
    """Fill ``flat`` with independent random entries.

    They are drawn on the generator's device, so that a generator on the CPU gives the same numbers
    whatever the device of ``flat``.

    Args:
        distribution: A `Distribution`, ``rademacher`` (±1), ``unit`` (uniform in [0, 1]) or
            ``symmetric`` (uniform in [-1, 1]).
        generator: None: torch's global one.
    """
    home = generator.device if generator is not None else flat.device
    target = flat if flat.device == home else torch.empty_like(flat, device=home)
    _DISTRIBUTIONS[distribution](target, generator)
    if target is not flat:
        flat.copy_(target)


def ball(flat: Tensor, generator: torch.Generator | None, surface: bool = False) -> None:
    """Fill ``flat`` (d,) with a point uniform in the unit ball: U^(1/d) g / ‖g‖, g normal.

    With ``surface`` the point is uniform on the sphere: without the factor U^(1/d). In d dimensions
    the radius is 1 - 1/(d + 1) on average, so for a network there is hardly a difference.
    """
    fill(flat, "normal", generator)
    if surface:
        flat.div_(torch.linalg.vector_norm(flat))
        return
    radius = torch.empty(1, dtype=flat.dtype, device=flat.device)
    fill(radius, "unit", generator)
    flat.mul_(radius ** (1 / flat.numel()) / torch.linalg.vector_norm(flat))


def _laplace(x: Tensor, generator: torch.Generator | None) -> None:
    x.exponential_(generator=generator)
    x.sub_(torch.empty_like(x).exponential_(generator=generator)).mul_(2**-0.5)


def _binomial(x: Tensor, generator: torch.Generator | None) -> None:
    bits = torch.randint(16, x.shape, generator=generator, device=x.device)
    codes = torch.arange(16, device=x.device)  # made there: a table of numbers would be copied
    ones = (codes & 1) + (codes >> 1 & 1) + (codes >> 2 & 1) + (codes >> 3)
    x.copy_(ones.to(x.dtype)[bits])


def _centered_binomial(x: Tensor, generator: torch.Generator | None) -> None:
    _binomial(x, generator)
    x.sub_(2)


def _rademacher(x: Tensor, generator: torch.Generator | None) -> None:
    x.random_(0, 2, generator=generator).mul_(2).sub_(1)


_DISTRIBUTIONS: dict[str, Callable[[Tensor, torch.Generator | None], object]] = {
    "normal": lambda x, g: x.normal_(generator=g),
    "laplace": _laplace,
    "uniform": lambda x, g: x.uniform_(-(3**0.5), 3**0.5, generator=g),
    "binomial": _centered_binomial,
    "binomial_uncentered": _binomial,
    "rademacher": _rademacher,
    "unit": lambda x, g: x.uniform_(generator=g),
    "symmetric": lambda x, g: x.uniform_(-1, 1, generator=g),
}
