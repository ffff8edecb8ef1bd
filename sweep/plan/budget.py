"""How long a cell trains: so many epochs, or as many gradient evaluations or as much time as ERM.

The epochs given are ERM's. At equal gradients they are divided by the gradient evaluations that
a step of the method declares; at equal time by its measured step time over ERM's, which stands in
the artifact's file. Neither is measured where a cell is trained: it trains equally long everywhere.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from search_spaces.spec import Budget, Choice, StepTime, StepTimes

if TYPE_CHECKING:
    from trainables.config import TrialConfig

SIMULATED = 240
"""Steps that stand for a training when a method's cost is averaged over it."""

INDIFFERENT = {
    "": ("protocol", "seed", "epochs", "method"),
    "data": ("subset", "validation", "split_seed"),
    "optimizer": ("lr", "weight_decay"),
}
"""What does not change a step's time over ERM's, by the part of the configuration it is in; the
method itself is looked up."""

SAME_EVERYWHERE = "epochs do not depend on the machine that trains"
DECLARED = "the gradient evaluations that they declare (in brackets) stand for their time"
NOT_MEASURED = "not measured with these settings; python -m benchmarks.step_times measures"


def epochs(config: TrialConfig, budget: Budget, times: Sequence[StepTimes] = ()) -> int:
    """What ``config``'s epochs of ERM are worth under ``budget``, in epochs of its method.

    The nearest whole number (of two as near, the even one), at least 1.
    """
    if budget == "epochs":
        return config.epochs
    cost = step_time(config, times) if budget == "time" else gradients_per_step(config)
    return max(1, round(config.epochs / cost))


def step_time(config: TrialConfig, times: Sequence[StepTimes]) -> float:
    """Time of a step of the trial over ERM's, where it was measured; else its gradients."""
    found = measured_step_time(config, times)
    return found[1].ratio if found else gradients_per_step(config)


def measured_step_time(
    config: TrialConfig, times: Sequence[StepTimes]
) -> tuple[StepTimes, StepTime] | None:
    """A trial's step time and the table it stands in; None: not measured with these settings."""
    wanted, method = setting(config), config.method.naming("methods")
    known = [(table, step) for table in times if table.setting == wanted for step in table.steps]
    return next(((table, step) for table, step in known if step.method == method), None)


def readings(configs: Iterable[TrialConfig], times: Sequence[StepTimes]) -> list[Choice]:
    """Where the step times of trials of budget ``time`` are from, and what stands for others."""
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
        )
        for where, names in used.items()
    ]
    if lacking:
        choices.append(Choice(f"step times of {', '.join(lacking)}", DECLARED, NOT_MEASURED))
    return choices


def setting(config: TrialConfig) -> dict[str, Any]:
    """All of a configuration that a step's time over ERM's may depend on, beside the method."""
    fields: dict[str, Any] = json.loads(config.canonical)
    for part, names in INDIFFERENT.items():
        for name in names:
            del (fields[part] if part else fields)[name]
    return fields


def gradients_per_step(config: TrialConfig) -> float:
    """Gradient evaluations one step of the trial's method costs, on average over the training."""
    return sum(cost * fraction for cost, fraction in phases(config).items())


def phases(config: TrialConfig) -> dict[float, float]:
    """What a step of the trial's method declares to cost -> the part of the training that it does.

    A method may begin late or act every k-th step; a training of `SIMULATED` steps stands for
    the real one. The drops of a plateau schedule cannot be foreseen and are left out.
    """
    from trainables import methods
    from trainables.methods.base import Progress

    method = methods.build(
        config.method.name,
        regularizers=[(r.name, r.options) for r in config.regularizers],
        batchnorm=config.batchnorm,
        batchnorm_parts=config.batchnorm_parts,
        **config.method.options,
    )
    counts: Counter[float] = Counter()
    for step in range(SIMULATED):
        epoch = step * config.epochs / SIMULATED
        drops = config.schedule.drops(epoch, config.epochs)
        method.advance(Progress(step, SIMULATED, int(epoch), config.epochs, drops))
        counts[method.cost] += 1
    return {cost: count / SIMULATED for cost, count in counts.items()}
