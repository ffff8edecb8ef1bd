"""The process that Ray lives in, as its parent sees it: started, asked, heard, ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweep.run.resources import Cluster, ResourceError
from trainables import own_parts
from trainables.errors import FlatsweepError
from trainables.masking import mask
from trainables.own_parts import shipped
from trainables.scratch import VARIABLE, Scratch

if TYPE_CHECKING:
    from trainables.job import Job

LEAVE_SECONDS = 30.0
"""In which Ray is left, at the end; then its processes are killed."""

LOG = "driver.log"
"""What the process, and Ray in it, print: shown where it ends with an error of its own."""


class RayLostError(FlatsweepError):
    """Ray's processes, or the one that has joined them, have ended; the message says which."""


class DriverProcess:
    """``python -m sweep.ray_executor.driver``, and the temporary folder that it works in.

    Args:
        settings: What it is told first.
        notify: Told what a person waits for.
    """

    def __init__(self, settings: Mapping[str, Any], notify: Callable[[str], None]) -> None:
        self._settings, self._notify = settings, notify
        self._process: subprocess.Popen[str] | None = None
        self._scratch: Scratch | None = None

    def start(self) -> Cluster:
        """Start it, and with it Ray.

        Returns:
            What the cluster has.

        Raises:
            ResourceError: Ray cannot be started or joined.
        """
        self._scratch = Scratch()
        folder = self._scratch.path
        paths = [path or os.getcwd() for path in sys.path]
        environment = {"PYTHONPATH": os.pathsep.join(paths), VARIABLE: str(folder)}
        with (folder / LOG).open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "sweep.ray_executor.driver"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                env=os.environ | environment,
                start_new_session=True,  # Ctrl-C is this process's to hear
            )  # fmt: skip
        parts = shipped.pack(own_parts.contents(), folder / "parts")
        self._send("settings", {**self._settings, "parts": str(parts) if parts else None})
        try:
            for event, *values in self._events():
                if event == "ready":
                    return Cluster(*values)
        except RayLostError as error:
            raise ResourceError(f"Ray cannot be started ({error})") from error
        raise ResourceError("Ray cannot be started")

    def run(self, jobs: Sequence[Job], max_concurrent: int) -> Iterator[tuple[Any, ...]]:
        """Have the jobs run, and yield what is to be told to a recorder, until they have ended.

        Raises:
            RayLostError: Ray is gone.
        """
        self._send("run", [job.to_json() for job in jobs], max_concurrent)
        for event, *values in self._events():
            if event == "over":
                return
            yield event, *values

    def cancel(self, trial_id: str) -> None:
        """Have it end a trial that a person has cancelled, or not start it."""
        self._send("cancel", trial_id)

    def stop(self) -> None:
        """Have it end what it runs, each trial with a checkpoint. May be called by a handler."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def close(self) -> None:
        """Leave Ray, end the process and remove its folder."""
        if self._process is not None:
            with suppress(OSError, ValueError):
                self._send("end")
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(LEAVE_SECONDS)
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                with suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]
            self._process = None
        if self._scratch is not None:
            self._scratch.close()
            self._scratch = None

    def _send(self, *message: Any) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # the end of its events says it
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()

    def _events(self) -> Iterator[tuple[Any, ...]]:
        """What it says, until it has nothing more to say: sentences for a person are passed on."""
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event, *values = json.loads(line)
            if event == "say":
                self._notify(*values)
            elif event == "error":
                raise ResourceError(*values)
            elif event == "lost":
                raise RayLostError(*values)
            else:
                yield event, *values
        raise RayLostError(self._last_words())

    def _last_words(self) -> str:
        """Why the process has ended."""
        assert self._process is not None
        assert self._scratch is not None
        code = self._process.wait()
        with suppress(OSError):
            lines = Path(self._scratch.path / LOG).read_text(errors="replace").splitlines()
            said = [line.strip() for line in lines if "Error" in line or "Failed" in line]
            if said:
                return mask(" ".join(said[-1].split())[:200])
        return f"the process that had joined it ended with code {code}"


__all__ = ["DriverProcess", "RayLostError"]
