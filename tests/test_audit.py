"""The audit of dependencies is advisory: it says what it found, or that it was not done."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("auditor", "said"),
    [
        ("exit 0", "audit: no known vulnerability"),
        ("echo Found 2 known vulnerabilities in 1 package; exit 1", "raise it with make lock"),
        ("echo Failed to reach the index; exit 1", "audit: not done (Failed to reach the index)"),
        ("exit 127", "audit: not done ()"),
    ],
)
def test_an_audit_never_fails_the_run(auditor: str, said: str, tmp_path: Path) -> None:
    program = tmp_path / "auditor"
    program.write_text(f"#!/bin/sh\necho $@ >{tmp_path}/given\n{auditor}\n", encoding="utf-8")
    program.chmod(0o755)
    done = subprocess.run(
        [ROOT / ".ci/audit"], env={**os.environ, "AUDITOR": str(program)}, text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert said in done.stdout
    assert "--requirement requirements.lock" in (tmp_path / "given").read_text(encoding="utf-8")


def test_it_is_part_of_the_run() -> None:
    assert "\n.ci/audit\n" in (ROOT / ".ci/run").read_text(encoding="utf-8")
