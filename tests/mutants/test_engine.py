"""The engine of faults: what it finds, what it refuses, what it puts back."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.mutants import engine
from tests.mutants.engine import Mutant, applied, noticed, sample
from tests.mutants.pattern import NoMatchError

SOURCE = """
from contextlib import contextmanager
from functools import cache, cached_property

FACTORS = {"a": 2, "b": 3}

def mean(values, weights):
    total = sum(v * w for v, w in zip(values, weights))
    size = sum(weights)
    if size == 0:
        size = 1
    return total / size

@cache
def remembered(x):
    return x + 1

class Base:
    def step(self):
        return 1

class Rule(Base):
    def __init__(self):
        self.log = []

    def step(self):
        return super().step() + self.rate

    def scaled(self, by=7):
        return by

    @property
    def rate(self):
        return 10

    @cached_property
    def kept(self):
        return 20

    @staticmethod
    def twice(x):
        return 2 * x

    @contextmanager
    def open(self):
        self.log.append("in")
        try:
            yield self.log
        finally:
            self.log.append("out")

    def nested(self):
        def inner(x):
            x = x + 0
            return x - 1
        return inner(inner(0))
"""
USER = "from {name} import FACTORS, mean, Rule\n"


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ModuleType]]:
    """Makes the module ``faulty`` of a source, and another that has imported from it."""
    made: list[str] = []

    def load(name: str, text: str) -> ModuleType:
        file = tmp_path / f"{name}.py"
        file.write_text(text, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        made.append(name)
        spec.loader.exec_module(module)
        return module

    def make(source: str = SOURCE) -> ModuleType:
        module = load("faulty", source)
        module.user = load("faulty_user", USER.format(name="faulty"))  # type: ignore[attr-defined]
        return module

    monkeypatch.setattr(engine, "ROOT", tmp_path)
    yield make
    for name in made:
        sys.modules.pop(name, None)


def mutant(path: str, old: str, new: str, nth: int | None = None) -> Mutant:
    return Mutant(f"faulty:{path}", old, new, nth=nth)


def test_a_function_has_the_fault_everywhere_and_then_no_longer(code) -> None:
    user = code().user
    with applied(mutant("mean", "total / size", "total * size")):
        assert user.mean([1, 3], [1, 1]) == 8
    assert user.mean([1, 3], [1, 1]) == 2


@pytest.mark.parametrize(
    ("path", "old", "new", "call", "value"),
    [
        ("mean", "if size == 0: ...", "if size == 2: ...", lambda m: m.mean([1, 3], [1, 1]), 4),
        ("mean", "size = 1", "", lambda m: m.mean([], []), ZeroDivisionError),
        ("Rule.step", "super().step()", "0", lambda m: m.Rule().step(), 10),
        ("Rule.step", "self.rate", "super().step()", lambda m: m.Rule().step(), 2),
        ("Rule.rate", "10", "11", lambda m: m.Rule().rate, 11),
        ("Rule.kept", "20", "21", lambda m: m.Rule().kept, 21),
        ("Rule.twice", "2 * x", "x", lambda m: m.Rule.twice(5), 5),
        ("Rule.nested", "x - 1", "x", lambda m: m.Rule().nested(), 0),
        ("remembered", "x + 1", "x", lambda m: m.remembered(1), 1),
        ("FACTORS", "3", "4", lambda m: m.user.FACTORS["b"], 4),
    ],
)
def test_what_can_have_a_fault(code, path, old, new, call, value) -> None:
    module = code()
    before = module.remembered(1)  # the cache knows the right answer
    with applied(mutant(path, old, new)):
        if value is ZeroDivisionError:
            with pytest.raises(value):
                call(module)
        else:
            assert call(module) == value
    assert before == module.remembered(1) == 2
    assert module.user.FACTORS == {"a": 2, "b": 3}
    assert module.Rule().step() == 11


def test_blocks_and_decorators(code) -> None:
    module = code()
    with applied(mutant("Rule.open", "try: ...\nfinally: ...", "try: ...\nexcept KeyError: ...")):
        rule = module.Rule()
        with rule.open():
            pass
        assert rule.log == ["in"]
    with rule.open():
        pass
    assert rule.log == ["in", "in", "out"]


def test_some_statements_of_a_block(code) -> None:
    """``...`` stands for what is before them."""
    old = "if size == 0: ...\nreturn total / size"
    module = code()
    with applied(mutant("mean", old, "if size == 0:\n    ...\n    return 7\nreturn 0")):
        assert (module.mean([1], [1]), module.mean([], [])) == (0, 7)
    old = "def inner(x):\n    ...\n    return x - 1"
    with applied(mutant("Rule.nested", old, "def inner(x):\n    ...\n    return x - 2")):
        assert module.Rule().nested() == -4


def test_a_local_variable_may_be_renamed(code) -> None:
    """The fault is still applied to a copy whose local variables are called otherwise."""
    renamed = SOURCE.replace("total", "numerator").replace("size", "denominator")
    user = code(renamed.replace("weights", "importances")).user
    with applied(mutant("mean", "total / size", "size / total")):
        assert user.mean([1, 3], [1, 1]) == 0.5
    with applied(mutant("mean", "size = sum(weights)", "size = len(weights)")):
        assert user.mean([1, 3], [1, 3]) == 5
    with (
        pytest.raises(NoMatchError, match="nowhere"),
        applied(
            mutant("mean", "total / total", "1")  # one name, two variables
        ),
    ):
        pass
    with (
        pytest.raises(NoMatchError, match="nowhere"),
        applied(mutant("mean", "total / denominator + size", "1")),
    ):
        pass


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (mutant("mean", "total // size", "0"), r"nowhere.*nearest: 'total / size'"),
        (mutant("mean", "True", "False"), "nowhere"),
        (mutant("mean", "sum(values)", "0"), "nowhere"),
        (mutant("mean", "size", "0"), "2 times, and which is not said"),
        (mutant("mean", "size", "0", nth=7), "2 times, so there is no number 7"),
        (mutant("mean", "total / size", "total / count"), r"speaks of \['count'\]"),
        (mutant("mean", "total / size", "total / size"), "no code is changed"),
        (mutant("Rule.scaled", "7", "8"), "no code is changed"),
        (mutant("median", "total", "0"), "faulty:median is not there"),
        (mutant("Rule.stride", "1", "0"), "faulty:Rule.stride is not there"),
    ],
)
def test_a_fault_that_changes_nothing_is_a_failure(code, fault, says) -> None:
    code()
    with pytest.raises(NoMatchError, match=says):
        noticed(fault, [])


def test_a_fault_that_no_check_notices_is_reported(code) -> None:
    module = code()
    fault = mutant("mean", "total / size", "total")

    def blind() -> None:
        assert module.mean([2], [1]) == 2

    def seeing() -> None:
        assert module.mean([2], [2]) == 2

    blind(), seeing()
    assert not noticed(fault, [blind])
    assert noticed(fault, [blind, seeing])
    assert noticed(fault, [lambda: pytest.fail("however it shows")])


def test_what_a_check_raises_does_not_leave_the_fault(code) -> None:
    module = code()
    with pytest.raises(KeyError), applied(mutant("mean", "total / size", "total")):
        raise KeyError
    assert module.mean([2], [2]) == 2


def test_the_sample_is_one_of_each_file_and_always_the_same() -> None:
    mutants = [Mutant(f"m{i % 3}:f", "x", str(i)) for i in range(30)]
    chosen = sample(mutants)
    assert sorted(m.module for m in chosen) == ["m0", "m1", "m2"]
    assert sample(reversed(mutants)) == chosen
