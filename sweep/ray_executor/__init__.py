"""Trials through Ray: all of this package that imports it, in a process of its own.

- `executor`: the executor, in the process of the sweep, which does not import Ray.
- `process`: the other process, as it sees it.
- `driver`: that process.
- `session`: join or start Ray.
- `cluster`: what it has, what is free.
- `tune`: trials by Ray Tune.
- `callback`: what Tune's loop tells of its trials.
- `scheduler`: the order of trials, and which of them a person has cancelled.
- `retries`: which are started again, and where.
"""

from sweep.ray_executor.executor import RayExecutor

__all__ = ["RayExecutor"]
