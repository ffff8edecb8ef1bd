"""The command line: the commands, the options that they share, and what they print."""

from sweep.cli.commands import app, main

__all__ = ["app", "main"]
