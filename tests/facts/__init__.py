"""Facts extracted from the five papers and their authors' code; one file for each paper.

``claims.yaml`` has the papers' sentences as predicates. Tags in free text say where a fact is from
(printed, code, inferred); each file's head explains them.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

PAPERS = ("nrs", "amp", "infomcr", "nso", "fa")

Fact = dict[str, Any]


@cache
def facts(paper: str) -> Fact:
    """All that is known of ``paper``."""
    loaded: Fact = yaml.safe_load((Path(__file__).parent / f"{paper}.yaml").read_text("utf-8"))
    return loaded


def fact(artifact: str) -> Fact:
    """What is known of one table, figure or claim, named as in `search_spaces`."""
    paper, _, name = artifact.partition("/")
    return next(entry for entry in facts(paper)["artifacts"] if entry["id"] == name)


@cache
def claims() -> dict[str, Fact]:
    """id -> what is known of a sentence, and of what the printed numbers say of it."""
    loaded = yaml.safe_load((Path(__file__).parent / "claims.yaml").read_text("utf-8"))
    return {entry["id"]: entry for entry in loaded["claims"]}
