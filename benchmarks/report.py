"""Where a measured number comes from, and how it is kept: `benchmarks/results/THEME.{json,md}`."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def environment(*packages: str) -> dict[str, str]:
    """Date, processor, cores, load, Python and the versions of ``packages``."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "hardware": f"{_processor()}, {os.cpu_count()} cores{_gpu()}",
        "load": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.split(": ", 1)[1] for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _gpu() -> str:
    import torch

    return f", {torch.cuda.get_device_name(0)}" if torch.cuda.is_available() else ", no GPU"


def publish(
    theme: str,
    title: str,
    rows: Sequence[Mapping[str, Any]],
    *packages: str,
    notes: Sequence[str] = (),
    save: bool = True,
) -> str:
    """Print ``rows`` as a Markdown table with its environment; keep both if ``save``."""
    found = environment(*packages)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [
        f"# {title}",
        "",
        "; ".join(f"{name} {value}" for name, value in found.items()),
        "",
        "| " + " | ".join(columns) + " |",
        "|" + " --- |" * len(columns),
        *("| " + " | ".join(str(row.get(name, "")) for name in columns) + " |" for row in rows),
        "",
        *(f"- {note}" for note in notes),
    ]
    text = "\n".join(lines).rstrip() + "\n"
    print(text)
    if save:
        RESULTS.mkdir(exist_ok=True)
        kept = {"environment": found, "rows": list(rows), "notes": list(notes)}
        (RESULTS / f"{theme}.json").write_text(json.dumps(kept, indent=1) + "\n")
        (RESULTS / f"{theme}.md").write_text(text)
    return text
