"""Figures: curves, bars and maps from the record."""

from sweep.figures.drawing import figure_of, save
from sweep.figures.views import figures_of

__all__ = ["figure_of", "figures_of", "save"]
