"""Figures: curves, bars and maps from the record."""

from sweep.figures.drawing import figure_of, save

__all__ = ["figure_of", "save"]
