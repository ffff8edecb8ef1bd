"""Notes, for `benchmarks.chaos`, of which epoch was trained when, in any process: one line each.

    TRIAL epoch 3     the epoch after the third begins
    TRIAL saved 3     a checkpoint of three epochs is on disk

`install` is called when Python starts, before anything else is imported; it waits for the training
loop to be imported, and imports nothing heavy itself.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

NOTES = "CHAOS_NOTES"
"""Environment: the file."""

PAUSE = "CHAOS_PAUSE"
"""Environment: seconds by which an epoch is made longer."""

SITE = "from benchmarks.chaos_parts import install\n\ninstall()\n"
"""What a file sitecustomize.py has to say, which Python runs when it starts."""

LOOP = "trainables.train"


def note(trial: Any, what: str) -> None:
    """Write a line; lines of several processes do not mix."""
    if trial.group.rank == 0 and NOTES in os.environ:
        with open(os.environ[NOTES], "a") as file:
            file.write(f"{trial.config.trial_id} {what} {trial.epoch}\n")


def noting_epochs(run_epoch: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`Trial.run_epoch` with its note and its pause."""

    def noted(trial: Any) -> Any:
        note(trial, "epoch")
        time.sleep(float(os.environ.get(PAUSE, "0")))
        return run_epoch(trial)

    return noted


def noting_saves(save: Callable[[Any], None]) -> Callable[[Any], None]:
    """`Trial.save` with its note."""

    def noted(trial: Any) -> None:
        save(trial)
        note(trial, "saved")

    return noted


class _WhenImported(importlib.abc.MetaPathFinder):
    """Finds the training loop as always, and has its `Trial` take notes."""

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> Any:
        if name != LOOP:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.loader is not None
        execute = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            execute(module)
            module.Trial.run_epoch = noting_epochs(module.Trial.run_epoch)
            module.Trial.save = noting_saves(module.Trial.save)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def install() -> None:
    """Have the training loop take notes as soon as it is imported."""
    sys.meta_path.insert(0, _WhenImported())
