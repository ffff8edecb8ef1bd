"""Which cells of a table ran with a strength of 0: a rule is switched off there, on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sweep.tables.cell_names import cell_names

if TYPE_CHECKING:
    from sweep.aggregate import CellResult
    from sweep.plan.expand import Plan


def sentence(planned: Plan, results: Sequence[CellResult]) -> str:
    """``epsilon of nrs = 0 in NRS / Cifar10``; empty if no cell that is shown ran with a 0."""
    found: dict[str, list[str]] = {}
    name = cell_names(result.cell for result in results)
    for result in results:
        if result.cell.hidden or not result.trial_ids:
            continue
        for option in planned.by_id[result.trial_ids[0]].settings.switched_off:
            cell = name(result.cell)
            found.setdefault(option, []).append(cell)
    return "; ".join(f"{option} = 0 in {', '.join(where)}" for option, where in found.items())


__all__ = ["sentence"]
