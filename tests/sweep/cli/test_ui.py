"""MLflow's UI on a record, as a person meets it. Oracle: the page, in a browser."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from mlflow import MlflowClient

from sweep.cli.ui import links
from sweep.record.mlflow_store import Tracker, default_uri
from sweep.run.attached import attachments
from tests.needs import needs_program
from tests.sweep.cases import TINY, sweep

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("seen")
    sweep(TINY, folder, attachments=attachments)
    return folder / "results"


def test_each_experiment_is_linked_with_a_view_of_its_own(storage: Path) -> None:
    client = MlflowClient(default_uri(str(storage)))
    (link,) = links(Tracker(default_uri(str(storage))), "http://127.0.0.1:1")
    experiment = client.get_experiment_by_name("flatsweep/test")
    assert link.split(": ", 1) == [
        "  flatsweep/test",
        f"http://127.0.0.1:1/#/experiments/{experiment.experiment_id}/runs?"
        "workflowType=machine_learning&viewStateShareKey=flatsweep",
    ]
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert "mlflow.sharedViewState.flatsweep" in experiment.tags


def test_the_kind_that_a_person_chose_for_an_experiment_stays(tmp_path: Path) -> None:
    tracker = Tracker(default_uri(str(tmp_path)))
    tracker.open("amp")
    client = MlflowClient(tracker.uri)
    number = client.get_experiment_by_name("flatsweep/amp").experiment_id
    client.set_experiment_tag(number, "mlflow.experimentKind", "genai_development")
    client.set_experiment_tag(number, "mlflow.sharedViewState.flatsweep", "{}")
    Tracker(tracker.uri).open("amp")
    tags = client.get_experiment(number).tags
    assert tags["mlflow.experimentKind"] == "genai_development"
    assert "test_error mean" in tags["mlflow.sharedViewState.flatsweep"]  # the view is ours


# -- in a browser ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pages:
    """A running UI.

    Attributes:
        link: That it printed.
    """

    link: str

    def text(self, url: str) -> str:
        """What a page says, a line for each piece of text, when its scripts have run."""
        program = next(filter(None, map(shutil.which, BROWSERS)))
        flags = ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1600,1200")
        command = [program, *flags, "--virtual-time-budget=20000", "--dump-dom", url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        body = re.sub(r"(?s)<(style|script)\b.*?</\1>", "", done.stdout)
        return re.sub(r"\n\s*\n+", "\n", re.sub(r"<[^>]*>", "\n", body))


@pytest.fixture(scope="module")
def pages(storage: Path) -> Iterator[Pages]:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "sweep", "ui", "--port", str(port), "--storage", str(storage)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            _, link = (server.stdout.readline() for _ in range(2))
            until = time.monotonic() + 120
            while time.monotonic() < until:
                with suppress(OSError):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                    break
                time.sleep(0.5)
            yield Pages(link.partition(": ")[2].strip())
        finally:
            server.send_signal(signal.SIGTERM)


@pytest.mark.slow
@needs_program(*BROWSERS)
def test_the_link_shows_mean_and_std_before_their_seeds_without_a_click(pages: Pages) -> None:
    text = pages.text(pages.link)
    places = [
        text.index(f"\n{words}\n")
        for words in (
            "test_error mean", "test_error std", "test_error n", "test_error",
            "erm · mean ± std", "erm · seed 0", "erm · seed 1", "sam · mean ± std", "sam · seed 0",
        )
    ]  # fmt: skip
    assert places == sorted(places)
    assert "Judges" not in text  # of the pages for language models


@pytest.mark.slow
@needs_program(*BROWSERS)
@pytest.mark.parametrize(("kind", "first"), [("trial", "Curves"), ("summary", "Curves of 2 seeds")])
def test_curves_are_the_first_charts_of_a_run(
    kind: str, first: str, pages: Pages, storage: Path
) -> None:
    client = MlflowClient(default_uri(str(storage)))
    experiment = client.get_experiment_by_name("flatsweep/test")
    run = client.search_runs([experiment.experiment_id], f"tags.kind = '{kind}'")[0]
    before, query = pages.link.split("/runs?")
    text = pages.text(f"{before}/runs/{run.info.run_id}/model-metrics?{query}")
    places = [text.index(f"\n{words}\n") for words in (first, "best_test")]
    assert places == sorted(places)
    assert text.rindex("\nModel metrics\n") > places[-1]
