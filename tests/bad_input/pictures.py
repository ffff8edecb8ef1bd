"""Files of data sets: images, Parquet, arrays, tables, and the manifests of prepared copies."""

from __future__ import annotations

import functools
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from tests.bad_input.engine import FaultError, Kind
from tests.bad_input.odd import (
    byte_changes,
    changed_bytes,
    changed_tree,
    tree_changes,
    values,
    words,
)
from trainables import data
from trainables.errors import FlatsweepError

PIXELS = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
FORMATS = {
    "jpg": {}, "png": {}, "gif": {}, "bmp": {}, "webp": {}, "tif": {}, "ppm": {}, "jp2": {},
    "avif": {},
}  # fmt: skip


@functools.cache
def images() -> dict[str, bytes]:
    """An image in each format, and in modes of its own."""
    found = {name: _saved(Image.fromarray(PIXELS), name) for name in FORMATS}
    wide = Image.fromarray((PIXELS[..., 0].astype(np.uint16) << 8) + 7)
    exif = Image.Exif()
    exif[0x0112] = 6
    found |= {
        "16.png": _saved(wide, "png"),
        "16.tif": _saved(wide, "tif"),
        "rgba.png": _saved(Image.fromarray(PIXELS).convert("RGBA"), "png"),
        "palette.png": _saved(Image.fromarray(PIXELS).convert("P"), "png"),
        "turned.jpg": _saved(Image.fromarray(PIXELS), "jpg", exif=exif),
        "lzw.tif": _saved(Image.fromarray(PIXELS), "tif", compression="tiff_lzw"),
    }
    return found


def _saved(image: Image.Image, ending: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, Image.registered_extensions()[f".{ending}"], **options)
    return out.getvalue()


def loaded(name: str, folder: Path, **options: Any) -> str:
    """Load a data set and look at all of it. Nothing may be left of one that is refused."""
    data.forget()
    try:
        found = data.load(name, folder, **options)
    except FlatsweepError as error:
        left = [p for p in folder.glob("prepared/*") if p.suffix != ".lock"]
        if left:
            raise FaultError(f"left behind: {left}") from error
        return str(error)
    finally:
        data.forget()
    for part in (found.train, found.validation, found.test):
        if part is not None:
            labels = part.targets
            if not (len(part.inputs) == len(labels) and 0 <= labels.min() <= labels.max()):
                raise FaultError("inputs and labels do not fit")
            if labels.max() >= found.num_classes:
                raise FaultError("more classes than are known")
    return ""


image_files = st.tuples(
    st.sampled_from(sorted(images())), st.one_of(byte_changes, byte_changes, st.binary())
)


def _try_image(case: tuple[str, Any], folder: Path) -> str:
    name, made = case
    for label in "ab":
        (folder / "images" / label).mkdir(parents=True)
        (folder / "images" / label / "good.png").write_bytes(images()["png"])
    content = made if isinstance(made, bytes) else changed_bytes(images()[name], made)
    (folder / "images/a" / name).write_bytes(content)
    return loaded("folder", folder, size=8)


Column = Sequence[Any]
cells = st.one_of(
    st.sampled_from(sorted(images())).map(lambda name: images()[name]),
    st.none(),
    st.binary(max_size=20),
    st.just({"bytes": b"", "path": "/etc/passwd"}),
    st.just({"bytes": None, "path": "../../outside"}),
    st.lists(st.lists(st.integers(-1, 256), max_size=3), max_size=3),
    values,
)


