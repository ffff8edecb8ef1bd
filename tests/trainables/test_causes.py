"""Which errors are the code's, the memory's and the device's: by what torch and CUDA say."""

from __future__ import annotations

import pytest
import torch

from trainables.causes import Cause, cause_of, explained

ERRORS: list[tuple[BaseException, Cause]] = [
    (ValueError("CUDA error is a word in a value"), "code"),
    (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), "code"),
    (MemoryError(), "memory"),
    (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "memory"),
    (RuntimeError("CUDA error: out of memory"), "memory"),
    (OSError(12, "Cannot allocate memory"), "memory"),
    (FileNotFoundError(2, "No such file or directory"), "code"),
    (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
     "memory"),
    (RuntimeError("CUDA error: device-side assert triggered\nCUDA kernel errors might be"),
     "device"),
    (RuntimeError("CUDA error: an illegal memory access was encountered"), "device"),
    (RuntimeError("CUDA error: uncorrectable ECC error encountered"), "device"),
    (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), "device"),
    (torch.AcceleratorError("an error of the device"), "device"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "cause"), ERRORS, ids=[str(e)[:40] for e, _ in ERRORS])
def test_a_cause_is_told_by_class_and_words(error: BaseException, cause: Cause) -> None:
    assert cause_of(error) == cause


def test_a_cause_is_explained_in_one_line() -> None:
    assert explained("node") == "its node was lost"
    assert explained("device", "RuntimeError: bad\nand a trace") == (
        "its device failed (RuntimeError: bad)"
    )
