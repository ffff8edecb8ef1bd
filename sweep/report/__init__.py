"""One page of what is recorded of a paper, a table or figure, or a sweep of one's own."""

from sweep.report.page import Page, Section, report_of
from sweep.report.write import SUFFIXES, render, write

__all__ = ["SUFFIXES", "Page", "Section", "render", "report_of", "write"]
