"""A GPU that is none: tensors that say ``cuda:0``, computed on the CPU, with their costs counted.

    with SimulatedGPU() as gpu:
        fit(config, Execution(device="cuda"))
    gpu.total("wait"), gpu.places("wait")

What a GPU would refuse is refused: operations on tensors of several devices, a generator of another
device. Its random numbers are those of a CPU generator with the same seed, so that a trial gives
the CPU's numbers, bit for bit. What would cost time there is counted, with the line that asked for
it: kernels, copies between host and device, and where the host waits.

It differs from a GPU in this: a fused list operation (``torch._foreach_*``) counts as one launch,
autocast has no effect, and what torch composes of several operations is composed as on a CPU.
Nothing but tests and `sweep profile` imports it.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, NamedTuple, Self

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from trainables.errors import FlatsweepError

Kind = Literal["launch", "fill", "copy", "pageable", "wait"]
"""``launch``: a kernel; ``fill``: one that writes a constant, a launch too; ``copy``: between host
and device; ``pageable``: a copy from memory that is not pinned; ``wait``: the host waits."""

DEVICE = torch.device("cuda", 0)
NAME = "a simulated GPU"
MEMORY = 80 * 2**30
"""Bytes that are said to be free on it."""

_META = torch.device("meta")
"""What torch takes the device for. Its autograd needs no driver for that one; a tensor that is
really on it is not to be found in a trial."""

_CPU = torch.device("cpu")


class MixedDevicesError(FlatsweepError, RuntimeError):
    """Tensors, or a generator, of several devices met in one operation."""


class Event(NamedTuple):
    """Something that costs time on a device.

    Attributes:
        place: ``file:line`` of the innermost frame that is of no library.
    """

    kind: Kind
    place: str


class SimulatedTensor(Tensor):
    """A tensor of the simulated device.

    Attributes:
        host: Its numbers.
    """

    host: Tensor
    device = property(lambda self: DEVICE)
    is_cuda = property(lambda self: True)
    is_meta = property(lambda self: False)

    @staticmethod
    def __new__(cls, host: Tensor) -> SimulatedTensor:
        made: SimulatedTensor = Tensor._make_wrapper_subclass(
            cls,
            host.size(),
            strides=host.stride(),
            storage_offset=host.storage_offset(),
            dtype=host.dtype,
            device=_META,
        )
        made.host = host
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        raise RuntimeError(f"{func}: a simulated tensor is used outside of its simulation")

    def data_ptr(self) -> int:
        """Of its numbers: equal where two tensors begin at the same one."""
        return self.host.data_ptr()

    def untyped_storage(self) -> torch.UntypedStorage:
        """Of its numbers."""
        return self.host.untyped_storage()

    def tolist(self) -> Any:
        """As of any tensor: by a copy on the host."""
        return self.cpu().tolist()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.detach().cpu().__reduce_ex__(protocol)

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return f"SimulatedTensor({self.host})"


class SimulatedGPU:
    """Within the block torch has one GPU, which is simulated.

    Attributes:
        counted: How often what happened, where.
    """

    def __init__(self) -> None:
        self.counted: Counter[Event] = Counter()
        self.pinned: dict[int, Tensor] = {}
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        enter = self._stack.enter_context
        if torch.cuda.is_available():
            torch.cuda.init()
        else:  # torch asks for it in C++, where a mode for functions is not asked
            enter(_replaced(torch.cuda, "_lazy_init", lambda: None))
        for name, value in _CUDA.items():
            enter(_replaced(torch.cuda, name, value))
        enter(_replaced(torch, "Generator", _Generator))
        stream = SimpleNamespace(is_capturing=lambda: False)
        enter(_replaced(torch.accelerator, "current_stream", lambda *_: stream))
        # Asked for the class of a tensor; a GPU's own has fused list operations.
        enter(_replaced(torch.nn.utils.clip_grad, "_has_foreach_support", lambda *_: True))
        # A parameter that moves becomes another one: it cannot take over a simulated tensor's data.
        overwritten = torch.__future__.get_overwrite_module_params_on_conversion()
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        self._stack.callback(
            torch.__future__.set_overwrite_module_params_on_conversion, overwritten
        )
        enter(_Placement(self))
        enter(_Dispatch(self))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def count(self, kind: Kind) -> None:
        """Note that this happened, on behalf of the line that is running."""
        self.counted[Event(kind, _place())] += 1

    def total(self, kind: Kind) -> int:
        """How often it happened."""
        return sum(times for event, times in self.counted.items() if event.kind == kind)

    def places(self, kind: Kind) -> dict[str, int]:
        """How often it happened at each line, the most first."""
        return {e.place: times for e, times in self.counted.most_common() if e.kind == kind}

    @contextlib.contextmanager
    def watching(self) -> Iterator[SimulatedGPU]:
        """Within the block what happens is also counted in the object that this gives."""
        seen = SimulatedGPU()
        before = self.counted.copy()
        try:
            yield seen
        finally:
            seen.counted = self.counted - before

    def pin(self, host: Tensor) -> Tensor:
        """A copy of ``host`` in pinned memory."""
        pinned = host.clone()
        self.pinned[pinned.untyped_storage().data_ptr()] = pinned
        return pinned

    def is_pinned(self, host: Tensor) -> bool:
        """Whether ``host`` is in memory from which a copy does not wait."""
        return host.untyped_storage().data_ptr() in self.pinned


class _Dispatch(TorchDispatchMode):
    """Computes what concerns the device on the CPU, below autograd."""

    def __init__(self, gpu: SimulatedGPU) -> None:
        super().__init__()
        self._gpu = gpu

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        leaves, form = pytree.tree_flatten((args, kwargs))
        tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        ours = [t for t in tensors if isinstance(t, SimulatedTensor)]
        asked = kwargs.get("device")
        if not ours and (asked is None or asked.type == "cpu"):
            return func(*args, **kwargs)
        stays = bool(ours) if asked is None else asked.type != "cpu"
        hosts = [t for t in tensors if not isinstance(t, SimulatedTensor)]
        call = _Call(func, args, kwargs, ours, hosts, stays)
        for kind in call.costs(self._gpu.is_pinned):
            self._gpu.count(kind)

        plain_args, plain_kwargs = pytree.tree_unflatten([_plain(leaf) for leaf in leaves], form)
        result = func(*plain_args, **plain_kwargs)
        for tensor in ours if func._schema.is_mutable else ():
            if tensor.shape != tensor.host.shape:
                raise NotImplementedError(f"{func} changes the shape of a simulated tensor")
        known = {id(_plain(t)): t for t in tensors}

        def placed(tensor: Tensor) -> Tensor:
            if id(tensor) in known:
                return known[id(tensor)]
            return SimulatedTensor(tensor) if stays else tensor

        return pytree.tree_map_only(Tensor, placed, result)


def _plain(leaf: Any) -> Any:
    """What an operation on the CPU is given instead of ``leaf``."""
    if isinstance(leaf, SimulatedTensor):
        return leaf.host
    return _CPU if isinstance(leaf, torch.device) else leaf


class _Call(NamedTuple):
    """An operation in which the device takes part.

    Attributes:
        ours, hosts: Its arguments on the device, and on the host.
        stays: Whether what it returns is on the device.
    """

    func: Any
    args: Any
    kwargs: Any
    ours: list[SimulatedTensor]
    hosts: list[Tensor]
    stays: bool

    def costs(self, is_pinned: Callable[[Tensor], bool]) -> Iterator[Kind]:
        """What it would cost on a GPU. Raises MixedDevicesError where a GPU would refuse it."""
        name = self.func._schema.name.removeprefix("aten::")
        if name in _TRANSFERS:
            yield from self._transfers(name, is_pinned)
            return
        if name in _INDEXING:
            yield from self._indices(is_pinned)
        elif self.ours and any(not self._may_meet(host) for host in self.hosts):
            raise MixedDevicesError(
                f"{self.func} at {_place()}: tensors of {DEVICE} and of the CPU, of shapes "
                f"{[tuple(t.shape) for t in self.ours]} and {[tuple(t.shape) for t in self.hosts]}"
            )
        if name in _WAITING:
            yield "wait"
        if name in _UNFILLED:
            if _fills_new_memory():
                yield from ("launch", "fill")
        elif not self.func.is_view and name not in _WITHOUT_KERNEL:
            yield "launch"
            if name in _FILLING:
                yield "fill"

    def _may_meet(self, host: Tensor) -> bool:
        """Whether a GPU takes this tensor of the host for a number."""
        name = self.func._schema.name
        return not host.dim() and (torch.Tag.pointwise in self.func.tags or "_foreach" in name)

    def _transfers(self, name: str, is_pinned: Callable[[Tensor], bool]) -> Iterator[Kind]:
        if name == "_to_copy":
            pairs = [(self.stays, self.args[0])]
            patient = not self.kwargs.get("non_blocking", False)
        else:
            targets, sources, *rest = self.args
            several = name == "_foreach_copy_"
            both = zip(targets, sources, strict=True) if several else [(targets, sources)]
            pairs = [(isinstance(target, SimulatedTensor), source) for target, source in both]
            patient = not (rest[0] if rest else self.kwargs.get("non_blocking", False))
        crossing = [(to, s) for to, s in pairs if to != isinstance(s, SimulatedTensor)]
        if len(crossing) < len(pairs):
            yield "launch"
        for to_device, source in crossing:
            yield "copy"
            pageable = to_device and not is_pinned(source)
            if pageable:
                yield "pageable"
            if pageable or patient or not to_device:
                yield "wait"

    def _indices(self, is_pinned: Callable[[Tensor], bool]) -> Iterator[Kind]:
        """Indices may be on the host, and are then copied; masks are counted first."""
        target, indices, *_ = self.args
        if not isinstance(target, SimulatedTensor):
            raise MixedDevicesError(f"{self.func} at {_place()}: indices of {DEVICE} on the CPU")
        for index in indices:
            if isinstance(index, SimulatedTensor):
                if index.dtype in (torch.bool, torch.uint8):
                    yield "wait"
            elif isinstance(index, Tensor):
                yield "copy"
                if not is_pinned(index):
                    yield from ("pageable", "wait")


_TRANSFERS = {"_to_copy", "copy_", "_foreach_copy_"}
_INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"}
_WAITING = {
    "_local_scalar_dense", "equal", "nonzero", "masked_select", "_unique2", "unique_dim",
    "unique_consecutive", "unique_dim_consecutive", "repeat_interleave", "bincount",
    "_linalg_check_errors", "is_nonzero", "_ctc_loss", "segment_reduce",
}  # fmt: skip
_UNFILLED = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided",
             "empty_permuted"}  # fmt: skip
_FILLING = {"fill_", "fill", "zero_", "zero", "_foreach_zero_", "zeros", "zeros_like", "new_zeros",
            "ones", "ones_like", "new_ones", "full", "full_like", "new_full"}  # fmt: skip
_WITHOUT_KERNEL = {"_local_scalar_dense", "_unsafe_view", "_linalg_check_errors", "lift",
                   "is_same_size", "_has_compatible_shallow_copy_type"}  # fmt: skip


def _fills_new_memory() -> bool:
    fills: bool = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    return fills and torch.are_deterministic_algorithms_enabled()


class _Placement(TorchFunctionMode):
    """Says to torch, instead of ``cuda``, what it takes the device for, before it asks a driver."""

    def __init__(self, gpu: SimulatedGPU) -> None:
        super().__init__()
        self._gpu = gpu

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if kwargs.get("generator") is not None:
            _require_same_device(func, args, kwargs)
        on_device = _is_cuda(kwargs.get("device"))
        if on_device:
            kwargs["device"] = _META
        if func is Tensor.to:
            args = (args[0], *(_META if _is_cuda(given) else given for given in args[1:]))
        elif func is Tensor.cuda:
            return args[0].to(_META, non_blocking=kwargs.get("non_blocking", False))
        elif func is Tensor.pin_memory:
            return self._gpu.pin(args[0])
        elif func is Tensor.is_pinned:
            return self._gpu.is_pinned(args[0])
        elif func in _FROM_DATA and on_device:
            del kwargs["device"]
            return func(*args, **kwargs).to(_META)
        if kwargs.pop("pin_memory", False):
            return self._gpu.pin(func(*args, **kwargs))
        return func(*args, **kwargs)


_FROM_DATA = (torch.tensor, torch.as_tensor, torch.asarray)
"""These read Python's numbers, on the host, and then copy them."""


