"""``python -m benchmarks [NAME ...]``: run and save every benchmark, or those named."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

HELPERS = {
    "__main__", "chaos_parts", "chaos_sweep", "driver", "process", "report", "stock", "study",
    "test_chaos", "test_scale", "test_step_times",
}  # fmt: skip
APART = {"chaos", "reproductions", "step_times"}
"""Not run with all others: they take hours or nights, and what the last saves decides how long
trials train."""


def main() -> None:
    folder = Path(__file__).parent
    names = sorted(
        {module.name for module in pkgutil.iter_modules([str(folder)])} - HELPERS - APART
    )
    wanted = sys.argv[1:] or names
    for name in wanted:
        if name not in names:
            sys.exit(f"unknown benchmark {name!r}; known: {', '.join(names)}")
    for name in wanted:
        print(f"== {name}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}", "--save"], check=True)


if __name__ == "__main__":
    main()
