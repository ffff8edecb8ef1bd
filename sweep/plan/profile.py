"""What bounds the trials of a plan: the launches, copies and waits of a step, and its time.

They are counted on a simulated GPU, where they are what they are on any; the time is taken on the
device that is here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sweep.plan.expand import PlannedTrial
    from trainables.config import TrialConfig
    from trainables.simulated_gpu import Kind, SimulatedGPU
    from trainables.train import Trial

STEPS = 3
"""Steps that are made; the last one is counted: a first one does what is done once."""

COUNTED: tuple[Kind, ...] = ("launch", "fill", "copy", "wait")

LAUNCH_SECONDS = 5e-6
"""What a host needs to launch a kernel: a step cannot take less than this for each of its own."""

SHOWN = 3
"""So many lines of the program are named for each kind of cost."""


@dataclass(frozen=True)
class StepCost:
    """A step of one kind of trial, its batch of images included.

    Attributes:
        kind: Method, network and batch size.
        trials: How many trials of the plan are of this kind.
        launches, fills, copies, waits: Kernels; those among them that write a constant; copies
            between host and device; and how often the host waits for the device.
        places: Kind of cost -> lines of the program that have the most of it -> how often.
        seconds: On ``device``.
    """

    kind: str
    trials: int
    launches: int
    fills: int
    copies: int
    waits: int
    places: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    seconds: float = 0.0
    device: str = ""

    @property
    def launch_seconds(self) -> float:
        """What its launches take by themselves."""
        return self.launches * LAUNCH_SECONDS

    def as_dict(self) -> dict[str, Any]:
        """Its attributes by name, and `launch_seconds`, for JSON."""
        return {**asdict(self), "launch_seconds": self.launch_seconds}

    def bound(self) -> str:
        """What a GPU would mostly do in such a step, in words."""
        if self.waits:
            return "waiting: the device is idle until the host has asked for more"
        if not self.device.startswith("cuda"):
            return f"at least {1000 * self.launch_seconds:.2f} ms a step on a GPU, for launches"
        share = self.launch_seconds / self.seconds
        return "launching: its kernels are short" if share > 0.5 else "computing"


def profile(
    trials: Iterable[PlannedTrial],
    data: Path | None = None,
    notify: Callable[[str], None] = lambda _: None,
) -> list[StepCost]:
    """A step of each kind of trial among ``trials``.

    Args:
        data: Folder of the data sets; None: the default one.
        notify: Told which kind comes next.

    Raises:
        trainables.data.DataError: a data set is missing or damaged.
    """
    kinds: dict[str, list[PlannedTrial]] = {}
    for trial in trials:
        kinds.setdefault(_kind(trial.config), []).append(trial)
    found = []
    for alike in kinds.values():
        config = alike[0].config
        notify(_words(config))
        found.append(_step(config, len(alike), data))
    return found


def _kind(config: TrialConfig) -> str:
    """Equal for trials whose steps launch the same: strengths and rates do not matter."""
    fields = config.model_dump(mode="json", exclude={"seed", "epochs", "schedule", "protocol"})
    return json.dumps(_without_fractions(fields), sort_keys=True)


def _without_fractions(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_fractions(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_fractions(item) for item in value]
    return value > 0 if isinstance(value, float) else value


def _words(config: TrialConfig) -> str:
    parts = [config.method.name, *(r.name for r in config.regularizers)]
    return f"{' + '.join(parts)}, {config.model.name}, batches of {config.batch_size}"


def _step(config: TrialConfig, trials: int, data: Path | None) -> StepCost:
    from trainables.simulated_gpu import SimulatedGPU
    from trainables.train import Execution, Trial

    alone = config.replace(workers=1)
    here = Trial(alone, Execution(data_dir=data))
    seconds, device = here.time_step(), str(here.device)
    with SimulatedGPU() as gpu:
        seen = _counted(Trial(alone, Execution(device="cuda", data_dir=data)), gpu)
    places = {kind: dict(list(seen.places(kind).items())[:SHOWN]) for kind in COUNTED}
    return StepCost(
        kind=_words(config),
        trials=trials,
        launches=seen.total("launch"),
        fills=seen.total("fill"),
        copies=seen.total("copy"),
        waits=seen.total("wait"),
        places={kind: found for kind, found in places.items() if found},
        seconds=seconds,
        device=device,
    )


def _counted(trial: Trial, gpu: SimulatedGPU) -> SimulatedGPU:
    """What the last of a few steps does on the GPU, when the method does all that it ever does."""
    import torch

    trial.model.train()
    noise = torch.Generator(device=trial.device)
    first = _dearest(trial)
    trial.epoch = first // len(trial.batches)
    batches = trial.batches.epoch(trial.epoch)
    for step in range(first, first + min(STEPS, len(trial.batches))):
        trial.learning_rate.before_step(first)
        with gpu.watching() as seen:
            trial._step(step, *next(batches), noise)
    return seen


def _dearest(trial: Trial) -> int:
    """The first step of those that cost the most gradients: some methods begin late."""
    from trainables.methods.base import Progress

    epochs, each = trial.config.epochs, len(trial.batches)

    def cost(epoch: int) -> float:
        drops = trial.config.schedule.drops(epoch, epochs)
        trial.method.advance(Progress(epoch * each, epochs * each, epoch, epochs, drops))
        return float(trial.method.cost)

    return each * max(range(epochs), key=cost)


__all__ = ["LAUNCH_SECONDS", "StepCost", "profile"]
