"""What a test may need that is not everywhere; without it the test is skipped, and says so.

There is no other skip in the tests (`test_skips.py`): whatever else is wrong is a failure.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

KINDS = ("hardware", "data", "program")
"""How the reason of a skip begins."""


def needs_gpu() -> pytest.MarkDecorator:
    """A CUDA device."""
    import torch

    return _skip(not torch.cuda.is_available(), "hardware", "a CUDA device")


def needs_data(file: str) -> pytest.MarkDecorator:
    """A file of the folder ``FLATSWEEP_DATA``: a data set that this package cannot make."""
    folder = os.environ.get("FLATSWEEP_DATA", "")
    there = bool(folder) and (Path(folder) / file).is_file()
    return _skip(not there, "data", f"{file} in the folder FLATSWEEP_DATA")


def needs_program(*names: str) -> pytest.MarkDecorator:
    """One of the programs ``names``."""
    return _skip(not any(map(shutil.which, names)), "program", " or ".join(names))


def _skip(absent: bool, kind: str, what: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(absent, reason=f"{kind}: {what}")
