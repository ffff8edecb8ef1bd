"""What the formats for programs (CSV, JSON) have of every cell."""

from __future__ import annotations

from typing import Any

from sweep.tables.cells import TableCell


def fields(cell: TableCell) -> dict[str, Any]:
    """The numbers of a cell and what became of its trials, by the names that programs know."""
    summary, result = cell.summary, cell.result
    return {
        "name": cell.metric.key,
        "mean": cell.mean,
        "std": cell.std,
        "n": cell.n,
        "asked": cell.asked,
        "diverged": summary.diverged,
        "failed": summary.failed,
        "running": summary.running,
        "missing": summary.missing,
        "undefined": summary.undefined,
        "searched": result.searched,
        "points": result.points,
        "waits": result.waits,
        "difference": cell.difference,
        "half_width": cell.half_width,
        "inside": cell.inside,
        "bold": cell.bold,
        "reproduced": cell.reproduced,
        "incomparable": cell.incomparable,
    }


__all__ = ["fields"]
