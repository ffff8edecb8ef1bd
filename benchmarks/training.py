"""An epoch of plain training by four loops, side by side: ``python -m benchmarks.training``.

ResNet-20 at batch 128 on random images of CIFAR-10's size (padded crop, flip, normalisation), SGD
with momentum and weight decay, float32, on a CPU:

- the plain loop that everybody writes: a DataLoader, torchvision's transforms image by image;
- the same with the habits of trainers: meters that wait for each step, a scheduler a step;
- the fastest that one can write by hand with the same arithmetic as ours;
- ours: `trainables.train`, its running loss and error included.

In every round each loop runs one epoch; wall time over that of ours, median (quartiles). CPU time
beside it is of this process alone: what a DataLoader's workers use is not in it. Nothing else
should run on the machine.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.process import settle

if __name__ == "__main__":
    settle("benchmarks.training")

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.report import publish
from trainables import data, models
from trainables.config import TrialConfig
from trainables.data.base import Dataset, Images
from trainables.execution import Execution
from trainables.train import Trial

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)
BATCH = 128
SGD: dict[str, Any] = {"lr": 0.1, "momentum": 0.9, "weight_decay": 5e-4}
GOALS = {"plain": 1.3, "by hand": 1 / 1.03}
"""Their time over ours, at least."""


@data.registry.register("random_images")
def random_images(*, count: int) -> Dataset:
    """``count`` images of noise, 32 by 32, ten classes."""
    pixels = torch.randint(256, (count, 3, 32, 32), dtype=torch.uint8)
    images = Images(pixels, torch.randint(10, (count,)))
    return Dataset("random_images", images, images, num_classes=10, mean=MEAN, std=STD)


def network() -> nn.Module:
    torch.manual_seed(0)
    return models.build("resnet20", num_classes=10, input_shape=(3, 32, 32))


# -- loops ----------------------------------------------------------------------------------------


class Pictures(torch.utils.data.Dataset[tuple[Tensor, int]]):
    """As torchvision's CIFAR10: an array of pixels, a PIL image and transforms at each access."""

    def __init__(self, pixels: Tensor, targets: Tensor) -> None:
        from torchvision import transforms

        self.pixels = pixels.permute(0, 2, 3, 1).numpy()
        self.targets = targets.tolist()
        self.transform = transforms.Compose(
            [
                transforms.RandomCrop(32, padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        from PIL import Image

        return self.transform(Image.fromarray(self.pixels[index])), self.targets[index]


def loader_of(pixels: Tensor, targets: Tensor, workers: int) -> Any:
    """Shuffled batches, transformed image by image by so many processes; 0: by this one."""
    return torch.utils.data.DataLoader(
        Pictures(pixels, targets), BATCH, shuffle=True, num_workers=workers,
        persistent_workers=workers > 0,
    )  # fmt: skip


def plain(pixels: Tensor, targets: Tensor, workers: int) -> Callable[[], None]:
    """What everybody writes."""
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), **SGD)
    loader = loader_of(pixels, targets, workers)

    def epoch() -> None:
        model.train()
        for inputs, labels in loader:
            optimizer.zero_grad()
            functional.cross_entropy(model(inputs), labels).backward()
            optimizer.step()

    return epoch


def habits(pixels: Tensor, targets: Tensor, workers: int) -> Callable[[], None]:
    """The same as trainers do it."""
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), **SGD)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10**6)
    loader = loader_of(pixels, targets, workers)

    def epoch() -> None:
        model.train()
        losses, correct, seen = 0.0, 0, 0
        for inputs, labels in loader:
            outputs = model(inputs)
            loss = functional.cross_entropy(outputs, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses += loss.item() * len(labels)
            correct += int((outputs.argmax(1) == labels).sum().item())
            seen += len(labels)

    return epoch


def by_hand(pixels: Tensor, targets: Tensor) -> Callable[[], None]:
    """One gather for crop and flip, channels last, a fused optimizer, no wait."""
    model = network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(model.parameters(), **SGD, fused=True)
    padded = functional.pad(pixels, (4, 4, 4, 4)).flatten(2)
    mean = 255 * torch.tensor(MEAN).view(3, 1, 1)
    std = 255 * torch.tensor(STD).view(3, 1, 1)
    edge = torch.arange(32)

    def epoch() -> None:
        model.train()
        total = torch.zeros(())
        for rows in torch.randperm(len(pixels)).split(BATCH):
            top, left = torch.randint(9, (2, len(rows), 1))
            flip = torch.rand(len(rows), 1) < 0.5
            down, across = top + edge, left + torch.where(flip, edge.flip(0), edge)
            index = (40 * down[:, :, None] + across[:, None, :]).view(len(rows), 1, -1)
            images = padded[rows].gather(2, index.expand(-1, 3, -1)).view(-1, 3, 32, 32)
            inputs = images.to(torch.float32).sub_(mean).div_(std)
            inputs = inputs.contiguous(memory_format=torch.channels_last)
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(inputs), targets[rows])
            loss.backward()
            optimizer.step()
            total += loss.detach()

    return epoch


