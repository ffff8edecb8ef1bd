"""Bad input is taken or refused in one sentence: a few hundred cases of each run's ten thousand.

`benchmarks/bad_input.py` tries the ten thousand. The cases here are the same at every run; what
the long one found has tests of its own where the code is.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from hypothesis import strategies as st

from tests.bad_input import commands, engine, odd
from tests.bad_input.engine import FaultError, Kind, judge
from tests.bad_input.trying import KINDS, tried
from trainables.errors import UsageError

CASES = 10
"""Of a kind of weight 1; 300 in all."""
SEED = 20


@pytest.fixture(autouse=True, scope="module")
def _no_waiting() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
        patch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "0")
        yield


@pytest.mark.parametrize("name", KINDS)
def test_bad_input_is_taken_or_refused_in_one_sentence(name: str) -> None:
    cases = round(CASES * KINDS[name].weight)
    came = tried(KINDS[name], cases, SEED)
    assert came.faults == {}
    assert came.cases >= cases // 2


def test_every_command_is_tried_but_those_that_start_servers() -> None:
    words = {line[0] for line in commands.parameters()}
    assert {"plan", "run", "table", "data", "export", "search", "measure", "new"} <= words
    assert not words & commands.STARTS


def kind(try_: object, words: tuple[str, ...] = ()) -> Kind:
    return Kind("one", st.just(None), try_, lambda _: words)  # type: ignore[arg-type]


def refuse(_: object, __: Path) -> str:
    raise UsageError("a.yaml: no such key")


@pytest.mark.parametrize(
    ("try_", "words", "said"),
    [
        (lambda *_: {}["absent"], (), "KeyError"),
        (lambda *_: "two\nlines", (), "several lines"),
        (lambda *_: "no word of it", ("a.yaml",), "names none of"),
        (lambda *_: "" * (Path("..") / "stray").write_text("x"), (), "written outside"),
        (lambda *_: os.mkdir("../stray") or "", (), "written outside"),
        (lambda *_: engine.Outcome(1, "", "Traceback (most recent ...").sentence, (), "exit code"),
        (lambda *_: engine.Outcome(1, "", "").sentence, (), "not a word"),
        (lambda *_: engine.Outcome(-9, "", "").sentence, (), "exit code -9"),
    ],
)
def test_the_judge_sees_what_must_not_happen(
    try_: object, words: tuple[str, ...], said: str
) -> None:
    with pytest.raises((FaultError, KeyError)) as seen:
        judge(kind(try_, words), None)
    assert said in repr(seen.value)


def test_a_hang_is_seen_whoever_catches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*_: object) -> str:
        try:
            time.sleep(30)
        except Exception:
            return "caught"
        return ""

    monkeypatch.setattr(engine, "SECONDS", 0.1)
    with pytest.raises(FaultError, match="s in all"):
        judge(kind(hang), None)
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_the_judge_lets_pass_what_may_happen() -> None:
    assert judge(kind(lambda *_: ""), None)
    assert not judge(kind(refuse, ("a.yaml",)), None)
    assert judge(kind(lambda *_: Path("inside").write_text("x") and ""), None)


def test_changes_reach_what_they_change() -> None:
    assert odd.changed_bytes(b"abcdef", [("cut", 0.5, b"x")]) == b"abc"
    assert odd.changed_bytes(b"abcdef", [("set", 0.5, b"x")]) == b"abcxef"
    tree = {"a": [1, {"b": 2}]}
    assert odd.changed_tree(tree, [([0, 1, 0], "replace", 3)]) == {"a": [1, {"b": 3}]}
    assert odd.changed_tree(tree, [([0], "remove", None)]) == {}
    assert tree == {"a": [1, {"b": 2}]}
