"""Checkpoints that are whole or absent.

Layout: 32 bytes of SHA-256 over the rest, then torch's own format. They are
written atomically (`Storage.write`) and read with ``weights_only=True``, so a
checkpoint can neither be half there nor run code.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import pickle
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from trainables.errors import FlatsweepError, UsageError
from trainables.storage.files import Storage


class CheckpointError(FlatsweepError):
    """A checkpoint is damaged, or is not of this trial as this code trains it."""


def save(storage: Storage, name: str, state: dict[str, Any]) -> None:
    """Write ``state`` (tensors, numbers, strings, lists, dicts) as file ``name``."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    payload = buffer.getvalue()
    storage.write(name, hashlib.sha256(payload).digest() + payload)


def load(storage: Storage, name: str) -> dict[str, Any]:
    """Read what `save` wrote. Raises FileNotFoundError or CheckpointError."""
    return from_bytes(storage.read(name), storage.path(name))


def from_bytes(content: bytes, where: str) -> dict[str, Any]:
    """The state in a checkpoint's bytes. Raises CheckpointError, which names ``where`` it is.

    Tensors are on the CPU: who takes them over knows which belong on a device. Adam's counters do
    not, and read there they would make every step wait for each of them.
    """
    digest, payload = content[:32], content[32:]
    if hashlib.sha256(payload).digest() != digest:
        raise CheckpointError(f"{where} is damaged (its checksum does not match)")
    with fitting(where):
        state: dict[str, Any] = torch.load(
            io.BytesIO(payload), map_location="cpu", weights_only=True
        )
        require_form(state, {})
    return state


@contextlib.contextmanager
def fitting(where: str) -> Iterator[None]:
    """Within, a state that is whole is taken over: CheckpointError if it is of something else.

    Such is the state that other code wrote: with other names, other shapes, a field less. What
    went wrong on the device is no fault of the state.
    """
    try:
        yield
    except (torch.OutOfMemoryError, torch.AcceleratorError):
        raise
    except MISFITS as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{where} does not fit ({reason or type(error).__name__})") from error


def require_form(given: Any, like: Any, name: str = "state") -> None:
    """Raise UsageError where ``given`` has not the form of ``like``: keys, lengths, types, shapes.

    Keys beyond those of ``like`` are allowed, and a whole number where that has a fraction.

    Args:
        name: Of the value, for the message.
    """
    kind = float if isinstance(like, float) and type(given) is int else type(given)
    wanted = Tensor if isinstance(like, Tensor) else type(like)
    if not issubclass(kind, wanted) or (isinstance(given, bool) and not isinstance(like, bool)):
        raise UsageError(f"{name} is of type {type(given).__name__}, not {wanted.__name__}")
    if isinstance(like, Tensor):
        if (given.shape, given.dtype) != (like.shape, like.dtype):
            raise UsageError(f"{name} is {given.dtype} {tuple(given.shape)}, not "
                             f"{like.dtype} {tuple(like.shape)}")  # fmt: skip
    elif isinstance(like, Mapping):
        for key, value in like.items():
            if key not in given:
                raise UsageError(f"{name} has no {key!r}")
            require_form(given[key], value, f"{name}[{key!r}]")
    elif isinstance(like, list | tuple):
        if len(given) != len(like):
            raise UsageError(f"{name} has {len(given)} entries, not {len(like)}")
        for i, value in enumerate(like):
            require_form(given[i], value, f"{name}[{i}]")


def require_trial(given: Any, like: Mapping[str, Any], epochs: int) -> None:
    """Raise UsageError unless ``given`` is the state of a trial of so many epochs.

    Args:
        like: Its state before the first of them.
    """
    require_form(given, like)
    if not 0 <= given["epoch"] <= epochs:
        raise UsageError(f"it is of epoch {given['epoch']} of {epochs}")
    for name, values in given["history"].items():
        require_form(values, [0.0] * given["epoch"], f"the history of {name}")


MISFITS = (
    AttributeError, EOFError, IndexError, KeyError, RuntimeError, TypeError, ValueError,
    pickle.UnpicklingError,
)  # fmt: skip
"""What torch, and the parts of a trial, raise of a state that is not theirs."""
