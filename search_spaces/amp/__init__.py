"""AMP: its tables and figures, and the protocol that they share."""

from search_spaces.amp.tables import PAPER

__all__ = ["PAPER"]
