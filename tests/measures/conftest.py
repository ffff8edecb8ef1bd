"""The checks are one package beside the tests; the mutants' score is printed last."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

SCORE = pytest.StashKey[dict[str, bool]]()


def pytest_configure(config):
    config.stash[SCORE] = {}


@pytest.fixture
def score(request):
    """{mutant: caught}, printed at the end of the run."""
    return request.config.stash[SCORE]


def pytest_terminal_summary(terminalreporter, config):
    score = config.stash.get(SCORE, {})
    if score:
        caught = sum(score.values())
        terminalreporter.write_line(f"measure mutants caught: {caught} of {len(score)}")
