"""What is run for `docs/results`: sweeps, by the question that they answer. Pure data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Source = Literal["cifar10", "parquet"]
"""In which form CIFAR-10 is here: its publisher's files, or Parquet files."""


@dataclass(frozen=True)
class Sweep:
    """A table or figure as it is run here.

    Attributes:
        artifact, preset: Of the command.
        where: LABEL=ENTRY of the cells that are run; empty: all.
        cifar10: Its images are CIFAR-10's, in whatever form they are here, with these options of
            the data set; None: it trains on none.
        search: What `sweep search` is told beside that; empty: `sweep run` runs it.
        times: The hours are so many times those that `sweep plan` foresees: a search has as many
            points for each row.
        figures: Kinds that `sweep plot` draws of it; an empty one is the figure's own.
        thinned: What is left out, and why.
        own: What is this project's choice, because the paper prints it not: then no verdict is
            one on the paper's own numbers, whatever the preset.
    """

    artifact: str
    preset: str
    where: tuple[str, ...] = ()
    cifar10: Mapping[str, Any] | None = None
    search: tuple[str, ...] = ()
    times: int = 1
    figures: tuple[str, ...] = ()
    thinned: str = ""
    own: str = ""

    @property
    def name(self) -> str:
        """Of its files: ``compare-methods-laptop-search``."""
        return re.sub(r"\W+", "-", f"{self.artifact}-{self.preset}{'-search' * bool(self.search)}")

    def asked(self, source: Source) -> list[str]:
        """What every command on it is told: artifact, preset, cells, data.

        Args:
            source: In which form CIFAR-10 is here.
        """
        words = [self.artifact, "--preset", self.preset]
        words += [word for pair in self.where for word in ("--where", pair)]
        if self.cifar10 is not None and (self.cifar10 or source == "parquet"):
            copy = {"set": "cifar10"} if source == "parquet" else {}
            value = json.dumps({"name": source, **copy, **self.cifar10}, separators=(",", ":"))
            words += ["--set", f"data.source={value}"]
        return words

    def run(self, source: Source) -> list[str]:
        """The command that runs what is missing of it, or searches."""
        verb = "search" if self.search else "run"
        return [verb, *self.asked(source), *self.search]

    def table(self, source: Source) -> list[str]:
        """The command that prints it; of a search the same, which trains nothing."""
        if self.search:
            return [*self.run(source), "--executor", "serial", "--quiet", "--max-hours", "0"]
        return ["table", *self.asked(source)]


@dataclass(frozen=True)
class Item:
    """Sweeps that answer one question."""

    title: str
    question: str
    sweeps: tuple[Sweep, ...]


CIFAR10: Mapping[str, Any] = {}

ITEMS: Mapping[str, Item] = {
    "1": Item(
        "Every method under one protocol",
        "which methods differ from ERM after as many epochs, gradient evaluations or as much time?",
        (Sweep("compare/methods", "laptop", cifar10=CIFAR10, figures=("cost", "curves")),),
    ),
    "2": Item(
        "Every method tuned alike",
        "does any flat-minima method beat a tuned ERM at equal cost?",
        (
            Sweep(
                "compare/methods",
                "laptop",
                where=("budget=equal time",),
                cifar10=CIFAR10,
                search=("--points", "8", "--range", "optimizer.lr=0.01:0.5"),
                times=8,
                thinned="at equal time alone, of three ways to hold the cost equal: with the other"
                " two it would take three times as long",
            ),
        ),
    ),
    "3": Item(
        "As printed, as far as two cores go",
        "do the figures that need no large network come out as printed?",
        (
            Sweep("amp/figure4", "paper", figures=("",)),
            Sweep(
                "amp/figure6",
                "paper",
                figures=("",),
                own="data, network, training and epsilon, of which the paper prints none",
            ),
            Sweep("nso/figure6", "paper", figures=("",)),
            Sweep(
                "fa/figure1",
                "paper",
                where=("dataset=CIFAR-100",),
                cifar10={"test_set": "split"},
                thinned="CIFAR-10 stands in for CIFAR-100; the five-class table that the authors'"
                " code loads (OpenML 159) is not here either",
            ),
        ),
    ),
    "4": Item(
        "A table of each paper",
        "do the papers' sentences hold of a small network on real images?",
        (
            Sweep(
                "amp/table1",
                "laptop",
                where=("model=PreActResNet18", "dataset=CIFAR-10"),
                cifar10=CIFAR10,
                figures=("printed",),
                thinned="one of two networks, one of three data sets",
            ),
            Sweep(
                "nrs/table1",
                "laptop",
                where=("model=ResNet18", "dataset=Cifar10", "augmentation=Basic"),
                cifar10=CIFAR10,
                figures=("printed",),
                thinned="one of five networks, one of two data sets and augmentations; of four"
                " learning rates three, of two weight decays and three alphas one",
            ),
            Sweep(
                "nrs/controls",
                "laptop",
                where=("dataset=Cifar10",),
                cifar10=CIFAR10,
                thinned="one of two data sets",
            ),
            Sweep(
                "infomcr/figure4",
                "laptop",
                cifar10=CIFAR10,
                figures=("",),
                thinned="batches of a quarter of the paper's sizes, as there are a fifth of the"
                " images",
            ),
            Sweep(
                "nso/noise_traces",
                "laptop",
                cifar10=CIFAR10,
                thinned="one of three data sets; of the common grid three learning rates alone;"
                " networks start from nothing, not from ImageNet's",
            ),
            Sweep(
                "nso/table2",
                "laptop",
                where=("dataset=Indoor",),
                cifar10=CIFAR10,
                thinned="as before: its trials are the same",
            ),
        ),
    ),
    "gpu": Item(
        "Six tables for a GPU",
        "the same at preset small, on all networks and data sets of the tables",
        tuple(
            Sweep(artifact, "small", cifar10=CIFAR10)
            for artifact in (
                "compare/methods",
                "nrs/table1",
                "amp/table1",
                "infomcr/table1",
                "nso/table2",
                "fa/figure1",
            )
        ),
    ),
}

BY_DEFAULT = ("1", "2", "3", "4")
"""Those that two CPU cores can do."""


def every(items: Mapping[str, Item]) -> Iterator[tuple[str, Sweep]]:
    """All sweeps, each with its item's number."""
    for number, item in items.items():
        for sweep in item.sweeps:
            yield number, sweep