def _is_cuda(given: Any) -> bool:
    if isinstance(given, torch.device):
        return given.type == "cuda"
    return isinstance(given, str) and given.partition(":")[0] == "cuda"


class _Generator(torch.Generator):
    """On the CPU, whatever device was asked for; it says which that was."""

    def __new__(cls, device: Any = "cpu") -> Self:
        made = super().__new__(cls, "cpu")  # type: ignore[call-arg]
        made.simulated = _is_cuda(device)
        return made

    simulated: bool

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return DEVICE if self.simulated else _CPU


def _require_same_device(func: Any, args: Any, kwargs: Any) -> None:
    """Raise MixedDevicesError where the generator is of another device than what is drawn."""
    if "device" in kwargs and kwargs["device"] is not None:
        on_device = _is_cuda(kwargs["device"])
    else:
        on_device = any(isinstance(given, SimulatedTensor) for given in args)
    if on_device != getattr(kwargs["generator"], "simulated", False):
        there, here = (DEVICE, _CPU) if on_device else (_CPU, DEVICE)
        raise MixedDevicesError(f"{func} at {_place()}: drawn on {there} by a generator of {here}")


_CUDA: dict[str, Any] = {
    "is_available": lambda: True,
    "is_initialized": lambda: True,
    "is_bf16_supported": lambda *_: True,
    "device_count": lambda: 1,
    "current_device": lambda: 0,
    "get_device_name": lambda *_: NAME,
    "get_device_properties": lambda *_: SimpleNamespace(name=NAME, total_memory=MEMORY),
    "mem_get_info": lambda *_: (MEMORY, MEMORY),
    "synchronize": lambda *_: None,
    "manual_seed": lambda seed: torch.default_generator.manual_seed(seed),
    "get_rng_state": lambda *_: torch.get_rng_state(),
    "set_rng_state": lambda state, *_: torch.set_rng_state(state),
}
"""What ``torch.cuda`` answers. There is one stream of global random numbers, the CPU's, from which
the trial on a CPU draws too."""


@contextlib.contextmanager
def _replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def _place() -> str:
    """``file:line`` of the innermost frame that is of no library."""
    frame = sys._getframe(1)
    while frame is not None:
        if name := _shown(frame.f_code.co_filename):
            return f"{name}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return "elsewhere"


_PACKAGE = Path(__file__).parent
_LIBRARIES = (os.path.dirname(os.__file__), os.path.dirname(os.path.dirname(torch.__file__)))


@cache
def _shown(file: str) -> str:
    """How a file is named in `Event.place`; empty for this one and for those of libraries."""
    path = Path(file)
    if path.is_relative_to(_PACKAGE):
        return "" if file == __file__ else path.relative_to(_PACKAGE.parent).as_posix()
    return "" if file.startswith(("<", *_LIBRARIES)) else path.name


__all__ = ["DEVICE", "Event", "Kind", "MixedDevicesError", "SimulatedGPU", "SimulatedTensor"]
