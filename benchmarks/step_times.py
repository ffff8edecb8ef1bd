"""What a training step of each method takes beside one of ERM: the table of budget ``time``.

    python -m benchmarks.step_times                     # measures, and prints the ratios
    python -m benchmarks.step_times --save              # and writes compare_times.json
    python -m benchmarks.step_times --methods my_method --save      # the others' stay as they are

For each preset of compare/methods its trials' own networks, batches, augmentations, optimizers
and methods are made. In every round a method takes a step of the training loop (or as many as
take ERM a twentieth of a second) between two such of ERM, in one process on one thread, and its
time over their mean is kept: CPU time of the process on a CPU, wall time on a GPU. A method that
begins late or acts every k-th step is timed in each of its phases; the median and the quartiles
are averaged over the phases by their share of a training. Images that are not built in are random
ones of the same shape. Ratios are rounded to 2 digits.

The table decides how long trials of budget ``time`` train: with new ratios they are other trials.
"""

from __future__ import annotations

import argparse
import io
import math
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.process import settle

if __name__ == "__main__":
    settle("benchmarks.step_times")

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from torch import Tensor

import search_spaces
from benchmarks.report import environment
from search_spaces import compare_times
from search_spaces.spec import StepTime, StepTimes
from sweep.plan import budget
from sweep.plan.expand import plan
from sweep.record.record import Record
from sweep.selection import SELECTIONS
from trainables import methods
from trainables.config import TrialConfig
from trainables.execution import Execution, reproducible
from trainables.methods.base import Progress
from trainables.train import Trial

ARTIFACT = "compare/methods"
STAND_INS = {"cifar10": (3, 32, 10)}
"""Channels, edge and classes of the sets whose images are drawn at random."""

BLOCK = 0.05
"""Seconds of ERM's steps that are timed at a time: one long step, or many short ones in a row."""


def trials(preset: str) -> dict[str, TrialConfig]:
    """Method -> its trial at equal epochs."""
    artifact = search_spaces.apply(search_spaces.find(ARTIFACT), preset)
    planned = plan(artifact, preset, SELECTIONS["paper"], Record.from_runs([]))
    return {
        trial.config.method.name: trial.config
        for trial in planned.trials
        if trial.cell.budget == "epochs" and trial.seed == 0
    }


def with_images(config: TrialConfig, folder: Path) -> TrialConfig:
    """``config`` on data that this machine has: random images in ``folder`` for missing ones."""
    name = config.data.source.name
    if name not in STAND_INS:
        return config
    channels, edge, classes = STAND_INS[name]
    count = 4 * config.batch_size
    shape = (count, edge, edge, channels)
    pixels = np.random.default_rng(0).integers(256, size=shape, dtype=np.uint8)
    rows = []
    for image in pixels:
        file = io.BytesIO()
        Image.fromarray(image).save(file, "png")
        rows.append({"bytes": file.getvalue(), "path": ""})
    home = folder / f"{name}-{count}"
    home.mkdir(exist_ok=True)
    labels = [i % classes for i in range(count)]
    for split in ("train", "test"):
        pq.write_table(pa.table({"img": rows, "label": labels}), home / f"{split}.parquet")
    source = {"name": "parquet", "set": home.name}
    return config.replace(**{"data.source": source, "data.subset": None, "data.validation": 0})


class Steps:
    """Steps of a trial's training, at any place of it."""

    def __init__(self, config: TrialConfig, folder: Path, device: str) -> None:
        self.trial = Trial(config, Execution(device=device, data_dir=folder))
        self.trial.model.train()
        self.per_epoch = len(self.trial.batches)
        self.noise = torch.Generator(self.trial.device)
        self.batches = self._batches()
        self.loss = torch.zeros((), dtype=torch.float64, device=self.trial.device)
        self.wrong = torch.zeros((), dtype=torch.int64, device=self.trial.device)

    def _batches(self) -> Iterator[tuple[Tensor, Any]]:
        epoch = 0
        while True:
            yield from self.trial.batches.epoch(epoch)
            epoch += 1

    def places(self) -> dict[float, list[int]]:
        """What a step declares to cost -> the steps of the training that cost it."""
        found: dict[float, list[int]] = defaultdict(list)
        epochs = self.trial.config.epochs
        for step in range(steps := epochs * self.per_epoch):
            epoch = step // self.per_epoch
            drops = self.trial.config.schedule.drops(epoch, epochs)
            self.trial.method.advance(Progress(step, steps, epoch, epochs, drops))
            found[self.trial.method.cost].append(step)
        return found

    def seconds(self, steps: Sequence[int]) -> float:
        """Mean over ``steps`` of the training: CPU time on a CPU, else wall time.

        Where there are several, the first is not counted: it finds the caches of other trials.
        """
        trial, counted = self.trial, steps[1:] or steps
        clock = time.process_time if trial.device.type == "cpu" else time.perf_counter
        if len(steps) > 1:
            self._step(steps[0])
        self._wait()
        started = clock()
        for step in counted:
            self._step(step)
        self._wait()
        return (clock() - started) / len(counted)

    def _step(self, step: int) -> None:
        """As the loop takes it, its running loss and error included."""
        inputs, targets = next(self.batches)
        self.trial.epoch = step // self.per_epoch
        self.trial.learning_rate.before_step(step)
        out = self.trial._step(step, inputs, targets, self.noise)
        self.loss += out.loss.to(torch.float64) * len(targets)
        self.wrong += (out.logits.argmax(1) != targets).sum()

    def _wait(self) -> None:
        if self.trial.device.type == "cuda":
            torch.cuda.synchronize(self.trial.device)


