"""How a grid point is chosen: the rules by name, and the winner under one."""

from sweep.selection.rules import EPOCH_WORDS, SELECTIONS, SelectionRule, listed, selection

__all__ = ["EPOCH_WORDS", "SELECTIONS", "SelectionRule", "listed", "selection"]
