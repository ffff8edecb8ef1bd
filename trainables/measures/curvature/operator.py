"""The Hessian of the mean loss as a linear operator, on kept graphs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.func import functional_call

from trainables.errors import UsageError
from trainables.measures.base import Batches
from trainables.measures.curvature.second_derivatives import fast_double_backward
from trainables.measures.parameters import select, vector_to_tensors
from trainables.methods.objective import LossFn
from trainables.methods.ops.attention import plain_attention
from trainables.structures import batch_size

KEPT_BYTES = 2 * 2**30
"""Default memory of the kept graphs. Batches beyond it are differentiated in each product."""


class HessianOperator:
    """``operator @ v = H v``, H the Hessian of the mean loss over *all samples* of ``batches``.

        H = (1 / N) sum_b n_b H_b,      H_b the Hessian of loss_fn on batch b of n_b samples

    Of a loss that is more than a mean over samples, such as the contrastive one, it is this mean
    over the batches as they are given. Attention is in its plain form (`plain_attention`).

    For each batch the graph of the first backward pass is built once and kept;
    a product is one reverse pass through it (Pearlmutter 1994), about one
    gradient for a wide perceptron and two for a convolutional network. The
    model's parameters, their ``grad`` and ``requires_grad`` are never touched.
    While the operator is in use they must not change (torch notices if they do).

    Args:
        parameters: Which parameters, see `trainables.measures.parameters.select`; the others
            are constants.
        memory: Bytes the kept graphs may take.

    Attributes:
        point: The selected parameters, by name.
        size: Their number of entries.
        samples: Number of samples.
        products: Hessian-vector products made so far.

    Raises:
        ValueError: if there are no samples, or a name is unknown.
    """

    def __init__(
        self,
        model: nn.Module,
        loss_fn: LossFn,
        batches: Batches,
        parameters: str | Sequence[str] = "all",
        memory: int = KEPT_BYTES,
    ) -> None:
        self.model, self.loss_fn, self.batches = model, loss_fn, batches
        chosen = select(model, parameters)
        self.point = {name: p.detach().requires_grad_() for name, p in chosen.items()}
        self._values = {name: p.detach() for name, p in model.named_parameters()} | self.point
        self.size = sum(p.numel() for p in self.point.values())
        self.samples = sum(batch_size(targets) for _, targets in self.batches)
        if not self.samples or not self.size:
            raise UsageError("a Hessian needs at least one sample and one trainable parameter")
        self.products = 0
        self._kept: dict[int, tuple[Tensor, ...]] = {}
        self._keep = self._how_many_fit(memory)

    def __matmul__(self, vectors: Tensor) -> Tensor:
        """H v for a vector (size,), or for each row of (k, size)."""
        rows = vectors.reshape(-1, self.size)
        out = torch.zeros_like(rows)
        leaves = list(self.point.values())
        for weight, gradient in self._gradients():
            differentiable = [g.requires_grad for g in gradient]
            outputs = [g for g, d in zip(gradient, differentiable, strict=True) if d]
            if not outputs:
                continue
            for row, target in zip(rows, out, strict=True):
                parts = vector_to_tensors(row, leaves)
                second = torch.autograd.grad(
                    outputs,
                    leaves,
                    [part for part, d in zip(parts, differentiable, strict=True) if d],
                    retain_graph=True,
                    allow_unused=True,
                )
                for part, value in zip(vector_to_tensors(target, leaves), second, strict=True):
                    if value is not None:
                        part.add_(value, alpha=weight)
        self.products += len(rows)
        return out.reshape(vectors.shape)

    def gradient(self) -> Tensor:
        """The gradient of the mean loss over all samples, (size,)."""
        out = self.vector()
        for weight, gradient in self._gradients():
            for part, value in zip(
                vector_to_tensors(out, self.point.values()), gradient, strict=True
            ):
                part.add_(value.detach(), alpha=weight)
        return out

    def vector(self, rows: int | None = None) -> Tensor:
        """Zeros, (size,) or (rows, size), in the parameters' dtype and on their device."""
        like = next(iter(self.point.values()))
        return like.new_zeros(self.size if rows is None else (rows, self.size))

    def _gradients(self) -> Iterator[tuple[float, tuple[Tensor, ...]]]:
        """For each batch its weight in the mean, and its gradient with the graph behind it."""
        for index, batch in enumerate(self.batches):
            gradient = self._kept.get(index) or self._differentiate(batch)
            if index < self._keep:
                self._kept[index] = gradient
            yield batch_size(batch[1]) / self.samples, gradient

    def _differentiate(self, batch: tuple[Any, Any]) -> tuple[Tensor, ...]:
        inputs, targets = batch
        with torch.enable_grad(), fast_double_backward(), plain_attention():
            loss = self.loss_fn(functional_call(self.model, self._values, (inputs,)), targets)
            return torch.autograd.grad(
                loss,
                list(self.point.values()),
                create_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )

    def _how_many_fit(self, memory: int) -> int:
        if len(self.batches) == 1:
            return 1
        sizes: dict[int, int] = {}

        def count(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            sizes[storage.data_ptr()] = storage.nbytes()
            return tensor

        with saved_tensors_hooks(count, lambda tensor: tensor):
            self._differentiate(self.batches[0])
        per_sample = sum(sizes.values()) / max(1, batch_size(self.batches[0][1]))
        fitting = 0
        for _, targets in self.batches:
            memory -= int(per_sample * batch_size(targets))
            if memory < 0:
                break
            fitting += 1
        return fitting