def measured(
    configs: Mapping[str, TrialConfig], given: argparse.Namespace
) -> dict[str, list[tuple[float, float]]]:
    """Method -> (what a step declares to cost, its time over ERM's), an entry a round and phase."""
    found: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as folder, reproducible(threads=1):
        data = Path(folder)
        erm = Steps(with_images(configs["erm"], data), data, given.device)
        anywhere = erm.places()[1.0]
        for name in given.methods:
            print(f"  {name}", file=sys.stderr, flush=True)
            steps = Steps(with_images(configs[name], data), data, given.device)
            places = steps.places()
            for at in places.values():  # before anything counts
                steps.seconds(at[:1])
            length = math.ceil(BLOCK / erm.seconds(anywhere[:2]))
            length += length > 1
            ratios = found[name] = []
            for turn in range(given.rounds):
                before = erm.seconds(_some(anywhere, length, turn))
                for cost, at in places.items():
                    taken = steps.seconds(_some(at, length, turn))
                    after = erm.seconds(_some(anywhere, length, turn))
                    ratios.append((cost, taken / ((before + after) / 2)))
                    before = after
    return found


def _some(places: Sequence[int], count: int, turn: int) -> list[int]:
    """``count`` of ``places`` in a row, later ones each turn; it goes on at the first."""
    return [places[(turn * count + i) % len(places)] for i in range(count)]


def over_phases(config: TrialConfig, ratios: Sequence[tuple[float, float]]) -> StepTime:
    """A method's step time over a training, each phase as often as it comes."""
    method = config.method.naming("methods")
    if config.method.name == "erm":  # by definition
        return StepTime(method, 1.0, (1.0, 1.0))
    low, middle, high = 0.0, 0.0, 0.0
    for phase, share in budget.phases(config).items():
        quartiles = statistics.quantiles([ratio for cost, ratio in ratios if cost == phase], n=4)
        low, middle, high = (
            total + share * q for total, q in zip((low, middle, high), quartiles, strict=True)
        )
    return StepTime(method, round(middle, 2), (round(low, 2), round(high, 2)))


def table(preset: str, given: argparse.Namespace) -> StepTimes:
    print(f"timing preset {preset}", file=sys.stderr, flush=True)
    configs = trials(preset)
    found = measured(configs, given)
    where = environment("torch")
    clock = "CPU time" if given.device == "cpu" else "wall time"
    stand_in = configs["erm"].data.source.name in STAND_INS
    return StepTimes(
        setting=budget.setting(configs["erm"]),
        hardware=where["hardware"],
        date=where["date"],
        versions=f"Python {where['python']}, torch {where['torch']}",
        how=f"{clock}, one thread, median of {given.rounds} rounds, load {where['load']}"
        + (", random images" if stand_in else ""),
        steps=tuple(over_phases(configs[name], ratios) for name, ratios in found.items()),
    )


def beside(new: StepTimes, others: Sequence[StepTimes]) -> tuple[StepTimes, ...]:
    """``new`` and what ``others`` have of further methods in the same setting."""
    renewed = {step.method["name"] for step in new.steps}
    kept = [
        replace(old, steps=tuple(s for s in old.steps if s.method["name"] not in renewed))
        for old in others
        if old.setting == new.setting
    ]
    return (*(old for old in kept if old.steps), new)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--presets", nargs="+", default=["smoke", "laptop", "small", "paper"])
    parser.add_argument("--methods", nargs="+", choices=methods.names(), default=methods.names())
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--save", action="store_true", help="write them to the file")
    given = parser.parse_args()
    tables = dict(compare_times.STEP_TIMES)
    for preset in given.presets:
        tables[preset] = beside(table(preset, given), tables.get(preset, ()))
        print("\n".join(map(repr, tables[preset][-1].steps)))
        if given.save:
            compare_times.FILE.write_text(compare_times.written(tables), encoding="utf-8")


if __name__ == "__main__":
    main()
