"""JSON from outside: whatever is wrong with it is one error, and one sentence."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from trainables.__main__ import main
from trainables.parse_json import NoJSONError, parse_json

ROOT = Path(__file__).parents[2]
BAD = {
    "nothing": b"",
    "half": b'{"a": ',
    "deep": b"[" * 100_000,
    "digits": b"9" * 5000,
    "Latin-1": b'"\xe9"',
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_what_cannot_be_read_is_no_json(content: bytes) -> None:
    with pytest.raises(NoJSONError) as refused:
        parse_json(content)
    assert str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_a_configuration_that_cannot_be_read_is_one_sentence(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.json").write_bytes(content)
    assert main([str(tmp_path / "c.json")]) == 2
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith(f"{tmp_path / 'c.json'}: ")


def test_files_that_others_can_write_are_parsed_by_it() -> None:
    """`json.loads` raises three kinds of errors; what this project wrote itself it may read."""
    own = {
        "search_spaces/compare_times.py",  # of the package
        "sweep/plan/budget.py",  # a canonical form
        "sweep/ray_executor/callback.py", "trainables/job.py", "trainables/tune.py",
        "sweep/record/record.py", "sweep/record/runs.py",  # columns of a checksummed mirror
        "trainables/config.py", "trainables/declared.py", "trainables/parse_json.py",
        "trainables/storage/result.py",  # a result that another worker sent
        "sweep/ray_executor/driver.py", "sweep/ray_executor/process.py",  # pipes
    }  # fmt: skip
    found = subprocess.run(
        ["grep", "-rl", "--include=*.py", "json.load", "sweep", "trainables", "search_spaces"],
        cwd=ROOT, text=True, capture_output=True, check=True,
    ).stdout.split()  # fmt: skip
    assert set(found) <= own
