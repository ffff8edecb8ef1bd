"""What a cell is called in a sentence about several."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from search_spaces.spec import Cell


def cell_names(cells: Iterable[Cell]) -> Callable[[Cell], str]:
    """``SAM / Cifar10``: the entries by which a cell differs from others that are shown.

    Labels that say the same of all ``cells`` are left out; a cell that has no other keeps them.
    """
    shown = [cell for cell in cells if not cell.hidden]
    labels = dict.fromkeys(label for cell in shown for label in cell.key)
    telling = {label for label in labels if len({cell.key.get(label) for cell in shown}) > 1}

    def name(cell: Cell) -> str:
        told = [label for label in cell.key if label in telling]
        return " / ".join(map(cell.label, told or cell.key))

    return name


__all__ = ["cell_names"]
