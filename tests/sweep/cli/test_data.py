"""``sweep data``: what it prints, where, and how it exits; in-process through Typer's runner."""

import dataclasses
import json

import pytest
from typer.testing import CliRunner

import trainables.data as data
from sweep.cli.data import app
from trainables.data.base import about
from trainables.data.prepare import catalog
from trainables.data.prepare.store import prepared_folder

runner = CliRunner()


@pytest.fixture
def run(tmp_path):
    def call(*words, code=0):
        data.forget()
        result = runner.invoke(app, [*words, "--data", str(tmp_path)])
        assert result.exit_code == code, (result.output, result.exception)
        return result

    yield call
    data.forget()


def listed(run):
    sets = json.loads(run("list", "--format", "json").stdout)["sets"]
    return {entry["name"]: entry for entry in sets}


def test_list_says_of_every_set_whether_it_is_here_and_how_to_get_it(run, tmp_path, originals):
    before = listed(run)
    assert sorted(before) == data.names()
    for name, entry in before.items():
        assert entry["state"] == ("missing" if about[name].originals else "built in")
    text = run("list").stdout
    assert str(tmp_path) in text
    for name, entry in before.items():
        assert name in text
        assert not entry["get"] or entry["get"] in text
    originals.make("parquet", tmp_path)
    assert listed(run)["parquet"]["state"] == "originals"
    run("prepare", "parquet")
    after = listed(run)["parquet"]
    assert after["state"] == "prepared"
    assert after["prepared"] == [str(prepared_folder(tmp_path, "parquet", set="cifar10"))]
    assert after["get"] not in run("list").stdout


def test_ready_is_what_the_list_calls_not_missing(tmp_path, originals):
    assert data.is_ready("digits", tmp_path)
    assert not data.is_ready("svhn", tmp_path)
    originals.make("svhn", tmp_path)
    assert data.is_ready("svhn", tmp_path)
    with pytest.raises(ValueError, match="unknown data set 'svnh'"):
        data.is_ready("svnh", tmp_path)


def test_prepare_reports_progress_and_facts(run, tmp_path, originals):
    originals.make("folder", tmp_path)
    result = run("prepare", "folder", "-o", "size=16", "-o", "set=images", "--format", "json")
    assert json.loads(result.stdout) == {
        "name": "folder",
        "source": "images (16x16)",
        "images": {"train": 10, "test": 4},
        "classes": 2,
        "shape": [3, 16, 16],
        "spec": {},
        "fingerprint": data.load("folder", tmp_path, size=16).fingerprint,
        "directory": str(tmp_path),
        "notes": [],
    }
    assert result.stderr.splitlines() == ["folder train: 10 of 10", "folder test: 4 of 4"]
    again = run("prepare", "folder", "-o", "size=16")
    assert again.stderr == ""  # it is there already
    assert again.stdout == (
        "folder: images (16x16), 10 train, 4 test, 2 classes, 3 x 16 x 16; ready\n"
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["cifar11"], "unknown data set 'cifar11' (did you mean 'cifar10'?)"),
        (["folder", "-o", "sise=3"], "unknown option of data set 'folder' 'sise'"),
        (["folder", "-o", "size"], "--option 'size': write it as name=value"),
        (["folder", "-o", "size=0"], "size = 0"),
    ],
)
def test_bad_usage(run, words, sentence):
    """`sweep` turns a ValueError into exit code 2."""
    result = run("prepare", *words, code=1)
    assert isinstance(result.exception, ValueError)
    assert sentence in str(result.exception)


def test_a_missing_set_is_a_data_error(run):
    result = run("prepare", "cifar10", code=1)
    assert isinstance(result.exception, data.DataError)
    assert "data set 'cifar10' is missing" in str(result.exception)


def test_nothing_is_fetched_unless_asked(run, monkeypatch, tmp_path, originals):
    fetched = []

    def fetch(directory):
        fetched.append(directory)
        originals.make("cifar10", directory)

    known = about["cifar10"]
    monkeypatch.setitem(
        about, "cifar10", type(known)(known.title, known.get, known.originals, fetch)
    )
    run("prepare", "cifar10", code=1)
    assert fetched == []
    run("prepare", "cifar10", "--download")
    assert fetched == [tmp_path]
    run("prepare", "cifar10", "--download")
    assert fetched == [tmp_path]