@st.composite
def parquet_tables(draw: st.DrawFn) -> tuple[list[Any], list[Any], str, str]:
    """Columns of one kind each, as Parquet has them."""
    rows = draw(st.integers(0, 6))
    png = [images()["png"]] * rows
    kinds = st.sampled_from(["good", "struct", "lists", "cells", "one"])
    kind = draw(kinds)
    pictures: list[Any] = {
        "good": png,
        "struct": [{"bytes": image, "path": draw(words)} for image in png],
        "lists": draw(st.lists(st.lists(st.lists(st.integers(0, 255), min_size=2, max_size=2),
                                        min_size=2, max_size=2), min_size=rows, max_size=rows)),
        "cells": draw(st.lists(cells, min_size=rows, max_size=rows)),
        "one": [*png[1:], draw(cells)] if rows else [],
    }[kind]  # fmt: skip
    labels = draw(
        st.one_of(
            st.just([row % 2 for row in range(rows)]),
            st.lists(st.one_of(st.integers(-1, 3), st.none()), min_size=rows, max_size=rows),
            st.lists(st.sampled_from("ab"), min_size=rows, max_size=rows),
            st.lists(values, min_size=rows, max_size=rows),
        )
    )
    names = st.sampled_from(["img", "image", "label", "x"])
    return (
        pictures,
        labels,
        draw(st.one_of(st.just("image"), names)),
        draw(st.one_of(st.just("label"), st.just("label"), names)),
    )


def _try_table(case: tuple[list[Any], list[Any], str, str], folder: Path) -> str:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pictures, labels, image, label = case
    try:
        table = pa.Table.from_arrays([pa.array(pictures), pa.array(labels)], [image, label])
        (folder / "set").mkdir()
        pq.write_table(table, folder / "set/train.parquet")
    except (pa.ArrowException, OverflowError, TypeError, ValueError, UnicodeError):
        return ""  # such a file cannot be
    return loaded("parquet", folder, set="set")


@functools.cache
def parquet_file() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pictures = [images()[name] for name in ("png", "jpg", "bmp", "rgba.png")]
    pq.write_table(pa.table({"image": pictures, "label": [0, 1, 0, 1]}), out)
    return out.getvalue()


def _try_parquet(made: Any, folder: Path) -> str:
    (folder / "set").mkdir()
    (folder / "set/train.parquet").write_bytes(changed_bytes(parquet_file(), made))
    return loaded("parquet", folder, set="set")


arrays = st.dictionaries(
    st.sampled_from(
        ["images", "labels", "x_train", "y_train", "x_test", "y_test", "features", "x"]
    ),
    st.one_of(
        st.tuples(
            st.sampled_from(["uint8", "int64", "float64", "float16", "bool", "U3", "O", "M8[s]"]),
            st.lists(st.integers(0, 4), max_size=4),
        ),
        st.just(("uint8", [4, 5, 5])),
        st.just(("int64", [4])),
    ),
    max_size=4,
)


def _array(kind: str, shape: list[int]) -> np.ndarray:
    count = int(np.prod(shape))
    if kind == "O":
        return np.array([{}] * count, dtype=object).reshape(shape)
    return (np.arange(count) % 2).astype(kind).reshape(shape)


def _try_arrays(case: dict[str, tuple[str, list[int]]], folder: Path) -> str:
    np.savez(folder / "arrays.npz", **{name: _array(*of) for name, of in case.items()})
    return loaded("arrays", folder)


@functools.cache
def npz_file() -> bytes:
    out = io.BytesIO()
    np.savez(out, images=PIXELS[None].repeat(4, 0), labels=np.arange(4) % 2)
    return out.getvalue()


def _try_npz(made: Any, folder: Path) -> str:
    (folder / "arrays.npz").write_bytes(changed_bytes(npz_file(), made))
    return loaded("arrays", folder)


LABELS = "image,label,split\na,0,train\nb.png,1,train\nc,0,test\n"
table_texts = st.one_of(
    byte_changes.map(lambda made: changed_bytes(LABELS.encode(), made)),
    st.lists(st.lists(st.one_of(words, st.sampled_from(["a", "b", "0", "1", "train"])),
                      min_size=1, max_size=4), max_size=4).map(
        lambda rows: "\n".join(["image,label,split", *map(",".join, rows)]).encode(
            "utf-8", "surrogatepass"
        )
    ),
    st.sampled_from(["utf-16", "utf-32", "latin-1", "utf-7"]).map(LABELS.encode),
)  # fmt: skip


def _try_labels(content: bytes, folder: Path) -> str:
    (folder / "retina/images").mkdir(parents=True)
    for name in "abc":
        (folder / f"retina/images/{name}.png").write_bytes(images()["png"])
    (folder.parent / "inside/retina/labels.csv").write_bytes(content)
    return loaded("retina", folder, size=8, num_classes=2)


