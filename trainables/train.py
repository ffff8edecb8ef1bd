"""The training loop: one `TrialConfig` in, one `TrialResult` out.

`fit` is an ordinary function that needs neither Ray nor MLflow. `Trial` is the
same loop cut at epoch boundaries, for callers that want to look in between.
Everything random is derived from (seed, purpose, epoch or step), so a trial
gives the same bits whatever ran before it, and a resumed one the bits of one
that never stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from trainables import cached_result as cached
from trainables.build import build_components
from trainables.config import Request, TrialConfig
from trainables.data.loader import BatchLoader
from trainables.errors import UsageError
from trainables.evaluate import Subject, evaluate, measure_requests
from trainables.execution import DEFAULT_EXECUTION, Execution, reproducible
from trainables.job import Report
from trainables.methods.base import Output, Progress
from trainables.metric_name import of_split
from trainables.optim import require_state
from trainables.own_parts import used
from trainables.parallel import equivalence
from trainables.parallel.group import SINGLE_PROCESS, Group
from trainables.precision import training_passes
from trainables.provenance import elsewhere, machine, provenance
from trainables.pruned import pruned
from trainables.seeding import derive, reseed
from trainables.storage import checkpoint
from trainables.storage.checkpoint_writer import CheckpointWriter
from trainables.storage.files import Storage
from trainables.storage.result import TrialResult, best_epoch, best_first
from trainables.storage.trial_folder import CHECKPOINT, ignore, tidy, write_result, write_weights

NUMBERS = ("epoch", "seconds", "cpu_seconds", "gradient_evaluations", "diverged", "history")
"""Attributes of a `Trial` that are kept as they are."""


class Trial:
    """A run of the loop that can be advanced epoch by epoch, saved and resumed.

    With a ``storage`` it keeps ``checkpoint.pt`` there, continues from it when it is
    made again, and leaves ``result.json`` (and, if asked, ``weights.pt``) when it ends.

    With a ``group`` of several workers each has its part of every batch and all hold the same
    weights, history and outcome; the first alone reads and writes the storage.
    """

    def __init__(
        self,
        config: TrialConfig,
        execution: Execution = DEFAULT_EXECUTION,
        storage: Storage | None = None,
        group: Group = SINGLE_PROCESS,
        notify: Callable[[str], None] = ignore,
    ) -> None:
        if group.size not in (1, config.workers.count) or (
            group.size < config.workers.count and equivalence.change_numbers(config)
        ):
            raise UsageError(
                f"trial {config.trial_id} is for {config.workers.count} workers and there "
                f"are {group.size}"
            )
        self.config, self.execution, self.storage = config, execution, storage
        self.group, self.notify = group, notify
        self.device = execution.torch_device()
        self._writer = CheckpointWriter(None if group.rank else storage, execution.checkpoint_every)
        with reproducible(execution.threads, config.varying):
            self._start()
            self._resume()

    def _start(self) -> None:
        """What the trial is before its first step."""
        self.epoch = 0
        self.seconds = 0.0
        self.cpu_seconds = 0.0
        self.gradient_evaluations = 0.0
        self.diverged = False
        self.history: dict[str, list[float]] = {}
        parts = build_components(self.config, self.execution, self.group)
        self.batches, self.splits, self.extra = parts.batches, parts.splits, parts.extra
        self.model, self.initial = parts.model, parts.initial
        self.method, self.loss_fn = parts.method, parts.loss_fn
        self.local_noise = parts.local_generator
        self.optimizer, self.learning_rate = parts.optimizer, parts.learning_rate
        self.source = parts.source
        for note in parts.notes:
            self.notify(note)

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to train: all epochs are done, or the loss diverged."""
        return self.diverged or self.epoch >= self.config.epochs

    def run_epoch(self) -> dict[str, float]:
        """Train one epoch, evaluate, and return the numbers, which ``history`` then has too."""
        config = self.config
        with reproducible(self.execution.threads, self.config.varying):
            started, spent = time.perf_counter(), self._writer.cpu_time_beside()
            numbers = self._train_epoch()
            self.seconds += time.perf_counter() - started
            self.cpu_seconds += self._writer.cpu_time_beside() - spent
            self.diverged = not math.isfinite(numbers["running_train_loss"])
            self.epoch += 1
            if not self.diverged:
                numbers |= self._evaluate()
                self.diverged = not all(map(math.isfinite, numbers.values()))
            if not self.diverged:
                self.learning_rate.after_epoch(numbers[self._watched])
                due = [r for r in self.execution.measures if r.due(self.epoch, config.epochs)]
                self._note(numbers | self.measure(due))
                self._keep_best()
        if not self.finished and self._writer.due():
            self._begin_checkpoint()
        return numbers

    def _train_epoch(self) -> dict[str, float]:
        self.model.train()
        loss_sum = torch.zeros((), dtype=torch.float64, device=self.device)
        wrong = torch.zeros((), dtype=torch.int64, device=self.device)
        noise = torch.Generator(device=self.device)
        seen, rate = 0, 0.0
        for index, (inputs, targets) in enumerate(self.batches.epoch(self.epoch)):
            step = self.epoch * len(self.batches) + index
            rate = self.learning_rate.before_step(step)
            inputs, targets = self.group.shard(inputs, targets)
            out = self._step(step, inputs, targets, noise)
            loss_sum += out.loss.to(torch.float64) * self.group.own
            if (errors := self.loss_fn.errors(out.logits, targets)) is not None:
                wrong += errors[: self.group.own].sum()
            seen += self.group.whole
        totals = torch.stack([loss_sum, wrong.double()])
        self.group.total_(totals)
        loss, errs = totals.tolist()  # the one time that an epoch waits for the device
        numbers = {"running_train_loss": loss / seen, "learning_rate": rate}
        if self.loss_fn.counts_errors:
            numbers["running_train_error"] = errs / seen
        if self.group.size > 1:
            self._average_running_statistics()
        return numbers

    def time_step(self, at_least: float = 1.0) -> float:
        """Seconds per training step: a mean over at least ``at_least`` seconds, after a first step.

        The steps train, so the trial cannot be used for anything else afterwards.
        """
        self.model.train()
        noise = torch.Generator(device=self.device)
        started, step, elapsed = 0.0, 0, 0.0
        with reproducible(self.execution.threads, self.config.varying):
            while step < 2 or elapsed < at_least:
                for inputs, targets in self.batches.epoch(step):
                    self._step(step, inputs, targets, noise)
                    if self.device.type == "cuda":
                        torch.cuda.synchronize(self.device)
                    started = started or time.perf_counter()  # when the first has ended
                    elapsed, step = time.perf_counter() - started, step + 1
                    if step >= 2 and elapsed >= at_least:
                        break
        return elapsed / (step - 1)

    def _average_running_statistics(self) -> None:
        """Replace the workers' running statistics of BatchNorm by their mean.

        They are linear in the batches' statistics, so once per epoch is as good as once per step.
        """
        self.group.agree(self.model.parameters())
        self.group.average_(
            [
                buffer
                for module in self.model.modules()
                if isinstance(module, _NormBase)
                for buffer in (module.running_mean, module.running_var)
                if buffer is not None
            ]
        )

    def _step(self, step: int, inputs: Any, targets: Any, noise: torch.Generator) -> Output:
        config = self.config
        noise.manual_seed(derive(config.seed, "method", step))
        worker = (self.group.rank,) if self.group.rank else ()
        reseed(self.device, derive(config.seed, "dropout", step, *worker))
        if self.local_noise is not None:
            self.local_noise.manual_seed(derive(config.seed, "worker", step, *worker))
        self.method.advance(
            Progress(
                step=step,
                steps=config.epochs * len(self.batches),
                epoch=self.epoch,
                epochs=config.epochs,
                lr_drops=self.learning_rate.drops,
            )
        )
        self.gradient_evaluations += self.method.cost
        with training_passes(config.precision, self.device):
            out = self.method.gradient(self.model, self.loss_fn, inputs, targets, generator=noise)
        if config.optimizer.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), config.optimizer.clip_norm)
        self.optimizer.step()
        return out

    def _evaluate(self) -> dict[str, float]:
        """Evaluate after an epoch; training images only after the last one, or if watched."""
        splits = {name: batches for name, batches in self.splits.items() if name != "train"}
        if self.epoch == self.config.epochs or self.config.schedule.watch == "clean":
            splits["train"] = self._train_images()
        return {
            of_split(name, metric): value
            for name, batches in splits.items()
            for metric, value in evaluate(self.model, batches, self.config.loss, self.group).items()
        }

    def _train_images(self) -> BatchLoader:
        """Images of the clean training numbers: ``train_samples`` of them, or all if watched."""
        decides = self.config.schedule.watch == "clean"
        count = None if decides else self.execution.train_samples
        return self.splits["train"].head(count, self.loss_fn.evaluation_batch)

    @property
    def _watched(self) -> str:
        """Name of the number by which a plateau schedule goes."""
        if self.config.schedule.watch == "running":
            return "running_train_loss"
        return of_split("train", self.loss_fn.watched)

    def measure(self, requests: Sequence[Request]) -> dict[str, float]:
        """The numbers of ``requests`` on the model as it now is, by name."""
        subject = Subject(
            self.model,
            self.loss_fn,
            self.splits,
            self.initial,
            self.extra,
            self.config.seed,
            self.method,
        )
        return measure_requests(requests, subject)

    def _note(self, numbers: dict[str, float]) -> None:
        """Append an epoch to the history, with NaN for numbers that this epoch does not have."""
        for name in self.history.keys() | numbers.keys():
            curve = self.history.setdefault(name, [])
            curve += [math.nan] * (self.epoch - 1 - len(curve)) + [numbers.get(name, math.nan)]

    # -- outcome -----------------------------------------------------------------------------

    def result(self) -> TrialResult:
        """The outcome so far; final once `finished`."""
        metrics: dict[str, float] = {
            "epochs_run": self.epoch,
            "training_seconds": self.seconds,
            "device_seconds": self._device_seconds,
            "step_seconds": self.seconds / max(1, self.epoch * len(self.batches)),
            "gradient_evaluations": self.gradient_evaluations,
            "parameters": sum(p.numel() for p in self.model.parameters()),
        }
        if not self.diverged:
            metrics |= {n: v[-1] for n, v in self.history.items() if not math.isnan(v[-1])}
            metrics["train_images"] = len(self._train_images().images)
            for judge in ("validation", "test"):
                metrics |= best_epoch(self.history, judge)
        return TrialResult(
            trial_id=self.config.trial_id,
            status="diverged" if self.diverged else "done",
            config=self.config.model_dump(mode="json"),
            metrics=metrics,
            history=self.history,
            provenance={
                **provenance(str(self.device), self.config.precision, self.execution.threads),
                **self.source,
            },
        )

    @property
    def _device_seconds(self) -> float:
        """Cost of the training: CPU time on a CPU (whatever else runs there), else wall time."""
        return self.cpu_seconds if self.device.type == "cpu" else self.seconds

    # -- storage -----------------------------------------------------------------------------

    def save(self) -> None:
        """Write a checkpoint; a trial that is resumed from it ends with the same bits."""
        if self.storage is not None and not self.group.rank:
            self._begin_checkpoint()
            self._writer.wait()

    def _begin_checkpoint(self) -> None:
        state = self._state() | {"made_of": used.made_of(self.config, self.source)}
        self._writer.write(state | {"machine": machine(str(self.device))})

    def _state(self) -> dict[str, Any]:
        """What a checkpoint keeps of how far the trial is."""
        return {
            "trial_id": self.config.trial_id,
            **{name: getattr(self, name) for name in NUMBERS},
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "method": self.method.state_dict(),
            "learning_rate": self.learning_rate.state_dict(),
        }

    def _resume(self) -> None:
        if (storage := self.storage) is None:
            return
        content = self.group.from_first(
            lambda: storage.read(CHECKPOINT) if storage.exists(CHECKPOINT) else None
        )
        if content is None:
            return
        try:
            self._restore(checkpoint.from_bytes(content, storage.path(CHECKPOINT)))
        except checkpoint.CheckpointError as error:
            # It costs time, never the trial. It is kept: it may be another trial's.
            if self.group.rank == 0:
                aside = storage.set_aside(CHECKPOINT, content)
                self.notify(f"{error}; it is kept as {aside} and the trial starts anew")
            self._start()

    def _restore(self, state: dict[str, Any]) -> None:
        """Be what was saved. Raises CheckpointError, perhaps with a part of it restored."""
        where = self.config.trial_id
        if (of := state.get("trial_id")) != where:
            raise checkpoint.CheckpointError(f"the checkpoint of trial {where} is of trial {of}")
        if state.get("made_of") not in (None, used.made_of(self.config, self.source)):
            raise checkpoint.CheckpointError(
                f"the checkpoint of trial {where} was made with another version of a part of your "
                "own, or of the data"
            )
        with checkpoint.fitting(f"the checkpoint of trial {where}"):
            checkpoint.require_trial(state, self._state(), self.config.epochs)
            for name in NUMBERS:
                setattr(self, name, state[name])
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.method.load_state_dict({n: v.to(self.device) for n, v in state["method"].items()})
            self.learning_rate.load_state_dict(state["learning_rate"])
            require_state(self.optimizer)
        if other := elsewhere(state.get("machine", {}), str(self.device)):
            self.notify(f"trial {where} goes on with {other}: its last bits may differ by that")

    def _keep_best(self) -> None:
        if self.storage is None or self.group.rank or self.execution.keep_weights != "best":
            return
        judge = "validation" if "validation" in self.splits else "test"
        if best_first(self.history, judge)[:1] == [self.epoch - 1]:
            write_weights(self.storage, self.model, self.epoch)

    def finish(self) -> TrialResult:
        """Write the result (and weights) to storage, delete the checkpoint, return the result."""
        result = self.result()
        self._writer.wait()
        if self.storage is not None and self.group.rank == 0:
            if self.execution.keep_weights == "last" and not self.diverged:
                write_weights(self.storage, self.model, self.epoch)
            result = write_result(self.storage, result, self.notify)
            tidy(self.storage)
        return result


