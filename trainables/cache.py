"""Where copies lie that are made again when they are lost."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """``$FLATSWEEP_CACHE``, or ``flatsweep`` in the user's cache."""
    named = os.environ.get("FLATSWEEP_CACHE")
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(named).expanduser() if named else user / "flatsweep"


__all__ = ["cache_folder"]
