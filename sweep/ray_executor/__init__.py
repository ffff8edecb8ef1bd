"""Trials through Ray: all of this package that imports it.

- `session`: join or start Ray.
- `cluster`: what it has, what is free.
- `tune`: the executor, by Ray Tune.
- `callback`: what Tune's loop tells of its trials.
- `scheduler`: the order of trials, and which of them a person has cancelled.
"""

from sweep.ray_executor.tune import RayExecutor

__all__ = ["RayExecutor"]
