"""What a plan would still cost: device hours and disk.

Trials of one network on one data set are taken to cost the same per gradient evaluation, or per
step time over ERM's where the artifact has measured ones. That cost is read off their recorded
relatives, or timed here on a few steps of the training itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trainables.errors import FlatsweepError

if TYPE_CHECKING:
    from search_spaces.spec import StepTimes
    from sweep.plan.expand import Plan, PlannedTrial
    from sweep.record.record import Record

RESULT_BYTES = 50_000
"""A result with its per-epoch history; measured on 200 epochs of twelve numbers."""

PATIENCE = 4
"""A trial that takes so many times as long as the longest one is expected to is taken to hang: the
estimate counts training alone, and other programs may use the machine."""

PARAMETER_BYTES = 4
"""Of kept weights, which are float32."""


class UntimedError(FlatsweepError):
    """Why a network could not be timed, in one sentence."""


@dataclass(frozen=True)
class EpochCost:
    """What an epoch of ERM costs: one gradient evaluation on each of its batches.

    Attributes:
        seconds: Wall time on the device that ran it.
        parameters: Of the network.
        trials: Recorded trials it is the mean of; 0: it was timed.
    """

    seconds: float
    parameters: float
    trials: int = 0


@dataclass(frozen=True)
class CostEstimate:
    """What the trials cost that are still to run, those that wait for a winner included.

    Attributes:
        device_hours: Of training, one trial after the other; evaluation and measures come on top.
        result_megabytes: Disk that the results of all trials of the plan take.
        weight_megabytes: Disk that their weights take besides, where they are kept.
        from_trials: Recorded trials that the hours rest on.
        timed: Networks that were timed for it.
        unknown_trials: Trials that the hours leave out.
        said: Sentences: why networks could not be timed.
        price: Of these device hours, in the unit of a price per GPU hour; None: no price was given.
        longest_hours: Of training, of the longest of these trials; 0 if none is known.
    """

    device_hours: float
    result_megabytes: float
    weight_megabytes: float
    from_trials: int
    timed: int
    unknown_trials: int
    said: tuple[str, ...] = ()
    price: float | None = None
    longest_hours: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Its attributes by name, for JSON."""
        return asdict(self)

    def lines(self) -> list[str]:
        """In words: disk, then time and what that rests on."""
        disk = f"disk: about {self.result_megabytes:.0f} MB of results"
        if self.from_trials or self.timed:
            disk += f", {self.weight_megabytes:.0f} MB more with --keep-weights"
        price = [] if self.price is None else [self._price()]
        return [disk, self._time(), *price, *self._longest(), *self.said]

    def _price(self) -> str:
        if not (self.from_trials or self.timed):
            return "price: unknown as the time is"
        least = "at least" if self.unknown_trials else "about"
        return f"price: {least} {self.price:.2f}, where each trial has one GPU to itself"

    def _longest(self) -> list[str]:
        """How long one trial may take, and when one that takes longer may be taken to hang."""
        if not self.longest_hours:
            return []
        ample = math.ceil(PATIENCE * self.longest_hours * 60)
        limit = f"{ample}m" if ample < 60 * PATIENCE else f"{math.ceil(ample / 60)}h"
        return [
            f"longest trial: about {self.longest_hours:.2f} hours; --trial-timeout {limit} ends "
            "one that hangs"
        ]

    def _time(self) -> str:
        basis = [f"{self.from_trials} recorded trials"] if self.from_trials else []
        basis += [f"a few steps of {self.timed} networks, timed here"] if self.timed else []
        offer = "" if self.said else "; --time times a few steps of each network"
        if not basis:
            return f"time: unknown until trials are recorded{offer}"
        said = f"time: about {self.device_hours:.2f} device hours left, from {' and '.join(basis)}"
        if self.unknown_trials:
            said += f", not counting {self.unknown_trials} trials of other networks{offer}"
        return said


CostKey = tuple[str, ...]


def estimate(
    planned: Plan,
    record: Record,
    time: Callable[[PlannedTrial], EpochCost] | None = None,
    price: float | None = None,
    begun: Mapping[str, float] | None = None,
) -> CostEstimate:
    """What the rest of a plan costs; arguments as of `estimate_all`."""
    return estimate_all([planned], record, time, price, begun)


