"""A sweep in a file: read, checked, and turned into an artifact; and written from one."""

from sweep.files.load import SUFFIXES, load

__all__ = ["SUFFIXES", "load"]