def ours(count: int, threads: int, method: str = "erm") -> Callable[[], None]:
    """A trial's epochs, without its evaluation."""
    config = TrialConfig(
        model="resnet20",
        method=method,
        data={
            "source": {"name": "random_images", "count": count},
            "validation": 0,
            "augmentation": ["pad_crop", "flip"],
        },
        batch_size=BATCH,
        optimizer={"name": "sgd", **SGD},
        schedule={"name": "constant"},
        epochs=10**6,
    )
    trial = Trial(config, Execution(device="cpu", threads=threads))

    def epoch() -> None:
        from trainables.execution import reproducible

        with reproducible(threads):
            trial._train_epoch()
        trial.epoch += 1

    return epoch


# -- measuring ------------------------------------------------------------------------------------


def timed(epoch: Callable[[], None]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    wall, used = time.perf_counter(), time.process_time()
    epoch()
    return time.perf_counter() - wall, time.process_time() - used


def shown(values: list[float]) -> str:
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def verdict(name: str, ratios: list[float]) -> str:
    if (goal := GOALS.get(name)) is None:
        return ""
    return f"{goal:.2f} {'met' if statistics.median(ratios) >= goal else 'missed'}"


def measure(arguments: argparse.Namespace) -> tuple[list[dict[str, Any]], list[str]]:
    count = BATCH * arguments.steps
    torch.manual_seed(0)
    images = random_images(count=count).train
    pixels, targets = images.base, images.targets
    loops = {
        "plain": plain(pixels, targets, arguments.workers),
        "habits": habits(pixels, targets, arguments.workers),
        "by hand": by_hand(pixels, targets),
        "ours": ours(count, arguments.threads),
        **{f"ours, {name}": ours(count, arguments.threads, name) for name in arguments.methods},
    }
    for name, epoch in loops.items():
        print(f"first epoch: {name}", file=sys.stderr, flush=True)
        epoch()
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in loops}
    for _ in range(arguments.rounds):
        for name, epoch in loops.items():
            torch.set_num_threads(arguments.threads)
            times[name].append(timed(epoch))
    rows = []
    for name, found in times.items():
        wall, used = (
            [each[i] / base[i] for each, base in zip(found, times["ours"], strict=True)]
            for i in range(2)
        )
        step = 1000 * statistics.median(each[0] for each in found) / arguments.steps
        rows.append(
            {
                "loop": name,
                "wall time / ours": shown(wall),
                "CPU time / ours": shown(used),
                "ms a step": f"{step:.0f}",
                "to reach": verdict(name, wall),
            }
        )
    return rows, [
        f"median (quartiles) of {arguments.rounds} interleaved rounds of {arguments.steps} steps, "
        f"{arguments.threads} threads; DataLoaders have {arguments.workers} workers",
        "images are random, ResNet-20, batch 128",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--steps", type=int, default=10, help="of an epoch")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=0, help="of the DataLoaders")
    parser.add_argument("--methods", nargs="*", default=["sam", "nrs", "nso"])
    parser.add_argument("--save", action="store_true", help="keep the table in benchmarks/results")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows, notes = measure(arguments)
    publish(
        "training", "Training loops side by side", rows, "torch", "torchvision",
        notes=notes, save=arguments.save,
    )  # fmt: skip


if __name__ == "__main__":
    main()
