"""Figures: curves, bars and maps from the record."""

from sweep.figures.drawing import draw, save

__all__ = ["draw", "save"]
