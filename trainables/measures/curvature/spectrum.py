"""Extreme eigenvalues by Lanczos with full reorthogonalisation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.errors import UsageError
from trainables.measures.base import Result, Target, registry
from trainables.measures.curvature.operator import HessianOperator
from trainables.measures.parameters import Which
from trainables.methods.ops.noise import fill
from trainables.registry import Count, Index, Positive

TOLERANCE = 1e-4
"""Relative error of an eigenvalue at which Lanczos stops."""

MAX_PRODUCTS = 200
"""Hessian-vector products at which it stops in any case."""


@dataclass(frozen=True)
class Spectrum:
    """Ends of a symmetric operator's spectrum.

    Attributes:
        largest: The k largest eigenvalues, descending.
        smallest: The k smallest, ascending.
        error: Bound on the distance of each of them to an eigenvalue: the largest of
            min(r, r² / gap), r the residual of a Ritz pair and gap its distance to the next one
            (Parlett 1998, chapter 11). It cannot tell whether one further out was missed, which
            is unlikely for an outlier and likely at the edge of a dense bulk.
        products: Products with the operator.
    """

    largest: tuple[float, ...]
    smallest: tuple[float, ...]
    error: float
    products: int


def extreme_eigenvalues(
    product: Callable[[Tensor], Tensor],
    start: Tensor,
    largest: int = 1,
    smallest: int = 0,
    tolerance: float = TOLERANCE,
    max_products: int = MAX_PRODUCTS,
    generator: torch.Generator | None = None,
) -> Spectrum:
    """Lanczos from ``start`` (d,) until the error bound of every wanted eigenvalue is below
    ``tolerance`` times the largest absolute Ritz value.

    The basis, one vector per product, is kept and every new vector is made orthogonal to all of
    it, twice: without that Lanczos finds converged eigenvalues again and again. A Krylov space
    has each eigenvalue once. When it closes and more than one is wanted, the search goes on from
    a random vector orthogonal to it, until a space adds none; one that stops before it closes
    has not looked for copies. Recurrence coefficients are in float64, vectors as ``start``.

    Raises:
        ValueError: when more eigenvalues are asked for than the operator has.
    """
    size = start.numel()
    if max(largest, smallest) > size:
        raise UsageError(f"{max(largest, smallest)} eigenvalues of a {size} x {size} operator")
    basis = start.new_empty(0, size)
    diagonal: list[float] = []
    beside: list[float] = []
    v = start / torch.linalg.vector_norm(start)
    opened = 0  # where the present Krylov space begins
    while True:
        basis = torch.cat([basis, v[None]])
        w = product(v)
        diagonal.append(float(v.double() @ w.double()))
        w = _orthogonal(w, basis)
        beta = float(torch.linalg.vector_norm(w, dtype=torch.float64))
        ritz, vectors = torch.linalg.eigh(_tridiagonal(diagonal, beside))
        scale = max(float(ritz.abs().max()), torch.finfo(torch.float64).tiny)
        closed = beta <= 10 * torch.finfo(start.dtype).eps * scale
        residual = vectors[-1].abs() * (0.0 if closed else beta)
        done = len(diagonal)
        wanted = [*range(min(smallest, done)), *range(max(0, done - largest), done)]
        error = max((_bound(ritz, residual, i) for i in wanted), default=0.0)
        if done >= min(max_products, size):
            break
        if closed:
            new = vectors[opened:, wanted].square().sum(dim=0)
            if max(largest, smallest) == 1 or (done >= len(wanted) and float(new.max()) < 0.5):
                break
            fill(w, "normal", generator)
            w, opened, beta = _orthogonal(w, basis), done, 0.0
        elif not opened and 1 < done >= max(largest, smallest) and error <= tolerance * scale:
            break
        beside.append(beta)
        v = w / torch.linalg.vector_norm(w)
    values = ritz.tolist()
    top = tuple(reversed(values))[:largest]
    return Spectrum(top, tuple(values[:smallest]), error, done)


def _orthogonal(w: Tensor, basis: Tensor) -> Tensor:
    """``w`` without its part in ``basis``; once leaves rounding, twice is enough."""
    for _ in range(2):
        w = w - basis.T @ (basis @ w)
    return w


def _tridiagonal(diagonal: list[float], beside: list[float]) -> Tensor:
    off = torch.tensor(beside, dtype=torch.float64)
    matrix = torch.diag(torch.tensor(diagonal, dtype=torch.float64))
    return matrix + torch.diag(off, 1) + torch.diag(off, -1)


def _bound(ritz: Tensor, residual: Tensor, index: int) -> float:
    """min(r, r² / gap) of one Ritz value; no gap where the others' own residuals may close it."""
    r = float(residual[index])
    gaps = (ritz - ritz[index]).abs() - residual
    others = torch.cat([gaps[:index], gaps[index + 1 :]])
    gap = float(others.min()) if len(others) else 0.0
    return min(r, r * r / gap) if gap > 0 else r


def hessian_spectrum(
    target: Target,
    *,
    largest: int = 1,
    smallest: int = 0,
    parameters: Which = "all",
    tolerance: float = TOLERANCE,
    max_products: int = MAX_PRODUCTS,
) -> Spectrum:
    """The ends of the spectrum of the Hessian of the mean loss over all samples."""
    operator = HessianOperator(target.model, target.loss_fn, target.batches, parameters)
    start = operator.vector()
    fill(start, "normal", target.generator)
    return extreme_eigenvalues(
        operator.__matmul__, start, largest, smallest, tolerance, max_products, target.generator
    )


@registry.register("hessian_lambda_max")
def hessian_lambda_max(
    target: Target,
    *,
    parameters: Which = "all",
    tolerance: Positive = TOLERANCE,
    max_products: Count = MAX_PRODUCTS,
) -> float:
    """The largest eigenvalue (not the largest in absolute value) of the Hessian.

    Relative error at most ``tolerance`` unless ``max_products`` ran out; see `hessian_spectrum`
    for the bound that was reached. Options: `hessian_eigenvalues`.
    """
    return hessian_spectrum(
        target,
        parameters=parameters,
        tolerance=tolerance,
        max_products=max_products,
    ).largest[0]


@registry.register("hessian_eigenvalues")
def hessian_eigenvalues(
    target: Target,
    *,
    largest: Index = 5,
    smallest: Index = 1,
    parameters: Which = "all",
    tolerance: Positive = TOLERANCE,
    max_products: Count = MAX_PRODUCTS,
) -> Result:
    """The largest and the smallest eigenvalues of the Hessian of the mean loss.

    Args:
        largest, smallest: How many of each.
        parameters: Over which parameters; see `trainables.measures.parameters.Which`.
        tolerance: Relative error at which Lanczos stops.
        max_products: Hessian-vector products at which it stops in any case.

    Returns:
        ``largest_1`` (the largest), ``largest_2``, ..., ``smallest_1`` (the smallest), ...;
        ``error``, a bound on the error of each; ``products``, how many Hessian-vector products
        it took.
    """
    spectrum = hessian_spectrum(
        target,
        largest=largest,
        smallest=smallest,
        parameters=parameters,
        tolerance=tolerance,
        max_products=max_products,
    )
    values = {f"largest_{i}": value for i, value in enumerate(spectrum.largest, start=1)}
    values |= {f"smallest_{i}": value for i, value in enumerate(spectrum.smallest, start=1)}
    return values | {"error": spectrum.error, "products": float(spectrum.products)}