def test_a_download_that_fails_or_does_not_exist(run, monkeypatch):
    def fail(_):
        raise OSError("no route to host")

    known = about["cifar10"]
    monkeypatch.setitem(
        about, "cifar10", type(known)(known.title, known.get, known.originals, fail)
    )
    sentence = str(run("prepare", "cifar10", "--download", code=1).exception)
    assert "cannot download 'cifar10' into" in sentence
    assert "(no route to host): unpack" in sentence
    sentence = str(run("prepare", "retina", "--download", code=1).exception)
    assert "'retina' is not downloaded for you: put the images" in sentence


def test_verify(run, tmp_path, originals):
    assert "nothing to verify" in run("verify").stdout
    originals.make("cifar10", tmp_path)
    originals.make("parquet", tmp_path)
    run("prepare", "cifar10")
    run("prepare", "parquet")
    result = run("verify", "--format", "json")
    findings = json.loads(result.stdout)["findings"]
    assert [finding["name"] for finding in findings] == ["cifar10", "parquet", "cifar10"]
    assert not any(finding["fault"] for finding in findings)
    file = prepared_folder(tmp_path, "cifar10") / "test.inputs.npy"
    content = bytearray(file.read_bytes())
    content[500] ^= 1
    file.write_bytes(content)
    batch = tmp_path / "cifar-10-batches-py" / "data_batch_2"
    batch.write_bytes(batch.read_bytes()[:-1])
    result = run("verify", code=1)
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["DAMAGED", "ok", "DAMAGED"]
    first, second = result.stderr.splitlines()
    assert f"{file} is damaged (its checksum does not match)" in first
    assert f"{batch} has MD5" in second
    run("verify", "parquet")


def test_verify_of_what_is_not_there_or_has_no_manifest_left(run, tmp_path, originals):
    result = run("verify", "mnist", "digits", code=1)
    assert "'mnist' is not in" in result.stderr
    assert "digits" not in result.stderr
    originals.make("parquet", tmp_path)
    run("prepare", "parquet")
    (prepared_folder(tmp_path, "parquet", set="cifar10") / "manifest.json").write_text("{")
    result = run("verify", code=1)
    assert "manifest.json is damaged" in result.stderr
    assert catalog.status("parquet", tmp_path).state is catalog.Availability.ORIGINALS


def test_progress_on_a_terminal_is_a_bar(monkeypatch, tmp_path, originals, capsys):
    import sys

    from sweep.cli import data

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    originals.make("folder", tmp_path)
    with data._progress("folder") as report:
        report("train", 3, 10)
        report("train", 10, 10)
    assert "folder train" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("cifar10", "cifar-10-batches-py/data_batch_1"),
        ("mnist", "MNIST/raw/nothing"),
        ("svhn", "train_32x32.mat"),
    ],
)
def test_a_part_of_a_set_is_fetched_again(run, monkeypatch, tmp_path, originals, name, part):
    file = tmp_path / part
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("x")
    assert listed(run)[name]["state"] == "incomplete"
    assert about[name].get in run("list").stdout
    assert not data.is_ready(name, tmp_path)
    run("prepare", name, code=1)

    def fetch(directory):
        for path in sorted(directory.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        originals.make(name, directory)

    monkeypatch.setitem(about, name, dataclasses.replace(about[name], download=fetch))
    assert "ready" in run("prepare", name, "--download").stdout


def test_a_download_that_takes_a_part_for_the_whole(run, monkeypatch, tmp_path):
    (tmp_path / "cifar-10-batches-py").mkdir()
    idle = dataclasses.replace(about["cifar10"], download=lambda _: None)
    monkeypatch.setitem(about, "cifar10", idle)
    sentence = str(run("prepare", "cifar10", "--download", code=1).exception)
    assert "cifar-10-batches-py for whole: remove it, then download again" in sentence


def test_verify_says_that_originals_are_others(run, tmp_path, originals):
    originals.make("folder", tmp_path)
    run("prepare", "folder", "-o", "size=8")
    (tmp_path / "images/train/cat/000.jpg").unlink()
    assert "1 of its files was removed" in run("verify", "folder", code=1).stderr


def test_what_was_skipped_is_printed(run, tmp_path, originals):
    originals.make("folder", tmp_path)
    (tmp_path / "images/train/cat/x.heic").write_bytes(b"x")
    assert "note: in " in (said := run("prepare", "folder", "-o", "size=8").stdout)
    assert "1 .heic" in said
