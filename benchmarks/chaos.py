"""Real sweeps under faults, and what is left of them: ``python -m benchmarks.chaos [--save]``.

For about two hours (``--minutes``) small sweeps are disturbed: their processes are killed at random
moments after training has begun, two commands run at once, the disk is full, read-only or removed,
MLflow's server is away. Each sweep is then finished by the same command, and must be what it would
have been: one run a trial and none running, every cell but those of time equal to the last bit, no
epoch trained twice that a checkpoint had, no process, lock or temporary file left.

Mounting a small disk needs root; without it the disk's faults are left out, and the result says so.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks.chaos_sweep import KINDS, Disturbed, wrong
from benchmarks.report import publish
from trainables.ports import LOOPBACK, free_ports

SERVER = "MLflow server"
EVERYTHING = ("driver", *KINDS, SERVER)
LEAST = 50
"""Kills in a run of the default length."""

PATIENCE = 900.0
"""Seconds in which a disturbed sweep must come to its end once it is left alone."""


@dataclass
class Chaos:
    """What has been done so far, and what was wrong afterwards.

    Attributes:
        folder: Of everything.
        random: Decides what is killed, and when.
        kills: Kind of process -> how many were killed.
        faults: Other faults -> how often.
        wrong: Sentences.
        left_out: What could not be done here.
    """

    folder: Path
    random: random.Random
    kills: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    sweeps: int = 0
    wrong: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def new(self, name: str, **options: Any) -> Disturbed:
        """A sweep in a folder of its own."""
        self.sweeps += 1
        return Disturbed(self.folder / f"{self.sweeps}-{name}", **options)

    def check(self, sweep: Disturbed, expected: Disturbed, repeated: bool = False) -> None:
        """Finish ``sweep``, and compare what is left of it with the undisturbed one."""
        # Once more: it trains nothing, and removes what killed commands have left.
        if sweep.finish(PATIENCE) and sweep.start().wait(PATIENCE) == 0:
            found = wrong(sweep, expected, repeated)
        else:
            log = (sweep.folder / "log").read_text(errors="replace").splitlines()
            found = [f"it did not come to its end: {' / '.join(log[-3:])}"]
            for process in sweep.processes():
                with contextlib.suppress(psutil.Error):
                    process.kill()
        self.wrong += [f"{sweep.folder.name}: {each}" for each in found]
        for each in found:
            print(f"   WRONG {sweep.folder.name}: {each}", flush=True)
        sweep.remove()

    def undisturbed(self, name: str, **options: Any) -> Disturbed:
        """A sweep that nothing happens to."""
        pause = options.pop("pause", 0.0)
        sweep = self.new(name, pause=pause, **options)
        if not sweep.finish(PATIENCE):
            raise RuntimeError(f"a sweep fails by itself: see {sweep.folder / 'log'}")
        return sweep


# -- kills ----------------------------------------------------------------------------------------


def storm(
    chaos: Chaos, sweep: Disturbed, kinds: Sequence[str], kills: int, server: Server | None = None
) -> None:
    """Kill ``kills`` processes of ``sweep``, one after the other, and train on in between."""
    left, command, starts = list(kinds), sweep.start(), 1
    while kills and starts < 4 * (kills + 2):
        if not sweep.await_training(command):
            if command.poll() == 0:
                return  # it was faster than the faults
            command.kill()  # it hangs, or has failed
            command, starts = sweep.start(), starts + 1
            continue
        time.sleep(chaos.random.uniform(0, 3))
        kind = left[0] if left else chaos.random.choice(list(kinds))
        if kill(chaos, sweep, kind, server):
            left = left[1:]
            chaos.kills[kind] += 1
            kills -= 1
            print(f"   killed {kind} ({chaos.kills.total()})", flush=True)
        if command.poll() is not None and command.returncode != 0:
            command, starts = sweep.start(), starts + 1


def kill(chaos: Chaos, sweep: Disturbed, kind: str, server: Server | None = None) -> bool:
    """SIGKILL for a process of a kind; whether there was one."""
    if kind == SERVER:
        if server is not None:
            server.kill()
            time.sleep(chaos.random.uniform(0, 3))
            server.start()
        return server is not None
    found = sweep.of_kind(kind)
    if not found:
        return False
    with contextlib.suppress(psutil.NoSuchProcess):
        chaos.random.choice(found).kill()
    if kind == "driver":
        for command in sweep.commands:
            with contextlib.suppress(subprocess.TimeoutExpired):
                command.wait(10)
    return True


class Server:
    """An MLflow server that can be killed and started again.

    Attributes:
        uri: Its address.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (self._port,) = free_ports(1)
        self.uri = f"http://{LOOPBACK}:{self._port}"
        self._folder = folder
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        import urllib.request

        command = [
            sys.executable, "-m", "mlflow", "server", "--host", LOOPBACK, "--port",
            str(self._port), "--workers", "1", "--backend-store-uri",
            f"sqlite:///{self._folder}/mlflow.db", "--artifacts-destination",
            str(self._folder / "artifacts"),
        ]  # fmt: skip
        environment = {"MLFLOW_DISABLE_TELEMETRY": "true",
                       "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # fmt: skip
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, env=os.environ | environment, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        for _ in range(1200):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{self.uri}/health", timeout=5).close()
                return
            time.sleep(0.1)
        raise RuntimeError("MLflow's server does not start")

    def kill(self) -> None:
        """All of its processes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


# -- other faults ---------------------------------------------------------------------------------


def two_drivers(chaos: Chaos, expected: Disturbed, options: dict[str, Any]) -> None:
    """Two commands at once, of which one is killed."""
    sweep = chaos.new("two", **options)
    first, second = sweep.start(), sweep.start()
    if sweep.await_training(second):
        time.sleep(chaos.random.uniform(0, 3))
        first.kill()
        chaos.kills["driver"] += 1
    chaos.faults["two drivers"] += 1
    chaos.check(sweep, expected)


def server_away(chaos: Chaos, expected: Disturbed, options: dict[str, Any], away: float) -> None:
    """MLflow's server is gone for so many seconds, in which trials end."""
    server = Server(chaos.folder / "away-server")
    try:
        sweep = chaos.new("away", uri=server.uri, **options)
        sweep.await_training(sweep.start())
        server.kill()
        time.sleep(away)
        server.start()
        chaos.faults["MLflow away"] += 1
        chaos.check(sweep, expected)
    finally:
        server.kill()


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Within, ``folder`` is a disk of 32 MB."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def full(disk: Path) -> Iterator[None]:
    """No byte is free; then the disk has room again."""
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(2**16))
    yield
    filler.unlink()