def fit(
    config: TrialConfig,
    execution: Execution = DEFAULT_EXECUTION,
    storage: Storage | None = None,
    on_epoch: Callable[[int, dict[str, float]], None] | None = None,
    group: Group = SINGLE_PROCESS,
) -> TrialResult:
    """Train to the end and return the outcome.

    Args:
        config: What to train.
        execution: Where and how.
        storage: If given, a finished trial found there is returned as it is, an unfinished
            one is continued, and the result is written there before it is returned.
        on_epoch: Called after every epoch with its number (from 1) and its numbers.
        group: The workers that run it together, each in a call of its own.

    Returns:
        A result with status ``done`` or ``diverged`` (the loss stopped being finite).

    Raises:
        trainables.data.DataError: the data set is missing or damaged.
        trainables.storage.files.StorageError: the storage cannot be written.
    """
    loop = training(config, execution, storage, group)
    while True:
        try:
            report = next(loop)
        except StopIteration as end:
            result: TrialResult = end.value
            return result
        if on_epoch is not None and report.numbers:
            on_epoch(report.epoch, dict(report.numbers))


def training(
    config: TrialConfig, execution: Execution, storage: Storage | None, group: Group, until: int = 0
) -> Generator[Report, None, TrialResult]:
    """As `fit`, but a generator: yields a report after each epoch, and one whenever there is
    something to say; returns the result. Closed between two epochs it saves a checkpoint. After
    ``until`` epochs (0: all) it is stopped, and the result is ``pruned`` if there are more."""
    notes: list[str] = []

    def report(epoch: int, numbers: Mapping[str, float]) -> Report:
        said = tuple(notes)
        notes.clear()
        return Report(config.trial_id, epoch, config.epochs, numbers, notes=said)

    if storage is not None:
        finished = cached.cached_result_for_all(
            config, execution, storage, group, Trial, notes.append
        )
        if finished is not None:
            return finished
    trial = Trial(config, execution, storage, group, notes.append)
    try:
        if notes:
            yield report(trial.epoch, {})
        while not trial.finished and not 0 < until <= trial.epoch:
            numbers = trial.run_epoch()
            yield report(trial.epoch, numbers)
    except GeneratorExit:
        trial.save()
        raise
    result = trial.finish() if trial.finished else pruned(trial)
    if notes:
        yield report(trial.epoch, {})
    return result


def cached_result(
    config: TrialConfig,
    execution: Execution,
    storage: Storage,
    notify: Callable[[str], None] = ignore,
) -> TrialResult | None:
    """`trainables.cached_result.cached_result` with this file's `Trial`."""
    return cached.cached_result(config, execution, storage, Trial, notify)


__all__ = ["Execution", "Trial", "cached_result", "fit", "training"]
