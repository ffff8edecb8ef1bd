"""How long a cell trains: so many epochs, or as many gradient evaluations or as much time as ERM.

The epochs given are ERM's. At equal gradients they are divided by the gradient evaluations that
a step of the method declares; at equal time by its measured step time over ERM's, which stands in
the artifact's file. Neither is measured where a cell is trained: it trains equally long everywhere.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from search_spaces.spec import Budget, Choice, Fields, StepTime, StepTimes
from trainables.declared import kept
from trainables.fields import Schedule

if TYPE_CHECKING:
    from trainables.config import TrialConfig

SIMULATED = 240
"""Steps that stand for a training when a method's cost is averaged over it."""

INDIFFERENT = {
    "": ("protocol", "seed", "epochs", "method"),
    "data": ("subset", "validation", "split_seed"),
    "optimizer": ("lr", "weight_decay"),
}
"""Fields that do not change a step's time over ERM's, by the section of the configuration ("": at
its top). The method does; it is compared apart."""

COPIES: Mapping[str, Fields] = {"cifar10": {"name": "parquet", "set": "cifar10", "size": None}}
"""Data set -> what another one that has its images says of itself: a step takes as long on both."""

SAME_EVERYWHERE = "epochs do not depend on the machine that trains"
DECLARED = "the gradient evaluations that they declare (in brackets) stand for their time"
MEASURED = "a step time is measured, not chosen"
NOT_MEASURED = "not measured with these settings; python -m benchmarks.step_times measures"


def epochs(config: TrialConfig, budget: Budget, times: Sequence[StepTimes] = ()) -> int:
    """How many epochs a trial trains, so that it costs as much as its ``epochs`` of ERM.

    That is epochs / cost of a step over ERM's, rounded to the nearest whole number (half-way
    between two, to the even one), and at least 1.

    Args:
        config: The trial; its ``epochs`` are those of ERM.
        budget: What is held equal.
        times: Measured step times, for budget ``time``.
    """
    if budget == "epochs":
        return config.epochs
    cost = step_time(config, times) if budget == "time" else gradients_per_step(config)
    return max(1, round(config.epochs / cost))


def step_time(config: TrialConfig, times: Sequence[StepTimes]) -> float:
    """How long a step of the trial takes over one of ERM, by measurement.

    Where none was made with these settings, the gradient evaluations of a step stand for it.
    """
    found = measured_step_time(config, times)
    return found[1].ratio if found else gradients_per_step(config)


def measured_step_time(
    config: TrialConfig, times: Sequence[StepTimes]
) -> tuple[StepTimes, StepTime] | None:
    """A trial's measured step time, after the table it stands in; None: there is none."""
    if not times:
        return None
    wanted, method = setting(config), config.method_named
    known = [(table, step) for table in times if table.setting == wanted for step in table.steps]
    return next(((table, step) for table, step in known if step.method == method), None)


def readings(configs: Iterable[TrialConfig], times: Sequence[StepTimes]) -> list[Choice]:
    """What a table says of the step times that its trials of budget ``time`` rest on.

    Where and when they were measured, and which methods are counted by their gradient evaluations
    because theirs were not.
    """
    used: dict[str, dict[str, None]] = {}
    lacking: dict[str, None] = {}
    for config in configs:
        found = measured_step_time(config, times)
        if found is None:
            lacking[f"{config.method.name} ({gradients_per_step(config):g})"] = None
        else:
            table, _ = found
            where = f"on {table.hardware}, {table.versions}, {table.date}: {table.how}"
            used.setdefault(where, {})[config.method.name] = None
    several = len(used) > 1
    choices = [
        Choice(
            "step times" + (f" of {', '.join(names)}" if several else ""),
            f"measured once, {where}",
            SAME_EVERYWHERE,
            single=MEASURED,
        )
        for where, names in used.items()
    ]
    if lacking:
        what = f"step times of {', '.join(lacking)}"
        choices.append(Choice(what, DECLARED, NOT_MEASURED, single=MEASURED))
    return choices


def setting(config: TrialConfig) -> dict[str, Any]:
    """All of a configuration that a step's time over ERM's may depend on, beside the method."""
    fields: dict[str, Any] = json.loads(config.canonical)
    for part, names in INDIFFERENT.items():
        for name in names:
            del (fields[part] if part else fields)[name]
    fields["data"]["source"] = _original(fields["data"]["source"])
    return fields


def _original(source: dict[str, Any]) -> dict[str, Any]:
    """The data set that ``source`` is a copy of, with the same options; else itself."""
    for name, copy in COPIES.items():
        if copy.items() <= source.items():
            return {"name": name, **{k: v for k, v in source.items() if k not in copy}}
    return source


def gradients_per_step(config: TrialConfig) -> float:
    """Gradient evaluations one step of the trial's method costs, on average over the training."""
    return sum(cost * fraction for cost, fraction in phases(config).items())


def phases(config: TrialConfig) -> dict[float, float]:
    """How the cost of a step changes over a training.

    A method may begin late or act every k-th step; a training of `SIMULATED` steps stands for
    the real one. The drops of a plateau schedule cannot be foreseen and are left out.

    Returns:
        Gradient evaluations of a step -> fraction of the steps that cost so many.
    """
    build = {
        "name": config.method.name,
        "regularizers": [(r.name, r.options) for r in config.regularizers],
        "batchnorm": config.batchnorm,
        "batchnorm_parts": config.batchnorm_parts,
        **config.method.options,
    }
    schedule = config.schedule.model_dump(mode="json")
    return dict(_phases(build, schedule, config.epochs))


@kept
def _phases(
    build: Mapping[str, Any], schedule: Mapping[str, Any], epochs: int
) -> list[tuple[float, float]]:
    from trainables import methods
    from trainables.methods.base import Progress

    method, rate = methods.build(**build), Schedule(**schedule)
    counts: Counter[float] = Counter()
    for step in range(SIMULATED):
        epoch = step * epochs / SIMULATED
        method.advance(Progress(step, SIMULATED, int(epoch), epochs, rate.drops(epoch, epochs)))
        counts[method.cost] += 1
    return [(cost, count / SIMULATED) for cost, count in counts.items()]
