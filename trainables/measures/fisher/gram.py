"""Gram matrices of per-sample gradients, without the gradients.

    G_ij = <g_i, g_j>,      g_i = gradient in the weights of <u_i, z(x_i)>

Row i of the (samples x parameters) matrix would hold all of g_i; here G is
summed layer by layer while one backward pass goes through the batch, so that
at most one layer's rows exist, in pieces of `BLOCK_ENTRIES` entries. A linear layer
needs none: its g_i is an outer product δ_i a_i', so

    G = (A A' + 1) ∘ (D D')     (the 1 for the bias; Goodfellow 2015)

and a convolution has δ_i a_i' summed over positions, where either the rows or
the position-by-position products are formed, whichever is cheaper.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.func import functional_call, vjp, vmap
from torch.nn import functional

from trainables.methods.ops.attention import plain_attention
from trainables.structures import batch_size, detached, take

BLOCK_ENTRIES = 2**25
"""Entries of the largest intermediate tensor (128 MiB in float32)."""

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)


def gram(model: nn.Module, inputs: Any, cotangent: Callable[[Tensor], Tensor]) -> Tensor:
    """G over all trainable parameters, (n, n), float64.

    Each layer's part is computed in the model's dtype, the sum over layers in float64: the
    rounding of G_ij is relative to ‖g_i‖ ‖g_j‖.

    Args:
        model: In evaluation mode: a sample's output must not depend on the other samples.
        cotangent: From the (n, classes) logits to u, same shape; called once, without gradients.
    """
    values = {name: p.detach() for name, p in model.named_parameters()}
    samples = batch_size(inputs)
    taps = _Taps(model, samples)
    with taps.attached(), torch.enable_grad(), plain_attention():
        logits = functional_call(model, values, (inputs,))
        u = cotangent(detached(logits))
        if logits.requires_grad:
            total = (logits * u.to(logits.dtype)).sum()
            torch.autograd.grad(total, taps.root, allow_unused=True)
    done = list(taps.parts)  # each used once, on the batch: its part is the whole
    out = torch.zeros(samples, samples, dtype=torch.float64, device=u.device)
    for layer in done:
        out += taps.parts[layer]
    covered = {name for layer in done for name in taps.owned[layer]}
    rest = [n for n, p in model.named_parameters() if p.requires_grad and n not in covered]
    for names in _groups(rest, values, BLOCK_ENTRIES // samples):
        out += _by_rows(model, values, names, inputs, u.to(logits.dtype))
    return out


class _Tap(Function):
    """The identity; its backward pass hands the gradient to ``show``."""

    @staticmethod
    def forward(ctx: Any, output: Tensor, root: Tensor, show: Callable[[Tensor], None]) -> Tensor:
        ctx.show = show
        return output.clone()  # so that an in-place activation may follow

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        ctx.show(gradient)
        return gradient, None, None


class _Taps:
    """Hooks on all layers whose Gram matrix has a formula."""

    def __init__(self, model: nn.Module, samples: int) -> None:
        self.samples = samples
        self.root = torch.zeros((), requires_grad=True)
        self.parts: dict[str, Tensor] = {}
        self.calls: Counter[str] = Counter()
        users = Counter(id(p) for _, p in model.named_parameters(remove_duplicate=False))
        self.layers = {
            name: module
            for name, module in model.named_modules()
            if _has_formula(module)
            and all(users[id(p)] == 1 for p in module.parameters(recurse=False))
            and all(p.requires_grad for p in module.parameters(recurse=False))
        }
        self.owned = {
            name: [f"{name}.{p}" if name else p for p, _ in module.named_parameters(recurse=False)]
            for name, module in self.layers.items()
        }

    def attached(self) -> _Attached:
        return _Attached(
            [module.register_forward_hook(self._hook(name)) for name, module in self.layers.items()]
        )

    def _hook(self, name: str) -> Callable[..., Tensor]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            self.calls[name] += 1
            a = inputs[0].detach()

            def show(gradient: Tensor) -> None:
                if self.calls[name] == 1 and len(a) == self.samples:
                    self.parts[name] = _layer_gram(module, a, gradient)

            return _Tap.apply(output, self.root, show)

        return hook


class _Attached:
    def __init__(self, hooks: list[Any]) -> None:
        self.hooks = hooks

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        for hook in self.hooks:
            hook.remove()


def _has_formula(module: nn.Module) -> bool:
    if isinstance(module, nn.Conv2d):
        zeros = module.padding_mode == "zeros" and not isinstance(module.padding, str)
        return zeros and module.groups == 1
    return isinstance(module, (nn.Linear, *_NORMS)) and any(True for _ in module.parameters())


def _layer_gram(module: nn.Module, a: Tensor, d: Tensor) -> Tensor:
    """The layer's part of G, from its inputs and the gradients of its outputs."""
    if isinstance(module, nn.Conv2d):
        out = _convolution_gram(module, a, d)
        return out if module.bias is None else out + _rows_gram(d.sum((2, 3)))
    if isinstance(module, nn.Linear) and a.ndim == 2:
        inner = (a @ a.T).double()
        return (inner if module.bias is None else inner + 1) * (d @ d.T).double()
    if isinstance(module, nn.Linear):
        columns, d = a.flatten(1, -2).transpose(1, 2), d.flatten(1, -2).transpose(1, 2)
        if _by_positions(d, columns.shape[1]):
            out = _positions_gram(columns, d)
        else:
            q = columns.shape[1]
            by_products = columns.transpose(1, 2)
            out = _pieces_gram(d, q, q, lambda part, some: torch.bmm(part, by_products[some]))
        return out if module.bias is None else out + _rows_gram(d.sum(2))
    return sum((_rows_gram(row) for row in _norm_rows(module, a, d)), torch.zeros(()))


