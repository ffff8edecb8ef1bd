"""The private name of Ray Tune that decides how long a trial has to save a checkpoint."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ray.tune.execution.tune_controller import TuneController

from trainables.execution import DEFAULT_EXECUTION

NAME = "_actor_force_cleanup_timeout"
"""Attribute of a controller: seconds from asking an actor to end to killing it."""


@contextlib.contextmanager
def patient(seconds: float = DEFAULT_EXECUTION.checkpoint_every) -> Iterator[None]:
    """Within, an actor that is to end has so many seconds for it, where Ray gives it 10.

    That is as long as a trial trains between two checkpoints: an epoch that takes longer has begun
    with one.
    """
    fixed = property(lambda controller: seconds, lambda controller, value: None)
    setattr(TuneController, NAME, fixed)
    try:
        yield
    finally:
        delattr(TuneController, NAME)
