"""A command of ``sweep``, called in this process."""

from __future__ import annotations

from typer.testing import CliRunner

from sweep.cli import commands
from trainables.errors import FlatsweepError


def call(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error, errors explained as in `main`."""
    result = CliRunner().invoke(commands.app, list(arguments))
    if isinstance(result.exception, Exception) and not isinstance(result.exception, SystemExit):
        assert isinstance(result.exception, FlatsweepError), result.exception
        return result.exception.code, result.stdout, f"sweep: {result.exception}\n"
    return result.exit_code, result.stdout, result.stderr