def read_only(disk: Path) -> Iterator[None]:
    """Nothing can be written."""
    for _ in range(200):  # refused while a file is being written
        if not subprocess.run(["mount", "-o", "remount,ro", disk], capture_output=True).returncode:
            break
        time.sleep(0.05)
    yield
    subprocess.run(["mount", "-o", "remount,rw", disk], check=True)


def removed(disk: Path) -> Iterator[None]:
    """All that was there is gone."""
    shutil.rmtree(disk / "results", ignore_errors=True)
    yield


DISK: dict[str, Callable[[Path], Iterator[None]]] = {
    "disk full": full, "disk read-only": read_only, "storage removed": removed,
}  # fmt: skip


def disk(chaos: Chaos, expected: Disturbed, options: dict[str, Any], fault: str) -> None:
    """A fault of the storage while trials are at work; the record is elsewhere."""
    name = fault.replace(" ", "-")
    with small_disk(chaos.folder / f"disk-{name}") as where:
        sweep = chaos.new(name, storage=where / "results", **options)
        command = sweep.start()
        sweep.await_training(command)
        time.sleep(chaos.random.uniform(0, 3))
        happening = DISK[fault](where)
        next(happening)
        with contextlib.suppress(subprocess.TimeoutExpired):
            command.wait(20)
        next(happening, None)
        chaos.faults[fault] += 1
        chaos.check(sweep, expected, repeated=fault == "storage removed")


