"""`sweep doctor`: is everything there that a sweep needs? Each finding says how to fix it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from trainables.errors import reason
from trainables.masking import mask

if TYPE_CHECKING:
    import torch

FindingState = Literal["ok", "note", "broken"]
MIN_FREE_BYTES = 2 * 1024**3
"""Free bytes below which a sweep's checkpoints are at risk."""

DRIVER = Path("/proc/driver/nvidia")
"""Is there where the driver of a GPU is loaded."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: Its name, such as ``torch``.
        state: ``ok``; ``note``: works, and should be known; ``broken``: sweeps will fail.
        found: What was found.
        fix: What to do; empty when nothing is to be done.
    """

    what: str
    state: FindingState
    found: str
    fix: str = ""


def examine(storage: str, tracking_uri: str, data_dir: Path | None) -> list[Finding]:
    """Look at everything; a check that breaks is a finding, not a crash.

    Args:
        storage, tracking_uri: Where results and their record are.
        data_dir: Folder of the data sets; None: the default one.

    Returns:
        The findings, without the passwords of the two URIs.
    """
    checks: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("python", _python),
        ("torch", _torch),
        ("ray", _ray),
        ("storage", lambda: _storage(storage)),
        ("mlflow", lambda: _mlflow(tracking_uri)),
        ("data", lambda: _data(data_dir)),
        ("own parts", _own_parts),
    ]
    findings: list[Finding] = []
    for what, check in checks:
        try:
            findings += check()
        except Exception as error:
            findings.append(Finding(what, "broken", reason(error), "see the message"))
    uris = storage, tracking_uri
    return [Finding(f.what, f.state, mask(f.found, *uris), mask(f.fix, *uris)) for f in findings]


def text(findings: list[Finding]) -> str:
    """One line per finding: its state, what was looked at, what was found, how to fix it."""
    marks = {"ok": "ok    ", "note": "note  ", "broken": "BROKEN"}
    lines = []
    for finding in findings:
        fix = f"; {finding.fix}" if finding.fix else ""
        lines.append(f"{marks[finding.state]} {finding.what}: {finding.found}{fix}")
    return "\n".join(lines)


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", "ok", version)


def _torch() -> Iterator[Finding]:
    import torch

    try:
        import torchvision

        yield Finding("torch", "ok", f"{torch.__version__}, torchvision {torchvision.__version__}")
    except (ImportError, RuntimeError) as error:
        yield Finding(
            "torch",
            "broken",
            f"{torch.__version__}, but torchvision does not load ({reason(error)})",
            "install both at the versions of requirements.lock",
        )
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            size = properties.total_memory / 1024**3
            yield _trains(torch.device("cuda", index), f"gpu {properties.name}, {size:.0f} GiB")
    elif DRIVER.exists():
        yield Finding(
            "gpu",
            "broken",
            "a driver is there, and torch finds no GPU that works",
            "see `nvidia-smi`, and whether torch is built for this driver",
        )
    else:
        yield Finding("gpu", "note", "none", "trials run on CPUs: preset smoke suits that")
    yield _trains(torch.device("cpu"), "cpu")


def _trains(device: torch.device, name: str) -> Finding:
    from sweep.cli.device_check import fault

    what, _, model = name.partition(" ")
    said = fault(device)
    if said:
        found = f"{model}: {said}" if model else said
        return Finding(what, "broken", found, "leave it out: CUDA_VISIBLE_DEVICES, or --gpus 0")
    return Finding(what, "ok", ", ".join(filter(None, [model, "a step forward and backward"])))


def _ray() -> Iterator[Finding]:
    try:
        version = metadata.version("ray")
    except metadata.PackageNotFoundError:
        yield Finding("ray", "note", "not installed", "sweeps run with --executor serial")
        return
    yield Finding("ray", "ok", f"{version}, {os.cpu_count()} CPUs on this machine")
    address = os.environ.get("RAY_ADDRESS")
    if address:
        yield Finding("ray", "note", f"RAY_ADDRESS={address}", "sweeps join that cluster")


def _storage(storage: str) -> Iterator[Finding]:
    from trainables.storage.files import Storage, StorageError

    try:
        opened = Storage(storage)
        if "://" not in opened.root and not Path(opened.root).exists():
            yield _to_be_made(Path(opened.root))
            return
        opened.check_writable()
    except StorageError as error:
        yield Finding("storage", "broken", str(error))
        return
    yield Finding("storage", "ok", f"{opened.root} can be written")
    if opened.local:
        free = shutil.disk_usage(opened.root).free
        low = free < MIN_FREE_BYTES
        yield Finding(
            "disk",
            "broken" if low else "ok",
            f"{free / 1024**3:.1f} GiB free at {opened.root}",
            "free some, or name another folder with --storage" if low else "",
        )


def _to_be_made(folder: Path) -> Finding:
    """Whether a folder that a sweep would make can be made; it is not made here."""
    there = next(parent for parent in folder.parents if parent.exists())
    if os.access(there, os.W_OK):
        return Finding("storage", "ok", f"{folder} can be made")
    return Finding(
        "storage",
        "broken",
        f"{folder} cannot be made in {there}",
        "name another with --storage",
    )


def _mlflow(uri: str) -> Iterator[Finding]:
    from sweep.record.connection import absent
    from sweep.record.mlflow_store import Tracker, TrackingError

    if said := absent(uri):
        yield Finding("mlflow", "note", said, "or run a sweep: it makes one")
        return
    try:
        recorded = len(Tracker(uri).load(refresh=True))
    except TrackingError as error:
        yield Finding("mlflow", "broken", str(error))
        return
    version = metadata.version("mlflow")
    yield Finding("mlflow", "ok", f"{version}, {recorded} trials recorded in {uri}")


def _data(data_dir: Path | None) -> Iterator[Finding]:
    from trainables import data
    from trainables.data.prepare import catalog

    directory = data.data_directory(data_dir)
    states = {name: catalog.status(name, directory).state for name in data.names()}
    missing = [name for name, state in states.items() if state is catalog.Availability.MISSING]
    ready = [name for name in states if name not in missing]
    yield Finding("data", "ok", f"ready: {', '.join(ready) or 'none'}")
    if missing:
        yield Finding(
            "data",
            "note",
            f"not in {directory}: {', '.join(missing)}",
            "only the tables on them need these; `sweep data list` says how to get each",
        )


def _own_parts() -> Iterator[Finding]:
    """What was imported by --import and the like, if anything was."""
    from sweep.cli.own_checks import examined
    from trainables import own_parts

    if own_parts.loaded():
        for part, state, words in examined():
            yield Finding(part, state, words)
