"""Damaged originals: each ends in one sentence that names the value, and leaves nothing behind."""

import gzip
import re
import socket
import tarfile
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import trainables.data as data
from tests.trainables.data.originals import encoded, random_images, write_parquet
from trainables.data.base import about
from trainables.data.prepare import catalog
from trainables.data.prepare.labels import checked_labels
from trainables.data.sets import parquet

CIFAR = "cifar-10-batches-py/data_batch_3"
CHECKSUMMED = [
    ("cifar10", CIFAR),
    ("cifar10", "cifar-10-batches-py/batches.meta"),
    ("cifar100", "cifar-100-python/test"),
    ("mnist", "MNIST/raw/t10k-images-idx3-ubyte.gz"),
    ("mnist", "MNIST/raw/train-labels-idx1-ubyte.gz"),
    ("svhn", "train_32x32.mat"),
    ("svhn", "test_32x32.mat"),
]


def refused(name, directory, pattern, **options):
    with pytest.raises(data.DataError) as error:
        data.load(name, directory, **options)
    message = str(error.value)
    assert "\n" not in message
    assert re.search(pattern, message), message
    left = directory / "prepared"
    assert not left.exists() or [p for p in left.iterdir() if p.suffix != ".lock"] == []
    return message


@pytest.mark.parametrize(("name", "file"), CHECKSUMMED)
@pytest.mark.parametrize("damage", ["half", "changed", "empty", "missing"])
def test_a_publishers_file_that_is_damaged(name, file, damage, tmp_path, originals):
    originals.make(name, tmp_path)
    path = tmp_path / file
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "changed":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    else:
        path.write_bytes(content[: len(content) // 2] if damage == "half" else b"")
    sentence = {
        "half": "has MD5 [0-9a-f]{32} and not the publisher's [0-9a-f]{32}.*fetch it again",
        "changed": "has MD5 [0-9a-f]{32} and not the publisher's",
        "empty": "is empty: it was not downloaded fully",
        "missing": "is missing",
    }[damage]
    if (name, file, damage) == ("svhn", "train_32x32.mat", "missing"):
        sentence = "data set 'svhn' is missing"
    refused(
        name, tmp_path, f"{re.escape(str(path))}.*{sentence}|{sentence}.*{re.escape(str(path))}"
    )


def test_a_pickle_that_is_not_the_publishers_is_never_opened(tmp_path, originals):
    originals.make("cifar10", tmp_path)
    marker = tmp_path / "opened"
    (tmp_path / CIFAR).write_bytes(
        b"cos\nsystem\n(S'touch " + str(marker).encode() + b"'\ntR."  # what a hostile pickle does
    )
    refused("cifar10", tmp_path, "has MD5")
    assert not marker.exists()


def test_cifar_as_parquet_is_pointed_out(tmp_path, originals):
    originals.make("parquet", tmp_path)
    refused("cifar10", tmp_path, "as data set parquet with set = 'cifar10'")


@pytest.mark.parametrize(
    "content",
    [
        b"\x00\x00\x08\x03" + bytes(8),  # of three sizes two
        b"\x00\x00\x0d\x01" + bytes(40),  # floating-point numbers
        b"\x00\x00",
        b"",
        bytes([0, 0, 8, 1, 0, 0, 0, 5]) + bytes(9),  # too long
        bytes([0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 0, 2, 0, 0, 0, 2]) + bytes(19),  # too short by one
        bytes([0, 0, 8, 1, 0, 0, 0, 5]) + bytes(5),  # labels where images are expected
        bytes([0, 0, 99, 1, 0, 0, 0, 5]) + bytes(5),  # no type of the format
    ],
)
def test_unpacked_mnist_files_have_no_checksum_but_a_header(content, tmp_path, originals):
    originals.make("mnist", tmp_path)
    root = tmp_path / "MNIST" / "raw"
    packed = root / "train-images-idx3-ubyte.gz"
    packed.unlink()
    packed.with_suffix("").write_bytes(content)
    sentence = "not an IDX file of bytes, or is truncated or too long" if content else "is empty"
    refused("mnist", tmp_path, f"train-images-idx3-ubyte.*{sentence}")


def test_mnist_images_without_labels(tmp_path, originals):
    originals.make("mnist", tmp_path)
    root = tmp_path / "MNIST" / "raw"
    packed = root / "train-labels-idx1-ubyte.gz"
    content = bytearray(gzip.decompress(packed.read_bytes()))
    content[7] -= 1
    packed.unlink()
    packed.with_suffix("").write_bytes(content[:-1])
    refused("mnist", tmp_path, "holds 30 images but .* 29 labels")


@pytest.fixture
def sheet(tmp_path, originals):
    """Writes a Parquet image set of 20 rows with the given changes."""

    def write(changes=None, labels=None, split="train", columns=("img", "label")):
        images = [encoded(image) for image in random_images(20)]
        for row, content in (changes or {}).items():
            images[row] = content(images[row]) if callable(content) else content
        numbers = [i % 10 for i in range(20)] if labels is None else labels
        file = tmp_path / "cifar10" / f"{split}.parquet"
        write_parquet(file, images, numbers, columns)

    return write


@pytest.mark.parametrize(
    "content",
    [lambda png: png[:60], b"", b"this is no image", lambda png: png[:200] + b"\0" * 50],
    ids=["truncated", "empty", "text", "overwritten"],
)
@pytest.mark.parametrize("row", [0, 13])
def test_a_corrupt_image_is_named_by_its_row(content, row, sheet, tmp_path):
    sheet({row: content})
    refused("parquet", tmp_path, rf"row {row} of .*train\.parquet is not a readable image: replace")


def test_a_corrupt_image_of_the_test_set(sheet, tmp_path):
    sheet()
    sheet({7: b"no image"}, split="test")
    refused("parquet", tmp_path, r"row 7 of .*test\.parquet is not a readable image")


def test_an_image_of_another_size(sheet, tmp_path, originals):
    sheet({5: encoded(random_images(1, 16, 20)[0])})
    refused("parquet", tmp_path, "row 5 of .* has 16x20 pixels where others have 32x32.*size")
    assert data.load("parquet", tmp_path, size=8).input_shape == (3, 8, 8)


@pytest.mark.parametrize("label", [-1, 10])
def test_a_label_out_of_range(label, sheet, tmp_path):
    sheet(labels=[i % 10 for i in range(19)] + [label])
    refused("parquet", tmp_path, f"row 19 of .* has label {label}, allowed are 0 to 9")


def test_an_empty_class(sheet, tmp_path):
    sheet(labels=[i % 9 for i in range(20)])
    refused("parquet", tmp_path, r"class 9 of .*train\.parquet has no image \(classes are 0 to 9\)")


@pytest.mark.parametrize("keep", [0.0, 0.3, 0.95])
def test_a_half_downloaded_parquet_file(keep, sheet, tmp_path):
    sheet()
    file = tmp_path / "cifar10" / "train.parquet"
    content = file.read_bytes()
    file.write_bytes(content[: int(keep * len(content))])
    refused(
        "parquet", tmp_path, r"train\.parquet cannot be read .* half downloaded; fetch it again"
    )


def test_parquet_without_the_columns(sheet, tmp_path):
    sheet(columns=("picture", "label"))
    refused("parquet", tmp_path, "no column 'img' or 'image' or .*; its columns are picture, label")
    sheet(columns=("image", "fine_label"))  # as CIFAR-100 is published
    assert len(data.load("parquet", tmp_path).train) == 20


def test_parquet_without_rows(sheet, tmp_path, originals):
    write_parquet(tmp_path / "cifar10" / "train.parquet", [], [])
    refused("parquet", tmp_path, "has no rows")
    sheet(labels=[None, *range(10), *range(9)])
    refused("parquet", tmp_path, "'label' must hold whole numbers, or names of classes, none mis")


@pytest.mark.parametrize("name", ["aircraft", "caltech256", "folder", "indoor67", "retina"])
def test_a_corrupt_photograph_is_named_by_its_path(name, tmp_path, originals):
    originals.make(name, tmp_path)
    file = sorted(tmp_path.rglob("*.jpg"))[0]
    file.write_bytes(file.read_bytes()[:150])
    refused(name, tmp_path, f"{file} is not a readable image: replace that file", size=8)
    file.write_bytes(b"")
    refused(name, tmp_path, f"{file} is empty", size=8)


def test_whatever_a_decoder_raises_the_image_is_named(tmp_path, originals, monkeypatch):
    """AVIF's raises RuntimeError of a frame that it cannot decode."""
    originals.make("folder", tmp_path)

    def convert(*_, **__):
        raise RuntimeError("Failed to decode frame 0: Decoding of color planes failed")

    monkeypatch.setattr("PIL.Image.Image.convert", convert)
    refused("folder", tmp_path, r"\.jpg is not a readable image: replace that file", size=8)


@pytest.mark.parametrize(
    ("name", "path", "sentence"),
    [
        ("aircraft", "fgvc-aircraft-2013b/data/images/004.jpg", "004.jpg is missing"),
        ("aircraft", "fgvc-aircraft-2013b/data/variants.txt", "variants.txt is missing"),
        ("indoor67", "indoorCVPR_09/TestImages.txt", "TestImages.txt is missing"),
        ("indoor67", "indoorCVPR_09/Images/bakery/001.jpg", "001.jpg is missing"),
        ("retina", "retina/images/007.jpg", "line 9 of .*labels.csv names image '007'"),
        ("retina", "retina/labels.csv", "no .*labels.csv: put"),
    ],
)
def test_a_file_that_a_list_names_is_missing(name, path, sentence, tmp_path, originals):
    originals.make(name, tmp_path)
    (tmp_path / path).unlink()
    refused(name, tmp_path, sentence, size=8)


def test_a_list_that_names_an_unknown_class(tmp_path, originals):
    originals.make("aircraft", tmp_path)
    originals.make("indoor67", tmp_path)
    listed = tmp_path / "fgvc-aircraft-2013b/data/images_variant_val.txt"
    listed.write_text("003 Concorde\n")
    refused("aircraft", tmp_path, "names variant 'Concorde', which variants.txt does not", size=8)
    listed = tmp_path / "indoorCVPR_09/TrainImages.txt"
    listed.write_text("attic/000.jpg\n")
    refused("indoor67", tmp_path, "names 'attic/000.jpg' but .* no folder 'attic'", size=8)


def test_folders_that_do_not_fit(tmp_path, originals):
    originals.make("folder", tmp_path)
    root = tmp_path / "images"
    (root / "test" / "horse").mkdir()
    refused("folder", tmp_path, "horse is a class that the training images do not have", size=8)
    (root / "test" / "horse").rmdir()
    (root / "train" / "eel").mkdir()
    refused("folder", tmp_path, "class folder .*eel holds no image: add its images", size=8)
    refused("folder", tmp_path, "no folder .*plants", size=8, set="plants")
    (tmp_path / "plants").mkdir()
    refused("folder", tmp_path, "plants has no class folders", size=8, set="plants")


def test_too_few_images_in_a_class_of_caltech(tmp_path, originals):
    originals.make("caltech256", tmp_path)
    for number in (0, 1):
        (tmp_path / f"caltech256/256_ObjectCategories/001.ak47/{number:03d}.jpg").unlink()
    refused("caltech256", tmp_path, r"ak47 holds 69 images where .* needs 70", size=8)
    small = data.load("caltech256", tmp_path, size=8, per_class=(3, 2, 1))
    assert (len(small.train), len(small.validation), len(small.test)) == (6, 4, 2)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("003,7", "line 26 of .* has label '7': allowed are the whole numbers 0 to 4"),
        ("003,severe", "line 26 .* has label 'severe': allowed are the whole numbers 0 to 4"),
        ("003,", "line 26 .* has label ''"),
        ("999,1", "line 26 .* names image '999'"),
    ],
)
def test_a_bad_row_in_the_table_of_labels(row, sentence, tmp_path, originals):
    originals.make("retina", tmp_path)
    table = tmp_path / "retina" / "labels.csv"
    table.write_text("\n".join([*table.read_text().splitlines()[:-1], row]))
    refused("retina", tmp_path, sentence, size=8)


