"""Output that is not UTF-8 never ends a command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_what_a_terminal_cannot_show_is_replaced(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    command = "from sweep.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", command, "table", "compare/methods", "--format", "md",
         "--storage", str(tmp_path)],
        cwd=ROOT, env=environment, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "?" in done.stdout.decode("latin-1")
