"""A plan, run: executors, what is recorded of a trial that ends, and what is shown meanwhile."""

from sweep.run.loop import Settings, StoppedError, Watcher, run

__all__ = ["Settings", "StoppedError", "Watcher", "run"]
