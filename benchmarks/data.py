"""Images a second that reach a training step: batches of tensors, per-sample transforms, streams.

    python -m benchmarks.data [--save]              # 32x32 sets, beside torchvision's transforms
    python -m benchmarks.data --stream [--save]     # photographs: threads, DataLoader, Ray Data

One thread unless said otherwise; best of ``--repeats`` passes (the least disturbed); images are
random, so that nothing needs to be downloaded. Goals: at least 100,000 images/s a thread for
crop + flip + normalisation + cutout, and ten times the per-sample transforms.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.report import publish
from sweep.ray_executor.session import local_ray
from trainables.data import augment
from trainables.data.base import Images
from trainables.data.loader import BatchLoader
from trainables.data.sets.options import IMAGENET_MEAN, IMAGENET_STD
from trainables.data.stream import ImageFiles, decoded

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)


def rate(count: int, run: Callable[[], Any], repeats: int) -> float:
    """Images a second of the fastest of ``repeats`` passes over ``count`` images."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return count / min(times)


def drain(batches: Iterable[Any]) -> None:
    for _ in batches:
        pass


def small(count: int, batch: int, repeats: int) -> list[dict[str, Any]]:
    """Sets of 32x32 images, held as uint8 in memory."""
    pixels = torch.randint(256, (count, 3, 32, 32), dtype=torch.uint8)
    images = Images(pixels, torch.randint(10, (count,)))
    build = augment.build
    chains = {
        "index and normalise": [],
        "crop, flip": [build("pad_crop"), build("flip")],
        "crop (reflect), flip": [build("pad_crop", fill="reflect"), build("flip")],
        "crop, flip, cutout": [build("pad_crop"), build("flip"), build("cutout")],
        "crop, flip, autoaugment, cutout": [
            *(build("pad_crop", fill="gray"), build("flip")),
            *(build("autoaugment"), build("cutout")),
        ],
    }
    rows = []
    for name, chain in chains.items():
        loop = BatchLoader(images, batch, chain, MEAN, STD)
        speed = rate(count, lambda loop=loop: drain(loop.epoch(0)), repeats)  # type: ignore[misc]
        rows.append({"pipeline": f"ours: {name}", "images/s": speed})
    return rows + per_sample(pixels, batch, repeats)


def per_sample(pixels: torch.Tensor, batch: int, repeats: int) -> list[dict[str, Any]]:
    """The usual way: torchvision's transforms on each image, in a DataLoader."""
    from torchvision import transforms as v1
    from torchvision.transforms import v2

    count = min(len(pixels), 5_000)
    pictures = [v1.functional.to_pil_image(image) for image in pixels[:count]]

    def cut(image: torch.Tensor) -> torch.Tensor:
        height, width = image.shape[1:]
        top, left = (int(torch.randint(edge, ())) - 8 for edge in (height, width))
        image[:, max(top, 0) : top + 16, max(left, 0) : left + 16] = 0
        return image

    first = v1.Compose(
        [
            *(v1.RandomCrop(32, padding=4), v1.RandomHorizontalFlip(), v1.ToTensor()),
            *(v1.Lambda(cut), v1.Normalize(MEAN, STD)),
        ]
    )
    second = v2.Compose(
        [
            *(v2.ToImage(), v2.RandomCrop(32, padding=4), v2.RandomHorizontalFlip()),
            *(v2.ToDtype(torch.float32, scale=True), v2.Lambda(cut), v2.Normalize(MEAN, STD)),
        ]
    )
    rows = []
    for name, transform in (("v1", first), ("v2", second)):
        for workers in (0, 2):
            loader: Any = torch.utils.data.DataLoader(
                Mapped(pictures, transform), batch, shuffle=True, num_workers=workers
            )
            speed = rate(count, lambda loader=loader: drain(loader), repeats)  # type: ignore[misc]
            label = f"torchvision {name} per sample: crop, flip, cutout; {workers} workers"
            rows.append({"pipeline": label, "images/s": speed})
    return rows


class Mapped(torch.utils.data.Dataset):
    """``transform`` of each of ``items``."""

    def __init__(self, items: Any, transform: Callable[[Any], Any]) -> None:
        self.items, self.transform = items, transform

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.transform(self.items[index])


