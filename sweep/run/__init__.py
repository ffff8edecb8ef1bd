"""A plan, run: executors, what is recorded of a trial that ends, and what is shown meanwhile."""

from sweep.run.loop import StoppedError, Sweep, SweepObserver, run

__all__ = ["StoppedError", "Sweep", "SweepObserver", "run"]
