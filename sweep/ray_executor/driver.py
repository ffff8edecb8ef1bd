"""``python -m sweep.ray_executor.driver``: the process that joins Ray and runs Tune.

It reads one message a line, in JSON, from its parent (`sweep.ray_executor.process`), and writes
what `Events` has. It ends as soon as its parent is gone, or a process of Ray is; those that it has
started end with it, by the system's doing.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any

from trainables.errors import FlatsweepError
from trainables.job import Job, Report
from trainables.scratch import VARIABLE

LOOK_SECONDS = 0.5
"""Seconds between two looks at Ray's processes on this machine."""

ASK_SECONDS = 5.0
"""Seconds between two questions to a cluster, whether this machine's node is part of it."""


class Events:
    """What the parent is told: what a person is, and what a recorder is.

    Of the latter it takes the place (`sweep.run.recorder.ResultRecorder`), for Tune's callback.
    """

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "w")
        self._lock = threading.Lock()
        self._running: set[str] = set()
        self.cancelled: set[str] = set()
        """Trials of which the parent says that they are."""

    def tell(self, event: str, *values: Any) -> None:
        """Write an event; where the parent is gone this process ends."""
        with self._lock:
            try:
                self._file.write(json.dumps((event, *values)) + "\n")
                self._file.flush()
            except OSError:
                os._exit(1)

    @property
    def any_running(self) -> bool:
        """Whether a process is at work on a trial."""
        return bool(self._running)

    @property
    def any_cancelled(self) -> bool:
        """Whether `is_cancelled` may be true of one."""
        return bool(self.cancelled)

    def is_cancelled(self, trial_id: str) -> bool:
        """Whether a person has cancelled the trial; the recorder knows."""
        return trial_id in self.cancelled

    def started(self, trial_id: str) -> None:
        """A process has begun with the trial."""
        self._running.add(trial_id)
        self.tell("started", trial_id)

    def reported(self, report: Report) -> None:
        """A trial is so far, or has ended."""
        if report.ended:
            self._running.discard(report.trial_id)
        self.tell("reported", report.to_json())

    def stopped(self, trial_id: str, why: str = "") -> None:
        """The trial's process died, or is not to go on; another one will."""
        self._running.discard(trial_id)
        self.tell("stopped", trial_id, why)

    def failed(self, trial_id: str, error: str) -> None:
        """The trial is not tried again."""
        self._running.discard(trial_id)
        self.tell("failed", trial_id, error)


def main() -> None:
    """Be told what to join, join it, and run what comes, until the end is asked for."""
    events = Events(os.dup(1))
    os.dup2(2, 1)  # whatever is printed goes to the log
    for number in (signal.SIGTERM, signal.SIGHUP):  # the parent hears them too, and says what to do
        signal.signal(number, lambda *_: None)
    _, settings = json.loads(sys.stdin.readline())
    messages: SimpleQueue[list[Any]] = SimpleQueue()
    threading.Thread(target=_listen, args=(messages, events), daemon=True).start()
    try:
        _run(settings, events, messages)
    except FlatsweepError as error:
        events.tell("error", str(error))
    except KeyboardInterrupt:
        pass


def _run(settings: dict[str, Any], events: Events, messages: SimpleQueue[list[Any]]) -> None:
    # What is imported here takes seconds, in which the parent may be gone already.
    from sweep.ray_executor.session import address_of, session
    from sweep.ray_executor.tune import TuneRunner

    address = address_of(settings["address"])
    say = partial(events.tell, "say")
    with session(address, say, _folder(), settings["parts"]) as cluster:
        death = _cluster_death if address else _local_death
        threading.Thread(target=_watch, args=(death(), events), daemon=True).start()
        events.tell("ready", list(cluster.nodes), cluster.limit)
        runner = TuneRunner(cluster, events, settings["trial_timeout"], settings["trainable"])
        while True:
            what, *values = messages.get()
            if what == "end":
                return
            jobs, max_concurrent = values
            runner.run([Job.from_json(job) for job in jobs], max_concurrent)
            events.tell("over")


def _listen(messages: SimpleQueue[list[Any]], events: Events) -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if message[0] == "cancel":
            events.cancelled.add(message[1])
        else:
            messages.put(message)
    os._exit(1)  # the parent is gone


def _folder() -> str:
    """Where Ray's files go on this machine: into the folder that goes with this process.

    A folder of their own there, for Ray lets everybody write to it; of a short name, for the paths
    of sockets have at most 107 characters.
    """
    return os.path.join(os.environ[VARIABLE], "r")


def _watch(dead: Callable[[], str], events: Events) -> None:
    """End this process when one of Ray's has ended: what waits for it would wait for ever."""
    while not (why := dead()):
        events.tell("tick")  # nothing has happened, but the time may be over
    events.tell("lost", why)
    os._exit(1)


def _local_death() -> Callable[[], str]:
    """Asks which process of the Ray that this process has started is gone."""
    from trainables.ray_private.start import dead_processes

    def dead() -> str:
        time.sleep(LOOK_SECONDS)
        return ", ".join(f"its {kind} ended with code {code}" for kind, code in dead_processes())

    return dead


def _cluster_death() -> Callable[[], str]:
    """Asks whether the cluster has this machine's node. Where its head is gone Ray itself ends this
    process, a minute later."""
    import ray

    own = ray.get_runtime_context().get_node_id()

    def dead() -> str:
        time.sleep(ASK_SECONDS)
        alive = any(node["NodeID"] == own and node["Alive"] for node in ray.nodes())
        return "" if alive else "the node of this machine is gone"

    return dead


if __name__ == "__main__":
    main()
