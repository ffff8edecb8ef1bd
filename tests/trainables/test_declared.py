"""Answers of parts that are kept on disk: the same as the parts' own, and never older than they."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from trainables import declared
from trainables.config import TrialConfig
from trainables.errors import UsageError
from trainables.registry import Registry

EVERYTHING = """
import hashlib, json, sys
if sys.argv[1] == "blocked":
    sys.modules["torch"] = None  # importing it is an error
if sys.argv[1] == "asked":
    from trainables import data, methods, models
import search_spaces
from sweep.plan import plan
from sweep.plan.budget import phases
from sweep.record.record import Record
from sweep.selection import selection

found = []
for preset in ("paper", "small", "laptop", "smoke"):
    for artifact in map(search_spaces.find, sys.argv[2:]):
        shrunk = search_spaces.apply(artifact, preset)
        made = plan(shrunk, preset, selection("paper"), Record.from_runs([]))
        for trial in (*made.trials, *made.expected):
            config = trial.config
            found.append([
                config.trial_id, config.canonical, repr(config.model_dump()),
                repr(config.flat()), config.switched_off, sorted(phases(config).items()),
            ])
print(len(found), hashlib.sha256(json.dumps(found).encode()).hexdigest(), "torch" in sys.modules)
"""
ARTIFACTS = ("compare/methods", "amp/table1", "infomcr/claim_stage_ablation", "fa/figure1",
             "nso/figure5", "nrs/table3")  # fmt: skip
"""Of every kind: each method, schedules, stages that wait, times, workers, no BatchNorm."""


def everything(cache: Path, how: str) -> list[str]:
    environment = {**os.environ, "FLATSWEEP_CACHE": str(cache)}
    command = [sys.executable, "-c", EVERYTHING, how, *ARTIFACTS]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_kept_answers_are_those_of_the_code_and_need_no_torch(tmp_path: Path) -> None:
    """Plans, names and prices of a process that cannot import torch, to the last character."""
    count, asked, _ = everything(tmp_path, "asked")
    assert int(count) > 1000
    assert everything(tmp_path, "free") == [count, asked, "False"]
    assert everything(tmp_path, "blocked") == [count, asked, "True"]  # None, but there


@pytest.fixture
def cold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As in a process that has imported no part, with a cache of its own."""
    monkeypatch.setenv("FLATSWEEP_CACHE", str(tmp_path))
    monkeypatch.setattr(declared, "_imported", lambda: False)
    declared._store.cache_clear()
    yield tmp_path / "declared"
    declared._store.cache_clear()


class Asked:
    """A question of a new process each time: what was answered before is on disk alone."""

    def __init__(self) -> None:
        self.count = 0

    def again(self, number: int) -> list[int]:
        def double(number: int) -> list[int]:
            self.count += 1
            if number < 0:
                raise UsageError("negative")
            return [2 * number]

        double.__module__ = "trainables.something"
        double = declared.kept(double)

        for store in stores:
            store.write()
        answer = double(number)
        for store in stores:
            store.write()
        declared._store.cache_clear()
        return answer


stores: list[declared._Store] = []


@pytest.fixture(autouse=True)
def _seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every store that is opened, so that a test can write what is pending."""
    stores.clear()
    made = declared._Store.__init__

    def noted(self: declared._Store, *arguments: object) -> None:
        made(self, *arguments)
        stores.append(self)

    monkeypatch.setattr(declared._Store, "__init__", noted)


def test_a_question_is_asked_once(cold: Path) -> None:
    asked = Asked()
    assert [asked.again(n) for n in (1, 1, 2, 1)] == [[2], [2], [4], [2]]
    assert asked.count == 2
    (file,) = cold.glob("*.sqlite")
    assert file.stat().st_size > 0


def test_an_error_is_not_kept(cold: Path) -> None:
    asked = Asked()
    for _ in range(2):
        with pytest.raises(UsageError):
            asked.again(-1)
    assert asked.count == 2


def test_other_code_is_asked_anew_and_only_the_latest_are_kept(
    cold: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was kept of the code before is there still: both may be at work, in turns."""
    asked, files = Asked(), []
    for i in range(declared.FILES + 2):
        code = f"{i:016}"
        monkeypatch.setattr(declared, "_code", lambda *_, code=code: code)
        asked.again(1)
        assert asked.count == i + 1
        files.append(cold / f"{code}.sqlite")
        os.utime(files[-1], (i, i))
    assert set(cold.glob("*.sqlite")) == set(files[-declared.FILES :])


