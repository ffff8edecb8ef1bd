"""InfoMCR: its tables and figures, and the protocol that they share."""

from search_spaces.infomcr.tables import PAPER

__all__ = ["PAPER"]