def test_a_table_of_labels_without_its_columns(tmp_path, originals):
    originals.make("retina", tmp_path)
    table = tmp_path / "retina" / "labels.csv"
    table.write_text("picture,grade\n1,2\n")
    refused("retina", tmp_path, "has columns picture, grade: it needs image and label", size=8)
    table.write_text("image,label,split\n001,2,later\n")
    refused("retina", tmp_path, "line 2 of .* has split 'later': allowed are train", size=8)


def test_labels_leave_a_class_of_the_retina_set_empty(tmp_path, originals):
    originals.make("retina", tmp_path)
    refused("retina", tmp_path, "class 5 of .* has no image", size=8, num_classes=6)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda text: text.replace("@DATA", ""), "has no @data line"),
        (lambda text: text.replace(",class1\n", "\n", 1), "cannot be parsed"),
        (lambda text: re.sub(r"@DATA\n[^,]*", "@DATA\n?", text), "must hold numbers"),
        (lambda text: re.sub(r"@DATA\n[^,]*", "@DATA\nnan", text), "row 0 .* column 'att1'"),
        (lambda text: re.sub(r",[^,]*$", ",", text.rstrip()), "row .* has no class in column"),
        (lambda text: text.partition("@DATA")[0] + "@DATA\n", r"cannot be parsed|has no rows"),
    ],
)
def test_a_damaged_table(change, sentence, tmp_path, originals):
    originals.make("random_rbf", tmp_path)
    file = tmp_path / "openml_159" / "dataset.arff"
    file.write_text(change(file.read_text()))
    refused("random_rbf", tmp_path, sentence)


