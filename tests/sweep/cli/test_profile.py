"""`sweep profile`, as a person and a script meet it."""

from __future__ import annotations

import json

import pytest

from tests.sweep.called import call
from tests.sweep.cases import TINY


@pytest.mark.usefixtures("offer")
def test_each_kind_of_trial_is_a_paragraph() -> None:
    code, out, error = call("profile", TINY.id, "--preset", "smoke")
    assert code == 0
    paragraphs = out.strip().split("\n\n")
    assert [p.partition(" (")[0] for p in paragraphs] == error.splitlines()
    for paragraph in paragraphs:
        assert " 0 copies, 0 waits a step" in paragraph
        assert "  launch: trainables/" in paragraph
        assert "ms a step on" in paragraph


@pytest.mark.usefixtures("offer")
def test_a_script_reads_numbers() -> None:
    code, out, _ = call("profile", TINY.id, "--preset", "smoke", "--format", "json")
    assert code == 0
    for cost in json.loads(out):
        assert cost["waits"] == cost["copies"] == 0
        assert cost["launches"] >= cost["fills"] > 0
        assert cost["launch_seconds"] == pytest.approx(5e-6 * cost["launches"])
