"""What a number comes from, beside its configuration: commit, versions, hardware, precision.

The same trial has the same bits where these are the same. Elsewhere its last bits may differ, and
so may those of a trial that goes on elsewhere: that is said.
"""

from __future__ import annotations

import hashlib
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

DECIDING = re.compile(
    r"numpy|pillow|pyarrow|scikit_learn|scipy|torch|torchvision|nvidia_cu(blas|dnn)\w*"
)
"""Packages whose versions the bits of a trial can depend on, by name."""

Machine = dict[str, str]
"""``hardware``, ``driver`` (of a GPU), ``packages``: name and version of each of `DECIDING`, and
``environment``: a digest of the versions of all that is installed."""


def provenance(device: str, precision: str, threads: int) -> dict[str, str]:
    """The entries of a result that do not depend on its data, as texts."""
    return {
        **_program(),
        **machine(device),
        "device": device,
        "precision": precision,
        "threads": str(threads),
    }


@cache
def machine(device: str) -> Machine:
    """What is here, as far as the bits of a trial on ``device`` depend on it."""
    installed = _installed()
    everything = "; ".join(f"{name}={version}" for name, version in sorted(installed.items()))
    deciding = {n: v for n, v in sorted(installed.items()) if DECIDING.fullmatch(n)}
    return {
        "hardware": _hardware(device),
        **({"driver": _driver()} if device.startswith("cuda") else {}),
        "packages": "; ".join(f"{name}={version}" for name, version in deciding.items()),
        "environment": hashlib.sha256(everything.encode()).hexdigest()[:16],
    }


def elsewhere(before: Mapping[str, str], device: str) -> str:
    """In what the machine ``before`` differs from this one, such as ``hardware A (was B)``.

    Empty: in nothing on which bits can depend, or it is not known.
    """
    now, was = _flat(machine(device)), _flat(before)
    return ", ".join(
        f"{name} {now[name]} (was {was[name]})"
        for name in now
        if name != "environment" and name in was and now[name] != was[name]
    )


def _flat(of: Mapping[str, str]) -> dict[str, str]:
    """With an entry for each package."""
    packages = (each.partition("=") for each in of.get("packages", "").split("; ") if each)
    return {**of, **{name: version for name, _, version in packages}, "packages": ""}


def _installed() -> dict[str, str]:
    """Version of each installed package, from the names of the folders that say so: `metadata`
    would read hundreds of files."""
    found: dict[str, str] = {}
    for folder in map(Path, reversed(sys.path)):
        for entry in folder.glob("*.dist-info"):
            name, _, version = entry.name.removesuffix(".dist-info").partition("-")
            found[name.lower()] = version
    return found


@cache
def _program() -> dict[str, str]:
    import torch

    return {
        "commit": _commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "flatsweep": _version("flatsweep"),
        "host": platform.node(),
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"


def _commit() -> str:
    """The checkout's commit, with ``-dirty`` when tracked files differ from it."""
    root = Path(__file__).resolve().parent.parent
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()


def _hardware(device: str) -> str:
    import torch

    if device.startswith("cuda"):
        return str(torch.cuda.get_device_name(device))
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(": ", 1)[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _driver() -> str:
    """The version of the GPU's driver, as its kernel module says it; and CUDA's."""
    import torch

    try:
        said = Path("/proc/driver/nvidia/version").read_text()
    except OSError:
        said = ""
    number = re.search(r"\b\d+\.\d+(\.\d+)*\b", said)
    return f"{number[0] if number else 'unknown'}, CUDA {torch.version.cuda}"


__all__ = ["elsewhere", "machine", "provenance"]