@pytest.mark.parametrize(
    ("classes", "sentence"),
    [
        ([1, None], "row 1 .* has no class in column 'c'"),
        (["x", ""], "row 1 .* has no class in column 'c'"),
        ([[1], [2]], "column 'c' holds list"),
        ([], "has no rows"),
    ],
)
def test_classes_of_a_table_that_are_none(classes, sentence, tmp_path):
    table = pa.table({"a": [0.5 * i for i in range(len(classes))], "c": classes})
    (tmp_path / "openml_159").mkdir()
    pq.write_table(table, tmp_path / "openml_159" / "dataset.parquet")
    refused("random_rbf", tmp_path, sentence)


def test_a_table_may_not_be_a_link_out_of_its_folder(tmp_path, originals):
    originals.make("random_rbf", tmp_path)
    file = tmp_path / "openml_159" / "dataset.arff"
    file.rename(tmp_path / "elsewhere.arff")
    file.symlink_to(tmp_path / "elsewhere.arff")
    refused("random_rbf", tmp_path, "leads out of")


def test_a_directory_that_cannot_be_read(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise PermissionError(13, "Permission denied", str(tmp_path / "cifar10"))

    monkeypatch.setattr(parquet, "read", fail)
    refused("parquet", tmp_path, r"cifar10 cannot be read \(Permission denied\): correct that")


def test_nothing_is_downloaded_to_load_a_set(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for name in data.names():
        if about[name].originals:
            refused(name, tmp_path, ".")


def test_labels_as_bytes_or_wide_integers_are_checked_alike():
    for dtype in (np.int64, np.int32, np.uint8):
        labels = np.array([0, 1, 2], dtype)
        assert checked_labels(labels, 3, "x") is labels
        with pytest.raises(data.DataError, match="row 2 of x has label 2, allowed are 0 to 1"):
            checked_labels(labels, 2, "x")


@pytest.mark.parametrize("kind", ["above", "link", "absolute"])
def test_an_archive_writes_nothing_outside_of_its_folder(tmp_path, monkeypatch, kind):
    """As it is downloaded: torchvision unpacks what the publisher's server sends."""
    archive, inside = tmp_path / "sent.tar", tmp_path / "data"
    stray = tmp_path / "stray"
    entry = tarfile.TarInfo({"above": "../stray", "link": "in", "absolute": str(stray)}[kind])
    if kind == "link":
        entry.type, entry.linkname = tarfile.SYMTYPE, "../.."
    with tarfile.open(archive, "w") as made:
        made.addfile(entry)

    def unpack(directory):
        with tarfile.open(archive) as sent:
            sent.extractall(directory)

    monkeypatch.setitem(about, "cifar10", replace(about["cifar10"], download=unpack))
    if kind == "absolute":  # Python takes the slash away, and unpacks it inside
        catalog.download("cifar10", inside)
    else:
        with pytest.raises(data.DataError, match=r"cannot download 'cifar10' into .*outside"):
            catalog.download("cifar10", inside)
    assert not stray.exists()
    assert not (inside / "in").is_symlink()


def test_a_column_that_is_there_twice_is_named(tmp_path, originals):
    originals.make("random_rbf", tmp_path)
    file = tmp_path / "openml_159" / "dataset.arff"
    text = file.read_text()
    first, second = re.findall(r"@attribute\s+'?(\w+)'?", text, re.I)[:2]
    file.write_text(re.sub(rf"(@attribute\s+'?){second}\b", rf"\g<1>{first}", text, flags=re.I))
    refused("random_rbf", tmp_path, f"{file.name} has several columns called '{first}'")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rank": 101}, "rank = 101 is more than size = 100"),
        ({"size": 10**6}, "2500 measurements of size = 1000000 have 2e.15 entries"),
    ],
)
def test_measurements_that_no_memory_holds_are_refused(tmp_path, options, said):
    with pytest.raises(ValueError, match=said):
        data.load("matrix_sensing", tmp_path, **options)