def estimate_all(
    plans: Sequence[Plan],
    record: Record,
    time: Callable[[PlannedTrial], EpochCost] | None = None,
    price: float | None = None,
    begun: Mapping[str, float] | None = None,
) -> CostEstimate:
    """What the rest of several plans costs, a trial of more than one of them counted once.

    Args:
        plans: Those of a whole paper, say.
        record: Recorded trials say what others of their network cost.
        time: Asked for a trial of a network that none has run yet; raises `UntimedError` if it
            cannot be timed. None: such trials are left out.
        price: Of a GPU's hour; None: not known.
        begun: Of a trial that runs, by id, the share of its epochs that it has trained.
    """
    from sweep.plan.budget import step_time

    times = [table for planned in plans for table in planned.artifact.experiment.step_times]
    every = _distinct(t for planned in plans for t in (*planned.trials, *planned.expected))
    wanted = _distinct(t for p in plans for t in (*p.missing(record), *p.expected))
    left = [(trial, _cost_key(trial)) for trial in wanted]
    costs = _recorded((trial for trial in every if not trial.awaits), record, times)
    said: list[str] = []
    for trial, key in left if time is not None else ():
        if key not in costs and time is not None:
            try:
                costs[key] = time(trial)
            except UntimedError as error:
                if str(error) not in said:
                    said.append(str(error))
    known = [(trial, costs[key]) for trial, key in left if key in costs]
    shares = begun or {}
    each = [t.settings.epochs * step_time(t.settings, times) * c.seconds for t, c in known]
    seconds = sum(
        whole * (1 - shares.get(trial.trial_id, 0))
        for (trial, _), whole in zip(known, each, strict=True)
    )
    weights = sum(PARAMETER_BYTES * cost.parameters for _, cost in known)
    return CostEstimate(
        device_hours=round(seconds / 3600, 4),
        result_megabytes=round(len(every) * RESULT_BYTES / 1e6, 1),
        weight_megabytes=round(weights / 1e6, 1),
        from_trials=sum(cost.trials for cost in costs.values()),
        timed=sum(not cost.trials for cost in costs.values()),
        unknown_trials=len(left) - len(known),
        said=tuple(said),
        price=None if price is None else round(price * seconds / 3600, 2),
        longest_hours=round(max(each, default=0.0) / 3600, 4),
    )


def hours_spent(trial_ids: Iterable[str], record: Record) -> float:
    """Device hours of training that these trials took, as far as they are recorded."""
    import numpy as np

    return float(np.nansum(record.values(list(trial_ids), "training_seconds"))) / 3600


def _distinct(trials: Iterable[PlannedTrial]) -> list[PlannedTrial]:
    return list({(trial.trial_id, trial.awaits): trial for trial in trials}.values())


def _recorded(
    trials: Iterable[PlannedTrial], record: Record, times: Sequence[StepTimes]
) -> dict[CostKey, EpochCost]:
    from sweep.plan.budget import step_time

    trials = list(trials)
    ids = [trial.trial_id for trial in trials]
    spent, lasted, sizes = (
        record.values(ids, name).tolist()
        for name in ("training_seconds", "epochs_run", "parameters")
    )
    found: dict[CostKey, list[tuple[float, float]]] = {}
    for trial, seconds, epochs, size in zip(trials, spent, lasted, sizes, strict=True):
        if seconds > 0 and epochs > 0:
            work = epochs * step_time(trial.settings, times)
            parameters = 0.0 if math.isnan(size) else size
            found.setdefault(_cost_key(trial), []).append((seconds / work, parameters))
    return {
        kind: EpochCost(sum(s for s, _ in costs) / len(costs), costs[0][1], len(costs))
        for kind, costs in found.items()
    }


def _cost_key(trial: PlannedTrial) -> CostKey:
    """Equal for trials whose gradient evaluations take equally long, on equally many batches."""
    config = trial.settings
    data = config.data.model_dump_json(include={"source", "subset", "augmentation"})
    return data, config.model.model_dump_json(), str(config.batch_size), config.precision


def timed_here(
    trial: PlannedTrial, data: Path | None = None, notify: Callable[[str], None] = lambda _: None
) -> EpochCost:
    """What an epoch of a trial's network costs on this machine, measured over a few steps of ERM.

    Args:
        trial: Whose network, data and batch size are taken.
        data: Folder of the data sets; None: the default one.
        notify: Told in a sentence how long a step takes.

    Raises:
        UntimedError: the data set is missing or damaged, or the device's memory is too small.
    """
    import torch

    from trainables.data import DataError
    from trainables.train import Execution, Trial

    plain = trial.config.replace(
        method={"name": "erm"}, regularizers=[], batchnorm="clean", workers=1
    )
    try:
        training = Trial(plain, Execution(data_dir=data))
        seconds = training.time_step()
    except DataError as error:
        raise UntimedError(str(error)) from error
    except torch.OutOfMemoryError as error:
        batch = f"batches of {plain.batch_size}"
        raise UntimedError(f"{plain.model.name} with {batch} does not fit here") from error
    parameters = sum(p.numel() for p in training.model.parameters())
    notify(
        f"{plain.model.name}, {parameters:,} parameters, on {training.device}: "
        f"{1000 * seconds:.1f} ms a step of {plain.batch_size}"
    )
    return EpochCost(seconds * len(training.batches), parameters)
