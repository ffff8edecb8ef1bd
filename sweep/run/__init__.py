"""A plan, run: executors, what is recorded of a trial that ends, and what is shown meanwhile."""

from sweep.run.loop import Settings, StoppedError, SweepObserver, run

__all__ = ["Settings", "StoppedError", "SweepObserver", "run"]
