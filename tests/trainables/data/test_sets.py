"""Every registered data set, from small originals in its publisher's format.

A new data set is enrolled by being registered; it needs a maker in conftest.py.
"""

import dataclasses
import shutil

import pytest
import torch

import trainables.data as data
from trainables.config import Data
from trainables.data.base import about
from trainables.data.loader import BatchLoader
from trainables.data.splits import split
from trainables.structures import batch_size, tensors

STREAMED = {"imagenet", "conceptual_captions"}
IN_MEMORY = {"digits", "spirals", "matrix_sensing", "random_rbf"} | {
    *("word_problems", "paraphrases", "commonsense_qa", "strategy_qa", "mrpc")
}

IN_MEMORY |= {"captioned_digits", "ego_graphs", "collab"}


def test_every_set_says_what_it_is_and_has_a_maker(originals):
    assert data.names() == sorted(about) == originals.names()
    for name in data.names():
        assert about[name].title
        assert bool(about[name].get) == bool(about[name].originals)


@pytest.mark.parametrize("name", data.names())
def test_a_set_is_consistent_and_gives_batches(name, tmp_path, originals, small):
    originals.make(name, tmp_path)
    dataset = data.load(name, tmp_path, **small.get(name, {}))
    assert dataset.name == name
    assert dataset.source
    assert data.load(name, tmp_path, **small.get(name, {})) is dataset
    for part in (dataset.train, dataset.validation, dataset.test):
        if part is not None and part.labels is not None and dataset.num_classes:
            assert 0 <= part.labels.min() <= part.labels.max() < dataset.num_classes
    if dataset.class_names:
        assert len(dataset.class_names) == dataset.num_classes
    parts = split(dataset, Data(validation=0.2), 0)
    batches = BatchLoader(parts.train, 2, (), parts.mean, parts.std, resize=dataset.resize)
    inputs, targets = next(batches.epoch(0))
    assert batch_size(inputs) == batch_size(targets) == 2
    assert all(tensor.isfinite().all() for tensor in tensors(inputs))
    if parts.train.is_array:
        assert inputs.shape == (2, *dataset.input_shape)
        assert inputs.dtype == torch.float32
    else:
        assert dataset.spec


@pytest.mark.parametrize("name", [n for n in data.names() if about[n].originals])
def test_a_missing_set_is_one_sentence_with_the_remedy(name, tmp_path):
    with pytest.raises(data.DataError) as error:
        data.load(name, tmp_path)
    message = str(error.value)
    assert str(tmp_path) in message
    assert "\n" not in message
    assert any(verb in message for verb in ("put ", "unpack ", "name the folder", "download "))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", sorted(set(data.names()) - STREAMED - IN_MEMORY))
def test_a_prepared_set_does_not_need_its_originals(name, tmp_path, originals, small):
    originals.make(name, tmp_path)
    options = small.get(name, {})
    before = data.load(name, tmp_path, **options)
    for path in tmp_path.iterdir():
        if path.name != "prepared":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    data.forget()
    after = data.load(name, tmp_path, **options)
    assert after is not before
    for field in dataclasses.fields(before):
        if field.name not in ("train", "validation", "test", "extra"):
            assert getattr(after, field.name) == getattr(before, field.name)
    assert torch.equal(after.train.inputs, before.train.inputs)
    assert torch.equal(after.train.targets, before.train.targets)


def test_the_directory_is_no_part_of_a_set_and_options_are_checked():
    assert data.registry.resolve("parquet", {})["set"] == "cifar10"
    assert "directory" not in data.registry.resolve("parquet", {})
    with pytest.raises(ValueError, match="did you mean 'cifar10'"):
        data.load("cifar")
    with pytest.raises(ValueError, match="option of data set 'parquet' 'path'"):
        data.load("parquet", path="/tmp")
    with pytest.raises(ValueError, match=r"set = '\.\./elsewhere'"):
        data.load("parquet", set="../elsewhere")


def test_default_directory(monkeypatch, tmp_path):
    monkeypatch.delenv("FLATSWEEP_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data.data_directory() == tmp_path / ".cache" / "flatsweep" / "data"
    monkeypatch.setenv("FLATSWEEP_DATA", str(tmp_path / "elsewhere"))
    assert data.data_directory() == tmp_path / "elsewhere"
    assert data.data_directory(tmp_path / "given") == tmp_path / "given"