def test_the_digest_is_of_every_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def digest(package: str = "trainables") -> str:
        return declared._code.__wrapped__(package)

    monkeypatch.setattr(declared, "ROOT", tmp_path)
    trial = tmp_path / "trainables"
    found = {digest()}
    for name in ("a.py", "b/c.py"):
        (trial / name).parent.mkdir(exist_ok=True, parents=True)
        for text in ("", "x = 1", "x = 2"):
            (trial / name).write_text(text)
            found.add(digest())
    (trial / "a.py").rename(trial / "d.py")
    assert len({*found, digest()}) == 8
    (tmp_path / "search_spaces").mkdir()
    below = digest(), digest("sweep")
    (tmp_path / "search_spaces" / "mine.py").write_text("")
    assert digest() == below[0]
    assert digest("sweep") != below[1]


@pytest.mark.parametrize("damage", ["bytes", "no database", "a folder", "answer"])
def test_a_damaged_file_is_asked_around(cold: Path, damage: str) -> None:
    asked = Asked()
    asked.again(1)
    (file,) = cold.glob("*.sqlite")
    if damage == "bytes":
        content = bytearray(file.read_bytes())
        content[100:] = bytes(len(content) - 100)
        file.write_bytes(content)
    elif damage == "no database":
        file.write_text("text")
    elif damage == "a folder":
        file.unlink()
        file.mkdir()
    else:
        with sqlite3.connect(file) as database:
            database.execute("UPDATE answers SET answer = substr(answer, 1, length(answer) - 1)")
    assert asked.again(1) == asked.again(1) == [2]
    if damage != "a folder":
        assert asked.count == 2  # once more, and then it is kept again


def test_a_cache_that_cannot_be_written_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cold: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FLATSWEEP_CACHE", str(tmp_path / "file"))
    asked = Asked()
    assert asked.again(1) == asked.again(1) == [2]
    assert asked.count == 2


def test_parts_of_other_code_are_not_kept(cold: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest does not know that code."""
    from trainables import methods

    strange: Registry = Registry("method")

    @strange.register("mine")
    class Mine:
        pass

    assert not declared._foreign()
    monkeypatch.setattr(methods, "registry", strange)
    assert declared._foreign()
    asked = Asked()
    asked.again(1)
    asked.again(1)
    assert asked.count == 2


def test_a_part_that_is_registered_later_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    from trainables import methods, registry

    before = declared.names("methods")
    # So many that no number of them comes again after this test, which takes the part away.
    monkeypatch.setattr(registry, "_registered", [*registry._registered, *["another"] * 10_000])
    monkeypatch.setattr(methods.registry, "_parts", dict(methods.registry._parts))
    methods.registry.register("registered_later")(methods.registry.get("erm"))
    assert set(declared.names("methods")) - set(before) == {"registered_later"}


def test_a_configuration_of_another_seed_has_its_name() -> None:
    made = declared.configuration({"method": {"name": "sam"}, "seed": 3})
    for seed in (0, 3, 12):
        again = made.with_seed(seed)
        assert again == TrialConfig(method={"name": "sam"}, seed=seed)
        assert again.canonical == TrialConfig(method={"name": "sam"}, seed=seed).canonical
        assert again.flat() == TrialConfig(method={"name": "sam"}, seed=seed).flat()


def test_a_configuration_that_was_kept_equals_one_that_is_made() -> None:
    """Values, types and nested groups, though none of them is validated."""
    for fields in (
        {},
        {"method": {"name": "nrs"}, "regularizers": ["l2_sp", {"name": "mixup", "alpha": 0.4}]},
        {"data": {"source": "digits", "augmentation": ["flip", "pad_crop"]}, "batch_size": 32},
        {"model": {"name": "mlp", "widths": [10, 20]}, "optimizer": {"name": "adam", "lr": 1}},
        {"schedule": {"name": "step", "milestones": [0.5, 3]}, "epochs": 8, "workers": 4},
    ):
        found, made = declared.configuration(fields), TrialConfig(**fields)
        assert found == made
        assert repr(found) == repr(made)
        assert type(found.optimizer.lr) is float
        assert found.replace(seed=5) == made.replace(seed=5)


def test_a_wrong_field_is_refused_as_by_the_configuration_itself() -> None:
    for fields in ({"epochs": 0}, {"method": {"name": "sma"}}, {"nothing": 1}):
        with pytest.raises(UsageError) as expected:
            TrialConfig(**fields)
        with pytest.raises(UsageError) as found:
            declared.configuration(fields)
        assert str(found.value) == str(expected.value)
