"""What runs trials: an `Executor` is given to `sweep.run.loop.run`, which knows no more of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from sweep.run.recorder import ResultRecorder
    from trainables.config import TrialConfig
    from trainables.job import Job


class Executor(Protocol):
    """Runs jobs and tells a recorder what it hears of them."""

    @property
    def local(self) -> bool:
        """Whether all trials run on this machine."""

    @property
    def in_process(self) -> bool:
        """Whether they run in this very process, whose terminal a debugger may need."""

    def refuse(self, config: TrialConfig) -> None:
        """Raise UsageError if it cannot run such a trial, whatever the machine has."""

    def start(self, notify: Callable[[str], None]) -> AbstractContextManager[None]:
        """Within it, `max_concurrent` and `run` may be called.

        Args:
            notify: Told, in sentences, what a person waits for.

        Raises:
            sweep.run.resources.ResourceError: what trials would run on is not there.
        """

    def max_concurrent(self, jobs: Sequence[Job]) -> int:
        """How many of ``jobs`` are run at once.

        Raises:
            sweep.run.resources.ResourceError: one of them can never run, for lack of room.
        """

    def run(self, jobs: Sequence[Job], recorder: ResultRecorder) -> None:
        """Run ``jobs``, in this order as far as there is one, and tell ``recorder``.

        It returns early when it is interrupted: the recorder knows what is unfinished.
        """


class StartedOnce:
    """An `Executor` for several sweeps: started for the first that needs it, until the block ends.

    Args:
        executor: That does the work.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor, self._stack, self._is_started = executor, ExitStack(), False
        self.refuse, self.run = executor.refuse, executor.run
        self.max_concurrent = executor.max_concurrent
        self.local, self.in_process = executor.local, executor.in_process

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextmanager
    def start(self, notify: Callable[[str], None]) -> Iterator[None]:
        """As an `Executor`; what is told later is told to who started it first."""
        if not self._is_started:
            self._stack.enter_context(self._executor.start(notify))
            self._is_started = True
        yield


def executor(
    name: str,
    address: str | None = None,
    cpus: float = 1,
    gpus: float | None = None,
    concurrency: int | None = None,
    trial_timeout: float | None = None,
) -> Executor:
    """The executor ``ray`` or ``serial``.

    Args:
        address: Cluster to join; None: this machine.
        cpus, gpus: Of each trial, or of each of its workers. No ``gpus`` said: one where there are
            any, else none.
        concurrency: Most trials at once; None: as many as fit.
        trial_timeout: Seconds that a trial may run; one that runs longer has failed. None: any.

    Raises:
        UsageError: the executor has no use for one of these.
    """
    if name == "serial":
        from sweep.run.serial import SerialExecutor

        return SerialExecutor(address, cpus, gpus, concurrency, trial_timeout)
    from sweep.ray_executor import RayExecutor

    return RayExecutor(address, cpus, gpus, concurrency, trial_timeout)