def _unfold(module: nn.Conv2d, a: Tensor) -> Tensor:
    """What the kernel sees at each position: (n, c_in * kernel, positions)."""
    return functional.unfold(
        a,
        module.kernel_size,
        dilation=module.dilation,
        padding=module.padding,  # type: ignore[arg-type]
        stride=module.stride,
    )


def _rows_gram(rows: Tensor) -> Tensor:
    rows = rows.flatten(1)
    return (rows @ rows.T).double()


def _convolution_gram(module: nn.Conv2d, a: Tensor, d: Tensor) -> Tensor:
    flat = d.flatten(2)
    q = module.weight[0].numel()
    if _by_positions(flat, q):
        return _positions_gram(_unfold(module, a), flat)
    if a.is_cuda:  # where as many groups as samples are not expected to be fast
        unfolded = q * flat.shape[2]
        return _pieces_gram(flat, q, unfolded, lambda part, some: _unrolled(module, a[some], part))
    return _pieces_gram(d, q, a[0].numel(), lambda part, some: _grouped(module, a[some], part))


def _unrolled(module: nn.Conv2d, a: Tensor, d: Tensor) -> Tensor:
    """Weight gradient of each sample, as a product over positions."""
    return torch.bmm(d, _unfold(module, a).transpose(1, 2))


def _grouped(module: nn.Conv2d, a: Tensor, d: Tensor) -> Tensor:
    """The same, as that of one image whose groups of channels are the samples."""
    n, c = d.shape[:2]
    weight = a.new_empty(n * c, *module.weight.shape[1:])  # its values do not matter
    geometry = (module.stride, module.padding, module.dilation, False, [0, 0], n)
    one, many = (t.reshape(1, -1, *t.shape[2:]) for t in (a, d))
    gradient = torch.ops.aten.convolution_backward(
        many, one, weight, None, *geometry, [False, True, False]
    )[1]
    return gradient.view(n, -1)


def _by_positions(d: Tensor, q: int) -> bool:
    """Whether ``d``, (n, c, L), times columns of ``q`` costs less by pairs of positions."""
    n, c, length = d.shape
    return n * length**2 * (q + c) < (length + n) * q * c


