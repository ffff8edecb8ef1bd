"""Libraries that only some parts need: imported when such a part is made."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

from trainables.errors import UsageError


def library(module: str, extra: str) -> Any:
    """The module of this name. What it says of other libraries when it is imported is not shown.

    Args:
        extra: The extra of this package that brings it.

    Raises:
        UsageError: it is not installed; the message names the extra.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if (error.name or "").partition(".")[0] != package:
            raise
        raise UsageError(
            f"this needs {package}, which is not installed: pip install 'flatsweep[{extra}]'"
        ) from None


__all__ = ["library"]
