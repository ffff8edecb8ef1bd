"""What a shell completes: names of artifacts, presets and selection rules, and its own script."""

from __future__ import annotations

import os
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

import typer

VARIABLE = "_SWEEP_COMPLETE"
"""In which a shell says that it asks for completions, and how."""


class Shell(StrEnum):
    """For which there is a script."""

    bash = "bash"
    zsh = "zsh"
    fish = "fish"


def script(shell: Shell) -> str:
    """What makes ``shell`` complete the command, as its start-up file takes it."""
    from typer.completion import get_completion_script

    return get_completion_script(prog_name="sweep", complete_var=VARIABLE, shell=str(shell))


def completion(
    shell: Annotated[Shell, typer.Argument(help="The shell that completes.")],
) -> None:
    """Print what makes a shell complete commands, options and names.

    Example: echo 'source <(sweep completion bash)' >> ~/.bashrc

    zsh takes the same in ~/.zshrc, after compinit; fish, in a file of ~/.config/fish/completions,
    what is printed.
    """
    print(script(shell))


def listen() -> None:
    """Answer a shell that asks, in place of running a command; else nothing."""
    if VARIABLE in os.environ:
        from typer.completion import completion_init

        completion_init()


def artifacts(incomplete: str) -> list[str]:
    """Papers, tables and figures that begin so. Of files the shell itself knows the names."""
    import search_spaces

    return _beginning(incomplete, search_spaces.names())


def presets(incomplete: str) -> list[str]:
    """Presets of papers that begin so."""
    import search_spaces

    return _beginning(incomplete, search_spaces.PRESETS)


def selections(incomplete: str) -> list[str]:
    """Selection rules that begin so."""
    from sweep.selection import SELECTIONS

    return _beginning(incomplete, SELECTIONS)


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


__all__ = ["Shell", "artifacts", "completion", "listen", "presets", "script", "selections"]