# -- the whole ------------------------------------------------------------------------------------


def run(
    chaos: Chaos,
    minutes: float,
    kills_each: int = 8,
    away: float = 60.0,
    options: dict[str, Any] | None = None,
) -> None:
    """Every fault once, and then kills until the time is over."""
    end = time.monotonic() + 60 * minutes
    options = options or {"seeds": 3, "epochs": 20}
    pair = {**options, "workers": 2, "seeds": 1}
    alone = chaos.undisturbed("expected", executor="serial", **options)
    one_process = ("driver", "actor", "raylet", "gcs", "Ray's driver")
    print(f"== {minutes:g} minutes", flush=True)
    _storm(chaos, alone, options, one_process, kills_each)
    two_drivers(chaos, alone, options)
    server_away(chaos, alone, options, away)
    if os.geteuid() == 0:
        for fault in DISK:
            print(f"-- {fault}", flush=True)
            disk(chaos, alone, options, fault)
    else:
        chaos.left_out.append(f"{', '.join(DISK)}: mounting a disk needs root")
    together = chaos.undisturbed("expected-pair", **pair)
    while True:
        _storm(chaos, together, pair, ("train worker", "actor", "raylet"), kills_each // 2)
        if time.monotonic() > end:
            return
        _storm(chaos, alone, options, (SERVER, "driver", *one_process), kills_each)
        if time.monotonic() > end:
            return


def _storm(
    chaos: Chaos, expected: Disturbed, options: dict[str, Any], kinds: Sequence[str], kills: int
) -> None:
    print(f"-- kills of {', '.join(kinds)}", flush=True)
    server = Server(chaos.folder / f"server-{chaos.sweeps}") if SERVER in kinds else None
    try:
        uri = {"uri": server.uri} if server else {}
        sweep = chaos.new("kills", **options, **uri)
        storm(chaos, sweep, kinds, kills, server)
        chaos.check(sweep, expected)
    finally:
        if server is not None:
            server.kill()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--away", type=float, default=60.0, help="seconds without MLflow's server")
    parser.add_argument("--seed", type=int, default=0, help="of what is killed, and when")
    parser.add_argument("--keep", action="store_true", help="keep the sweeps' folders")
    parser.add_argument("--save", action="store_true", help="keep the numbers in results/")
    given = parser.parse_args()
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "ERROR")
    began, folder = time.monotonic(), Path(tempfile.mkdtemp(prefix="chaos-sweeps-"))
    chaos = Chaos(folder, random.Random(given.seed))
    run(chaos, given.minutes, away=given.away)
    if given.minutes >= 120 and chaos.kills.total() < LEAST:
        chaos.wrong.append(f"only {chaos.kills.total()} processes were killed, not {LEAST}")
    rows = [{"what": f"SIGKILL of a {kind}", "times": chaos.kills[kind]} for kind in EVERYTHING]
    rows += [{"what": fault, "times": count} for fault, count in chaos.faults.items()]
    rows += [{"what": "sweeps", "times": chaos.sweeps}]
    rows += [{"what": "kills in all", "times": chaos.kills.total()}]
    rows += [{"what": "wrong afterwards", "times": len(chaos.wrong)}]
    minutes = (time.monotonic() - began) / 60
    publish(
        "chaos",
        "Sweeps under faults",
        rows,
        "ray", "mlflow", "torch",
        notes=[f"{minutes:.0f} minutes, seed {given.seed}.", *chaos.left_out, *chaos.wrong],
        save=given.save,
    )  # fmt: skip
    if given.keep or chaos.wrong:
        print(f"the sweeps are in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(bool(chaos.wrong))


if __name__ == "__main__":
    main()
