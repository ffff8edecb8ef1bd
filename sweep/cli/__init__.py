"""The command line: what each command does is in the file of its name."""

from sweep.cli.commands import app, main

__all__ = ["app", "main"]