ARFF = "@relation r\n@attribute a numeric\n@attribute b numeric\n@attribute c {1,2}\n@data\n" + (
    "0.1,2,1\n0.3,4,2\n" * 6
)


def _try_arff(made: Any, folder: Path) -> str:
    (folder / "openml_159").mkdir()
    (folder / "openml_159/dataset.arff").write_bytes(changed_bytes(ARFF.encode(), made))
    return loaded("random_rbf", folder)


@functools.cache
def prepared() -> dict[str, bytes]:
    """The files of a prepared copy, by their path in the data directory."""
    import tempfile

    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for label in "ab":
            (folder / "images" / label).mkdir(parents=True)
            (folder / "images" / label / "good.png").write_bytes(images()["png"])
        loaded("folder", folder, size=8)
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }


def _manifest() -> dict[str, Any]:
    (name,) = (name for name in prepared() if name.endswith("manifest.json"))
    read: dict[str, Any] = json.loads(prepared()[name])
    del read["sha256"]
    return read


def _signed(tree: Any) -> bytes:
    from trainables.data.prepare.manifest import digest

    if isinstance(tree, dict):
        tree = {**tree, "sha256": digest(tree)}
    return json.dumps(tree).encode()


manifests = st.tuples(
    st.just("manifest.json"),
    tree_changes.map(lambda made: _signed(changed_tree(_manifest(), made))),
)
prepared_files = st.deferred(
    lambda: st.sampled_from(sorted(name for name in prepared() if name.startswith("prepared/")))
    .flatmap(lambda name: st.tuples(st.just(Path(name).name), byte_changes.map(
        lambda made: changed_bytes(prepared()[name], made))))
)  # fmt: skip


def _try_prepared(case: tuple[str, bytes], folder: Path) -> str:
    """Of what is changed, originals and copy, the copy is the one that is at fault."""
    from trainables.data.prepare import manifest

    changed, content = case
    for name, before in prepared().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if name.endswith(changed) else before)
    manifest._verified.clear()
    data.forget()
    sentence = ""
    try:
        found = data.load("folder", folder, size=8)
        len(found.train.inputs), found.input_shape, found.train.targets.max()
    except FlatsweepError as error:
        sentence = str(error)
    finally:
        data.forget()
    from tests.bad_input.engine import command

    for line in (("data", "list"), ("data", "verify")):
        command(*line, "--data", str(folder)).sentence  # noqa: B018 - faults are raised
    return sentence


Named = Callable[[Any], Sequence[str]]


def _named(*names: str) -> Named:
    return lambda _: names


data_options = st.tuples(
    st.sampled_from(["folder", "parquet", "retina", "arrays", "digits", "spirals", "cifar10",
                     "imagenet", "caltech256", "random_rbf", "matrix_sensing", "absent"]),
    st.one_of(words, st.builds("{}={}".format, st.sampled_from(
        ["set", "size", "num_classes", "per_class", "points", "draw", "rank", "labels"]), words)),
)  # fmt: skip


def _try_option(case: tuple[str, str], folder: Path) -> str:
    from tests.bad_input.engine import command

    name, option = case
    data.forget()
    return command("data", "prepare", name, "-o", option, "--data", str(folder)).sentence


KINDS = (
    Kind("images", image_files, _try_image, lambda case: [case[0]]),
    Kind("Parquet, odd columns", parquet_tables(), _try_table, _named("train.parquet")),
    Kind("Parquet, changed bytes", byte_changes, _try_parquet, _named("train.parquet")),
    Kind("arrays, odd shapes", arrays, _try_arrays, _named("arrays")),
    Kind("arrays, changed bytes", byte_changes, _try_npz, _named("arrays")),
    Kind("labels.csv", table_texts, _try_labels, _named("labels.csv", "retina"), 2.5),
    Kind("ARFF", byte_changes, _try_arff, _named("dataset.arff"), 2.5),
    Kind(
        "manifests, changed values",
        manifests,
        _try_prepared,
        _named("manifest.json", "folder"),
        0.5,
    ),
    Kind("prepared files, changed bytes", prepared_files, _try_prepared, _named("prepared"), 0.5),
    Kind("options of data sets", data_options, _try_option),
)

__all__ = ["KINDS", "images"]
