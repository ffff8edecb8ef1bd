"""Options that several commands take."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class OutputFormat(StrEnum):
    """How a command prints facts."""

    text = "text"
    json = "json"


Format = Annotated[OutputFormat, typer.Option("--format", help="text or json.")]