def streamed(count: int, batch: int, repeats: int, size: int) -> list[dict[str, Any]]:
    """Photographs of ImageNet's usual 500x375, decoded, cropped and resized while training."""
    with tempfile.TemporaryDirectory() as folder:
        names = photographs(Path(folder), count)
        store = ImageFiles(Path(folder), names, size)
        images = Images(store, torch.zeros(count, dtype=torch.long))  # type: ignore[arg-type]
        crop = augment.build("random_resized_crop")
        rows = []
        processors = len(os.sched_getaffinity(0))
        for threads in sorted({1, processors}):
            requests = [
                (rows_of, crop.draw(len(rows_of), torch.Generator().manual_seed(0)))
                for rows_of in torch.arange(count).split(batch)
            ]
            speed = rate(
                count,
                lambda requests=requests, threads=threads: drain(  # type: ignore[misc]
                    decoded(store, requests, crop, threads)
                ),
                repeats,
            )
            what = f"ours, decoded and cropped, threads: {threads}"
            rows.append({"pipeline": what, "images/s": speed})
        whole = BatchLoader(
            images, batch, [crop, augment.build("flip")], IMAGENET_MEAN, IMAGENET_STD
        )
        speed = rate(count, lambda: drain(whole.epoch(0)), repeats)
        what = f"ours, flipped and normalised too, threads: {processors}"
        rows.append({"pipeline": what, "images/s": speed})
        files = [str(store.path(row)) for row in range(count)]
        rows += [worker_processes(files, batch, repeats, size, n) for n in sorted({1, processors})]
        return [*rows, ray_data(folder, count, batch, repeats, size)]


def photographs(folder: Path, count: int) -> list[str]:
    """JPEG files of smooth random pictures, which compress to about as much as photographs."""
    from PIL import Image

    rng = np.random.default_rng(0)
    names = []
    for index in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (47, 63, 3), dtype=np.uint8))
        picture = coarse.resize((500, 375), Image.Resampling.BICUBIC)
        names.append(f"{index:06d}.jpg")
        picture.save(folder / names[-1], quality=92)
    return names


def transforms_of(size: int) -> Callable[[Any], torch.Tensor]:
    from torchvision.transforms import v2

    return v2.Compose([v2.RandomResizedCrop(size, antialias=True), v2.PILToTensor()])


class Opened:
    """Opens a picture, then transforms it; a class, so that workers can be sent it."""

    def __init__(self, size: int) -> None:
        self.transform = transforms_of(size)

    def __call__(self, path: str) -> torch.Tensor:
        from PIL import Image

        return self.transform(Image.open(path).convert("RGB"))


def worker_processes(
    files: list[str], batch: int, repeats: int, size: int, workers: int
) -> dict[str, Any]:
    loader: Any = torch.utils.data.DataLoader(
        Mapped(files, Opened(size)), batch, num_workers=workers, persistent_workers=True
    )
    drain(loader)  # starting the processes is not counted
    speed = rate(len(files), lambda: drain(loader), repeats)
    what = f"DataLoader, torchvision v2, decoded and cropped, processes: {workers}"
    return {"pipeline": what, "images/s": speed}


def ray_data(folder: str, count: int, batch: int, repeats: int, size: int) -> dict[str, Any]:
    import ray

    opened = Opened(size)

    def decode(row: dict[str, Any]) -> dict[str, Any]:
        return {"image": opened(row["path"]).numpy()}

    logging.getLogger("ray.data").setLevel("ERROR")
    ray.data.DataContext.get_current().enable_progress_bars = False
    paths = [{"path": str(path)} for path in sorted(Path(folder).glob("*.jpg"))]

    def run() -> None:
        mapped = ray.data.from_items(paths).map(decode)
        drain(mapped.iter_torch_batches(batch_size=batch))

    with local_ray(print):
        run()  # starting the processes is not counted
        speed = rate(count, run, repeats)
    return {"pipeline": "Ray Data, torchvision v2, decoded and cropped", "images/s": speed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stream", action="store_true", help="photographs instead of 32x32 sets")
    parser.add_argument("--images", type=int, help="images a pass [50,000; --stream: 600]")
    parser.add_argument("--batch", type=int, help="images a batch [128; --stream: 64]")
    parser.add_argument("--size", type=int, default=224, help="edge of streamed images [224]")
    parser.add_argument("--repeats", type=int, default=5, help="passes [5]")
    parser.add_argument("--save", action="store_true", help="keep the table in benchmarks/results")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    if chosen.stream:
        rows = streamed(chosen.images or 600, chosen.batch or 64, chosen.repeats, chosen.size)
    else:
        rows = small(chosen.images or 50_000, chosen.batch or 128, chosen.repeats)
    kind = f"photographs at {chosen.size} pixels" if chosen.stream else "sets of 32x32 images"
    publish(
        "streaming" if chosen.stream else "data",
        f"Images a second that reach a training step: {kind}",
        [{**row, "images/s": f"{row['images/s']:,.0f}"} for row in rows],
        "torch", "torchvision", *(["ray"] if chosen.stream else []),
        notes=[
            f"the fastest of {chosen.repeats} passes; one thread unless said otherwise",
            "images are random" if chosen.stream else "to reach: 100,000 images/s a thread for "
            "crop, flip, cutout; ten times the transforms of one image after another",
        ],
        save=chosen.save,
    )  # fmt: skip


if __name__ == "__main__":
    main()