def _positions_gram(a: Tensor, d: Tensor) -> Tensor:
    """Gram matrix of ``sum_l d_i[:, l] a_i[:, l]'``, from a (n, q, L), as
    ``sum_lm (a_i[:, l]' a_j[:, m]) (d_i[:, l]' d_j[:, m])``.
    """
    n, _, length = d.shape
    out = torch.zeros(n, n, dtype=torch.float64, device=d.device)
    flat_a, flat_d = (t.transpose(0, 1).reshape(t.shape[1], -1) for t in (a, d))
    step = max(1, BLOCK_ENTRIES // (n * length**2))
    for i in range(0, n, step):
        some = slice(i * length, min(n, i + step) * length)
        products = (flat_a[:, some].T @ flat_a).mul_(flat_d[:, some].T @ flat_d)
        out[i : i + step] = products.view(-1, length, n, length).sum((1, 3)).double()
    return out


def _pieces_gram(d: Tensor, q: int, each: int, rows: Callable[[Tensor, slice], Tensor]) -> Tensor:
    """Gram matrix of rows made for some output channels and some samples at a time.

    Args:
        q: Entries of a row for one output channel.
        each: Entries that ``rows`` needs for a sample beside its result.
        rows: From (some samples, some channels, ...) of ``d`` and the samples' slice.
    """
    n, c = d.shape[:2]
    out = torch.zeros(n, n, dtype=torch.float64, device=d.device)
    wide = max(1, BLOCK_ENTRIES // (n * q))
    step = max(1, BLOCK_ENTRIES // each)
    for k in range(0, c, wide):
        part = d[:, k : k + wide]
        pieces = [
            rows(part[i : i + step], slice(i, i + step)).flatten(1) for i in range(0, n, step)
        ]
        out += _rows_gram(torch.cat(pieces))
    return out


def _norm_rows(module: nn.Module, a: Tensor, d: Tensor) -> Iterator[Tensor]:
    """Per-sample gradients of a normalisation's weight and bias, (n, channels) each."""
    if isinstance(module, nn.LayerNorm):
        x = functional.layer_norm(a, module.normalized_shape, None, None, module.eps)
        over = tuple(range(1, a.ndim - len(module.normalized_shape)))
    else:
        if isinstance(module, nn.GroupNorm):
            x = functional.group_norm(a, module.num_groups, None, None, module.eps)
        else:
            mean, var = module.running_mean, module.running_var
            x = functional.batch_norm(a, mean, var, None, None, False, 0.0, module.eps)  # type: ignore[arg-type]
        over = tuple(range(2, a.ndim))
    yield (d * x).sum(over) if over else d * x
    if module.bias is not None:
        yield d.sum(over) if over else d


def _groups(names: list[str], values: dict[str, Tensor], most: int) -> Iterator[list[str]]:
    """Cut ``names`` into runs of at most ``most`` entries (or of one parameter)."""
    group: list[str] = []
    for name in names:
        if group and sum(values[n].numel() for n in [*group, name]) > most:
            yield group
            group = []
        group.append(name)
    if group:
        yield group


def _by_rows(
    model: nn.Module, values: dict[str, Tensor], names: list[str], inputs: Any, u: Tensor
) -> Tensor:
    """The part of ``names``, from their per-sample gradients: what has no formula."""
    chosen = {name: values[name] for name in names}

    def row(x: Any, cotangent: Tensor) -> tuple[Tensor, ...]:
        def output(parameters: dict[str, Tensor]) -> Tensor:
            return functional_call(model, values | parameters, (take(x, None),))[0]

        return tuple(vjp(output, chosen)[1](cotangent)[0].values())

    with plain_attention():  # the fused one has no batching rule
        parts = vmap(row)(inputs, u)
    return torch.stack([_rows_gram(part) for part in parts]).sum(dim=0)
