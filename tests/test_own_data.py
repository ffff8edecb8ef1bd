"""docs/own-data.md: a person's own images and features, from a sweep's file to its table."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.sweep.called import call

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "own-data.md").read_text(encoding="utf-8")
FILES = {
    re.findall(r"^name: (.*)$", text, re.M)[0]: text
    for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.S)
}
COMMANDS = re.findall(r"^sweep (.*)$", "\n".join(re.findall(r"```sh\n(.*?)```", PAGE, re.S)), re.M)
CLASSES = ("cats", "dogs")


def picture(label: int, seed: int) -> np.ndarray:
    """H x W x 3: noise that is brighter on the left or on the right, which is the label."""
    pixels = np.random.default_rng(seed).integers(0, 100, (20, 24, 3), dtype=np.uint8)
    pixels[:, 12 * label : 12 * (label + 1)] += 150
    return pixels


def as_png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write_folder(where: Path, each: int) -> None:
    """So many pictures of each class, JPEG and PNG."""
    for label, name in enumerate(CLASSES):
        (where / name).mkdir(parents=True)
        for i in range(each):
            ending = ("jpg", "png")[i % 2]
            Image.fromarray(picture(label, i)).save(where / name / f"{i}.{ending}")


def whole_folder(data: Path) -> None:
    write_folder(data / "photos", 20)


def divided_folder(data: Path) -> None:
    for split, each in {"train": 20, "val": 5, "test": 10}.items():
        write_folder(data / "photos" / split, each)


def write_parquet(data: Path, images: str, labels: str) -> None:
    """Three parts of a training set, and a test set, as a hub has them."""
    (data / "pets" / "data").mkdir(parents=True)
    for split, parts in {"train": 3, "test": 1}.items():
        for part in range(parts):
            rows = [
                {images: {"bytes": as_png(picture(i % 2, i)), "path": f"{i}.png"}, labels: i % 2}
                for i in range(20)
            ]
            name = f"{split}-{part:05d}-of-{parts:05d}.parquet"
            pq.write_table(pa.Table.from_pylist(rows), data / "pets" / "data" / name)


def named_columns(data: Path) -> None:
    write_parquet(data, "picture", "species")


def usual_columns(data: Path) -> None:
    write_parquet(data, "image", "label")


def features(data: Path) -> None:
    labels = np.arange(60) % 3
    numbers = np.random.default_rng(0).normal(size=(60, 5)) + labels[:, None]
    np.savez(
        data / "measured.npz", x_train=numbers[:45].astype(np.float32), y_train=labels[:45],
        x_test=numbers[45:], y_test=labels[45:],
    )  # fmt: skip


def images(data: Path) -> None:
    labels = np.arange(40) % 2
    pixels = np.stack([picture(label, i) for i, label in enumerate(labels)])
    np.savez(data / "measured.npz", images=pixels, labels=labels)


def captions(data: Path) -> None:
    for split, each in {"train": 24, "validation": 12}.items():
        (data / "holidays" / split).mkdir(parents=True)
        for i in range(each):
            file = data / "holidays" / split / f"{i}.jpg"
            Image.fromarray(picture(i % 2, i)).save(file)
            file.with_suffix(".txt").write_text(f"brighter on the {('left', 'right')[i % 2]}")


USUAL = FILES["from-a-hub"].replace(", images: picture, labels: species", "")
PHOTOS, PETS, MEASURED = ("folder photos size=16", "parquet pets size=32", "arrays measured")
CASES: dict[str, tuple[str, Callable[[Path], None], str, dict[str, int]]] = {
    "one folder": (FILES["photos"], whole_folder, PHOTOS, {"train": 40}),
    "a divided folder": (
        FILES["photos"], divided_folder, PHOTOS, {"train": 40, "validation": 10, "test": 20},
    ),
    "named columns": (
        FILES["from-a-hub"], named_columns, f"{PETS} images=picture labels=species",
        {"train": 60, "test": 20},
    ),
    "usual columns": (USUAL, usual_columns, PETS, {"train": 60, "test": 20}),
    "features": (FILES["features"], features, MEASURED, {"train": 45, "test": 15}),
    "images in an array": (FILES["features"], images, MEASURED, {"train": 40}),
    "captions": (
        FILES["captions"], captions, "conceptual_captions holidays size=16",
        {"train": 24, "test": 12},
    ),
}  # fmt: skip
"""What a file says, what lies there, the data set's name and options, and its splits' sizes."""


@pytest.mark.parametrize("case", CASES)
def test_from_the_file_to_the_table(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, write, named, sizes = CASES[case]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    write(tmp_path / "data")
    Path("s.yaml").write_text(text)
    source, name, *options = named.split()
    words = [word for option in (f"set={name}", *options) for word in ("-o", option)]
    code, out, error = call("data", "prepare", source, *words, "--data", "data", "--format", "json")
    assert code == 0, error
    assert json.loads(out)["images"] == sizes
    smoke = ("s.yaml", "--preset", "smoke")
    code, out, error = call("plan", *smoke, "--data", "data", "--format", "json")
    assert code == 0, error
    asked = json.loads(out)["trials"]
    code, _, error = call("run", *smoke, "--data", "data", "--executor", "serial")
    assert code == 0, error
    code, out, error = call("table", *smoke, "--format", "json")
    assert code == 0, error
    cells = json.loads(out)["cells"]
    assert all(cell["mean"] is not None for cell in cells)
    results = [json.loads(p.read_text()) for p in Path("results/trials").glob("*/result.json")]
    assert len(results) == asked
    assert {result["status"] for result in results} == {"done"}


def test_every_command_on_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    whole_folder(tmp_path / "my_data")
    Path("photos.yaml").write_text(FILES["photos"])
    assert len(COMMANDS) == 4
    for command in COMMANDS:
        code, out, error = call(*command.split())
        assert code == 0, (command, error)
    assert "test error" in out
