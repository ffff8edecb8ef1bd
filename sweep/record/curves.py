"""Per-epoch curves of a run: one small Parquet file attached to it, and a thinned copy as metrics.

MLflow writes a row per point, 0.24 kB each: all epochs of all curves of a training would make the
database a hundred times as large. Its charts show the thinned curve; tables and figures read the
file.
"""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Mapping, Sequence

FILE = "curves.parquet"
TAG = "curves"
"""Of a run that has the file: its `digest`."""

POINTS = 6
"""Of a curve that become MLflow metrics."""


def encode(history: Mapping[str, Sequence[float]]) -> bytes:
    """Curves as a Parquet file, one row per curve: ``name``, ``values``; entry i is epoch i + 1."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(
        {
            "name": pa.array(history, pa.string()),
            "values": pa.array([list(v) for v in history.values()], pa.list_(pa.float64())),
        }
    )
    file = io.BytesIO()
    pq.write_table(table, file, compression="zstd")
    return file.getvalue()


def decode(content: bytes) -> dict[str, list[float]]:
    """The curves that `encode` wrote. Raises pyarrow.ArrowInvalid if it did not."""
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(content))
    return dict(zip(table["name"].to_pylist(), table["values"].to_pylist(), strict=True))


def digest(content: bytes) -> str:
    """SHA-256 of the file, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def thinned(curve: Sequence[float], points: int = POINTS) -> list[tuple[int, float]]:
    """(epoch, value) of at most ``points`` measured epochs: the first, the last, evenly between."""
    known = [(epoch, v) for epoch, v in enumerate(curve, start=1) if not math.isnan(v)]
    if len(known) <= points:
        return known
    step = (len(known) - 1) / (points - 1)
    return [known[round(i * step)] for i in range(points)]


__all__ = ["FILE", "POINTS", "TAG", "decode", "digest", "encode", "thinned"]
