"""FA: its one table, captioned Figure 1, and the protocol behind it."""

from search_spaces.fa.tables import PAPER

__all__ = ["PAPER"]
