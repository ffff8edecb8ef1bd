"""NRS: its tables and its figure, the control arms that it lacks, and what all of them share."""

from search_spaces.nrs.tables import PAPER

__all__ = ["PAPER"]
