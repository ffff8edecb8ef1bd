"""Stopping a sweep, or one of its trials, from another terminal or machine.

A request is a small file beside that of the driver, which looks for such files, removes what it
takes, and answers in its own file.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass

from sweep.run.live import Answer, LiveSweep, latest
from trainables.parse_json import parse_json
from trainables.storage.files import Storage

ANSWER_SECONDS = 40.0
"""In which a driver that is not busy answers, also where a store is slow."""

_SUFFIX = ".cancel"


class Cancellations:
    """What a person has cancelled, of the trials of a running sweep: ``trial_id in cancelled``.

    Attributes:
        whole: Whether it is the whole sweep.
        trials: Ids of single trials.
    """

    def __init__(self) -> None:
        self.whole = False
        self.trials: set[str] = set()

    def __contains__(self, trial_id: str) -> bool:
        return self.whole or trial_id in self.trials

    def __bool__(self) -> bool:
        return self.whole or bool(self.trials)


@dataclass(frozen=True)
class Request:
    """What a driver is asked to stop.

    Attributes:
        id: Of the request.
        trial_id: The trial, or how its id begins; empty: the whole sweep.
    """

    id: str
    trial_id: str = ""


def ask(storage: Storage, driver: LiveSweep, trial_id: str = "") -> Request:
    """Leave a request for the driver."""
    request = Request(uuid.uuid4().hex[:12], trial_id)
    content = json.dumps({"trial_id": trial_id}).encode()
    storage.write(f"{driver.folder}/{driver.driver}.{request.id}{_SUFFIX}", content)
    return request


def answer(
    storage: Storage, driver: LiveSweep, request: Request, seconds: float = ANSWER_SECONDS
) -> Answer | None:
    """What the driver says to the request; None if it says nothing in time."""
    until = time.monotonic() + seconds
    while True:
        now = latest(driver, storage)
        if request.id in now.answered or now.ended or time.monotonic() >= until:
            return now.answered.get(request.id)
        time.sleep(0.5)


def withdraw(storage: Storage, driver: LiveSweep, request: Request) -> None:
    """Remove a request that nobody took."""
    storage.delete(f"{driver.folder}/{driver.driver}.{request.id}{_SUFFIX}")


def take(storage: Storage, driver: LiveSweep) -> list[Request]:
    """The requests to the driver, which are removed."""
    found = []
    for name in storage.names(f"{driver.folder}/*{_SUFFIX}"):
        of, _, request_id = name.rpartition("/")[2].removesuffix(_SUFFIX).partition(".")
        if of == driver.driver:
            try:
                trial_id = str(parse_json(storage.read(name))["trial_id"])
            except (FileNotFoundError, KeyError, TypeError, ValueError):
                continue  # half of it, or none: it is there the next time
            storage.delete(name)
            found.append(Request(request_id, trial_id))
    return found


__all__ = ["Cancellations", "Request", "answer", "ask", "take", "withdraw"]
