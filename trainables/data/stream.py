"""Photographs that do not fit in memory: decoded as they are needed, ahead of the training.

Threads, not processes: decoding and resizing release Python's lock, threads need no copy of
the result, and nothing is forked beside CUDA or Ray (benchmarks/data.py compares them with
DataLoader's worker processes and with Ray Data). What a batch holds depends on (seed, epoch,
batch) alone, not on the number of threads.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from trainables.data.augment.resized_crop import RandomResizedCrop, center_box
from trainables.data.prepare import decode

AHEAD = 4
"""How many batches are being decoded at any time."""


class ImageFiles:
    """Paths of N images that, decoded, form a (N, 3, S, S) uint8 tensor.

    Paths are kept as one array of bytes: a million Python strings would cost gigabytes
    in processes that share memory only until they touch it.
    """

    dtype = torch.uint8
    device = torch.device("cpu")

    def __init__(self, root: Path, names: list[str], size: int) -> None:
        self.root, self.size = root, size
        self._names = np.array([os.fsencode(name) for name in names])

    def __len__(self) -> int:
        return len(self._names)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, 3, S, S), as of the tensor that the images would form."""
        return (len(self), 3, self.size, self.size)

    @property
    def ndim(self) -> int:
        """4, as of the tensor that the images would form."""
        return 4

    def path(self, row: int) -> Path:
        """The file of image ``row``."""
        return self.root / os.fsdecode(self._names[row])

    def batch(self, rows: Tensor) -> Tensor:
        """The images ``rows``, their central squares: uint8 (B, 3, S, S), decoded at once.

        Raises:
            DataError: naming the first file that is no readable image.
        """
        return next(decoded(self, [(rows, None)], None))

    def image(
        self, row: int, crop: RandomResizedCrop | None = None, drawn: Tensor | None = None
    ) -> Tensor:
        """Image ``row`` (3, S, S): the part that ``crop`` draws, or the central square.

        Raises:
            DataError: naming the file, if it is missing or no readable image.
        """
        from torchvision.transforms.v2 import functional

        whole = decode.rgb(path := self.path(row), str(path))
        if crop is None or drawn is None:
            box = center_box(whole.height, whole.width)
        else:
            box = crop.box(drawn, whole.height, whole.width)
        part = functional.resized_crop(whole, *box, [self.size, self.size])
        return functional.pil_to_tensor(part)


def decoded(
    files: ImageFiles,
    batches: Iterable[tuple[Tensor, Tensor | None]],
    crop: RandomResizedCrop | None,
    threads: int | None = None,
) -> Iterator[Tensor]:
    """The images of each batch, uint8 (B, 3, S, S), decoded `AHEAD` batches in advance.

    Args:
        files: The images.
        batches: For each batch the rows of its images, and the random numbers of ``crop``.
        crop: Cuts each image; None: its central square is taken.
        threads: None: see `decode.threads`.

    Raises:
        DataError: naming the first file that is no readable image.
    """
    threads = threads or decode.threads()
    pool = ThreadPoolExecutor(threads)
    waiting: deque[list[Future[Tensor]]] = deque()
    try:
        for rows, drawn in batches:
            waiting.append(
                [
                    pool.submit(files.image, row, crop, None if drawn is None else drawn[i])
                    for i, row in enumerate(rows.tolist())
                ]
            )
            if len(waiting) > AHEAD:
                yield torch.stack([future.result() for future in waiting.popleft()])
        while waiting:
            yield torch.stack([future.result() for future in waiting.popleft()])
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
