"""``python -m benchmarks [NAME ...]``: run and save every benchmark, or those named."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

HELPERS = {
    "__main__", "driver", "process", "report", "stock", "study", "test_scale", "test_step_times",
}  # fmt: skip
DECIDES = {"step_times"}
"""Not run with all others: what it saves decides how long trials train."""


def main() -> None:
    folder = Path(__file__).parent
    names = sorted(
        {module.name for module in pkgutil.iter_modules([str(folder)])} - HELPERS - DECIDES
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
