"""Photographs with captions: streamed from folders, or prepared from Parquet files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from tests.trainables.data.pair_originals import write_captioned
from trainables import data
from trainables.config import TrialConfig
from trainables.data.base import DataError, Dataset, Images
from trainables.data.loader import BatchLoader
from trainables.data.prepare.catalog import Availability, status
from trainables.data.sets.conceptual_captions import CLIP_MEAN, CLIP_STD
from trainables.data.text.tokenizers import Words
from trainables.train import Execution, Trial

SPLITS = {"train": 12, "validation": 6}


def load(directory: Path, **options: object) -> Dataset:
    data.forget()
    return data.load("conceptual_captions", directory, **{"size": 16, **options})


def write_tables(directory: Path, columns: tuple[str, str] = ("image", "caption")) -> None:
    """The photographs of `write_captioned` in Parquet files, in the same order."""
    write_captioned(directory / "whole", SPLITS)
    (directory / "conceptual_captions").mkdir(parents=True)
    for split in SPLITS:
        files = sorted((directory / "whole" / split).rglob("*.png"))
        images = [{"bytes": file.read_bytes(), "path": None} for file in files]
        texts = [file.with_suffix(".txt").read_text().strip() for file in files]
        table = pa.table({columns[0]: images, columns[1]: texts})
        pq.write_table(table, directory / "conceptual_captions" / f"{split}.parquet")
    shutil.rmtree(directory / "whole")


def all_of(images: Images) -> dict[str, torch.Tensor]:
    return images.inputs


def test_a_folder_of_pairs(tmp_path: Path) -> None:
    """Each image has the caption that lies beside it; the validation pairs are the test set."""
    write_captioned(tmp_path / "conceptual_captions", SPLITS)
    dataset = load(tmp_path)
    assert dataset.validation is None
    assert dataset.test is not None
    assert dataset.notes == ()
    words = Words([f"a photograph of train {index}" for index in range(6)])
    for part, split in ((dataset.train, "train"), (dataset.test, "validation")):
        found = all_of(part)
        assert found["image"].shape == (SPLITS[split], 3, 16, 16)
        assert found["image"].dtype == torch.uint8
        for index in range(SPLITS[split]):
            tokens = found["tokens"][index, found["mask"][index]].tolist()
            text = f"a photograph of {split} {index // 2}"
            assert tokens == [words.start, *words.encode(text), words.end]
    assert dataset.train.targets.tolist() == [index // 2 for index in range(12)]
    assert dataset.test.targets.tolist() == [6 + index // 2 for index in range(6)]
    assert dataset.spec == {"channels": 3, "size": 16, "vocabulary": words.vocabulary, "length": 7}


def test_parquet_files_are_the_same_pairs(tmp_path: Path) -> None:
    write_captioned(tmp_path / "files" / "conceptual_captions", SPLITS)
    write_tables(tmp_path / "tables")
    one, other = load(tmp_path / "files"), load(tmp_path / "tables")
    assert one.spec == other.spec
    assert other.fingerprint
    for here, there in ((one.train, other.train), (one.test, other.test)):
        assert here is not None
        assert there is not None
        assert torch.equal(here.targets, there.targets)
        for name, tensor in all_of(here).items():
            assert torch.equal(tensor, all_of(there)[name]), name


def test_prepared_pairs_need_no_originals(tmp_path: Path) -> None:
    write_tables(tmp_path)
    before = load(tmp_path)
    assert status("conceptual_captions", tmp_path).state == Availability.PREPARED
    shutil.rmtree(tmp_path / "conceptual_captions")
    after = load(tmp_path)
    assert after.digest == before.digest
    for name, tensor in all_of(before.train).items():
        assert torch.equal(tensor, all_of(after.train)[name])


def test_columns_of_other_names(tmp_path: Path) -> None:
    write_tables(tmp_path, ("jpg", "txt"))
    assert len(load(tmp_path, captions="txt").train) == 12


def test_captions_are_cut_off_and_bytes_are_tokens(tmp_path: Path) -> None:
    write_captioned(tmp_path / "conceptual_captions", SPLITS)
    found = all_of(load(tmp_path, length=4).train)
    assert found["tokens"].shape == (12, 4)
    whole = all_of(load(tmp_path).train)
    assert torch.equal(found["tokens"][:, :3], whole["tokens"][:, :3])
    assert torch.equal(found["tokens"][:, 3], whole["tokens"][:, 6])
    assert load(tmp_path, tokenizer="bytes").spec["vocabulary"] > 256


def test_images_are_normalized_as_clips_are(tmp_path: Path) -> None:
    write_captioned(tmp_path / "conceptual_captions", SPLITS)
    dataset = load(tmp_path)
    inputs, _ = next(iter(BatchLoader(dataset.train, 5, (), dataset.mean, dataset.std)))
    rows = BatchLoader(dataset.train, 5).order(0)[:5]
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (CLIP_MEAN, CLIP_STD))
    expected = (all_of(dataset.train)["image"][rows] / 255 - mean) / std
    torch.testing.assert_close(inputs["image"], expected, rtol=1e-5, atol=1e-5)


def test_a_trial_of_streamed_pairs(tmp_path: Path) -> None:
    write_captioned(tmp_path / "conceptual_captions", SPLITS)
    trial = Trial(
        TrialConfig(
            data={"source": {"name": "conceptual_captions", "size": 16}, "validation": 0},
            model="clip_tiny",
            loss="contrastive",
            epochs=1,
            batch_size=4,
        ),
        Execution(device="cpu", data_dir=str(tmp_path)),
    )
    numbers = trial.run_epoch()
    assert 0 <= numbers["test_recall_at_10"] <= 1


def no_caption(folder: Path) -> None:
    next((folder / "train").rglob("*.txt")).unlink()


def broken_image(folder: Path) -> None:
    next((folder / "train").rglob("*.png")).write_bytes(b"no image")


def no_train(folder: Path) -> None:
    shutil.rmtree(folder / "train")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (no_caption, "has no caption: put it in .*txt, or remove the image"),
        (no_train, "but no 'train'"),
        (broken_image, "is not a readable image"),
    ],
)
def test_damaged_folders_are_one_sentence(
    tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    write_captioned(tmp_path / "conceptual_captions", SPLITS)
    damage(tmp_path / "conceptual_captions")
    with pytest.raises(DataError, match=message) as error:
        all_of(load(tmp_path).train)
    assert "\n" not in str(error.value)


def test_numbers_are_no_captions(tmp_path: Path) -> None:
    write_tables(tmp_path)
    file = tmp_path / "conceptual_captions" / "train.parquet"
    table = pq.read_table(file)
    pq.write_table(table.set_column(1, "caption", pa.array(range(12))), file)
    with pytest.raises(
        DataError, match="column 'caption' holds numbers: name that of the captions"
    ):
        load(tmp_path)


def test_nothing_there_is_one_sentence_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "conceptual_captions" / "train").mkdir(parents=True)
    with pytest.raises(DataError, match=r"no photographs in .*put photographs in") as error:
        load(tmp_path)
    assert "\n" not in str(error.value)
