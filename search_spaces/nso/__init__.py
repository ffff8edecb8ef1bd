"""NSO: its tables and figures, and the protocol that they share."""

from search_spaces.nso.tables import PAPER

__all__ = ["PAPER"]
