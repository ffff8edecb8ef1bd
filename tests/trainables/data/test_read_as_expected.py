"""Other people's files: read as a person expects, or refused in one sentence with the file."""

import json
import os
import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import trainables.data as data
from tests.trainables.data.originals import encoded, random_images, write_photographs
from trainables.data.prepare import decode, manifest, store
from trainables.data.prepare.store import prepared_folder

RAMP = np.linspace(0, 65535, 256).reshape(16, 16)


def put(file, image=None, **options):
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(random_images(1, 8, 8)[0]) if image is None else image
    image.save(file, **options)


def table(file, rows, labels, metadata=None, image="image", label="label"):
    file.parent.mkdir(parents=True, exist_ok=True)
    made = pa.table({image: rows, label: labels})
    pq.write_table(made.replace_schema_metadata(metadata) if metadata else made, file)


def colour(size=8, value=7):
    return {"bytes": encoded(np.full((size, size, 3), value, np.uint8)), "path": None}


def gray(size=8):
    return {"bytes": encoded(np.full((size, size), 9, np.uint8)), "path": None}


def refused(pattern, name, directory, **options):
    data.forget()
    with pytest.raises(data.DataError, match=pattern) as error:
        data.load(name, directory, **options)
    assert "\n" not in str(error.value)


# Decoding


@pytest.mark.parametrize("ending", ["png", "tif", "pgm"])
def test_sixteen_bits_are_cut_to_the_upper_eight(tmp_path, ending):
    put(tmp_path / f"images/a/x.{ending}", Image.fromarray(RAMP.astype(np.uint16)))
    read = data.load("folder", tmp_path, size=16).train.inputs[0]
    assert np.array_equal(read[0].numpy(), RAMP.astype(np.uint16) >> 8)


@pytest.mark.parametrize(("kind", "word"), [(np.float32, "floating"), (np.int32, "32 bits")])
def test_numbers_without_a_white_are_refused(tmp_path, kind, word):
    put(tmp_path / "images/a/x.tif", Image.fromarray((RAMP / 65535).astype(kind)))
    refused(rf"a/x\.tif has {word}.*save it with 8 or 16", "folder", tmp_path, size=16)


def test_what_is_transparent_is_white(tmp_path):
    image = Image.new("RGBA", (8, 8), (10, 20, 30, 0))
    image.paste((10, 20, 30, 255), (0, 0, 8, 4))
    put(tmp_path / "images/a/x.png", image)
    read = data.load("folder", tmp_path, size=8).train.inputs[0]
    assert read[:, 0, 0].tolist() == [10, 20, 30]
    assert read[:, 7, 0].tolist() == [255, 255, 255]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_turned_upright(tmp_path, orientation):
    from PIL import ImageOps

    image, exif = Image.fromarray(random_images(1, 6, 10)[0]), Image.Exif()
    exif[0x0112] = orientation
    put(tmp_path / "x.png", image, exif=exif)
    with Image.open(tmp_path / "x.png") as opened:
        expected = np.asarray(ImageOps.exif_transpose(opened))
    assert np.array_equal(np.asarray(decode.rgb(tmp_path / "x.png", "x")), expected)
    assert decode.peek_shape(tmp_path / "x.png", "x")[1:] == expected.shape[:2]


def test_no_other_program_is_started_for_an_image(tmp_path, monkeypatch):
    """Pillow starts Ghostscript for PostScript, which can do whatever a program can."""
    started, program = tmp_path / "started", tmp_path / "bin/gs"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch '{started}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    monkeypatch.setattr("PIL.EpsImagePlugin.gs_binary", None)
    (tmp_path / "images/a").mkdir(parents=True)
    (tmp_path / "images/a/x.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n")
    refused("x.png is not a readable image", "folder", tmp_path, size=8)
    assert not started.exists()


def test_threads_are_those_that_were_given(monkeypatch):
    monkeypatch.delenv(decode.DECODE_THREADS, raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    for given, expected in (("1", 1), ("3", 3), ("64", 8), ("", 8)):
        monkeypatch.setenv("OMP_NUM_THREADS", given)
        assert decode.threads() == expected
    monkeypatch.setenv("FLATSWEEP_WORKERS", "4")  # of --workers: another thing
    assert decode.threads() == 8
    monkeypatch.setenv(decode.DECODE_THREADS, "5")
    assert decode.threads() == 5
    monkeypatch.setenv(decode.DECODE_THREADS, "4:sync")
    with pytest.raises(data.DataError, match="FLATSWEEP_DECODE_THREADS = '4:sync'"):
        decode.threads()


# Folders


def test_every_image_of_a_folder_counts_and_what_is_none_is_said(tmp_path):
    root = tmp_path / "images"
    for name in ("a.gif", "b.jfif", "c.avif", "d.JPEG", "below/e.png", "below/more/f.webp"):
        kind = {"jfif": "JPEG"}.get(name.split(".")[1])
        put(root / "cat" / name, format=kind)
    put(root / "cat" / "bare", format="PNG")
    for name in ("._a.png", "notes.txt", "x.heic", "README"):
        (root / "cat" / name).write_bytes(b"nothing")
    put(root / "__MACOSX" / "cat" / "a.png")
    put(root / "loose.png")
    dataset = data.load("folder", tmp_path, size=8)
    assert (len(dataset.train), dataset.class_names) == (7, ("cat",))
    (note,) = dataset.notes
    for said in ("1 .txt", "1 .heic", "1 without an ending", "2 hidden", "1 files beside"):
        assert said in note
    data.forget()
    assert data.load("folder", tmp_path, size=8).notes == (note,)


def test_val_beside_test_is_held_out_and_alone_is_the_test_set(tmp_path):
    for split, count in (("train", 4), ("val", 2), ("test", 3)):
        write_photographs(tmp_path / "both" / split / "a", count)
        if split != "test":
            write_photographs(tmp_path / "one" / split / "a", count)
    both, one = (data.load("folder", tmp_path, set=name, size=8) for name in ("both", "one"))
    assert (len(both.train), len(both.validation), len(both.test)) == (4, 2, 3)
    assert (len(one.train), one.validation, len(one.test)) == (4, None, 2)


def test_folders_of_splits_that_are_no_classes(tmp_path):
    for split in ("Training", "Testing"):
        write_photographs(tmp_path / "x" / split / "a", 2)
    assert len(data.load("folder", tmp_path, set="x", size=8).test) == 2
    write_photographs(tmp_path / "y" / "test" / "a", 2)
    refused("y has 'test', but no 'train'", "folder", tmp_path, set="y", size=8)
    write_photographs(tmp_path / "x" / "train" / "a", 2)
    refused("x has both 'Training' and 'train'", "folder", tmp_path, set="x", size=16)


@pytest.mark.parametrize("place", ["train/a/x.png", "train/b"])
def test_a_link_leads_to_no_file_outside(tmp_path, place):
    put(tmp_path / "images/train/a/0.png")
    put(tmp_path / "elsewhere/x.png")
    target = tmp_path / "elsewhere" / ("x.png" if place.endswith("png") else "")
    (tmp_path / "images" / place).symlink_to(target)
    refused(f"{place} leads out of", "folder", tmp_path, size=8)


def test_no_link_to_a_folder_below_a_class_is_followed(tmp_path):
    put(tmp_path / "images/a/0.png")
    put(tmp_path / "elsewhere/x.png")
    (tmp_path / "images/a/below").symlink_to(tmp_path / "elsewhere")
    refused("a/below is a link to a folder", "folder", tmp_path, size=8)


def test_a_folder_may_be_a_link_as_a_whole(tmp_path):
    put(tmp_path / "elsewhere/a/0.png")
    (tmp_path / "images").symlink_to(tmp_path / "elsewhere")
    assert len(data.load("folder", tmp_path, size=8).train) == 1


# labels.csv


@pytest.fixture
def graded(tmp_path):
    def write(text, encoding="utf-8"):
        for name in ("a.png", "b.png", "d.JPEG", unicodedata.normalize("NFD", "é.png")):
            put(tmp_path / "retina/images" / name)
        (tmp_path / "retina/labels.csv").write_bytes(text.encode(encoding))
        data.forget()
        return data.load("retina", tmp_path, size=8, num_classes=2)

    return write


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_labels_as_excel_and_windows_write_them(graded, encoding, mark):
    text = "Image, Label\r\nd,0\r\nB.PNG,1\r\né,1\r\n".replace(",", mark)
    read = graded(text, encoding)
    assert read.train.targets.tolist() == [0, 1, 1]
    assert "1 images that labels.csv does not name" in read.notes[0]


@pytest.mark.parametrize(
    ("text", "encoding", "sentence"),
    [
        ("image,label,note\na,0,é\n", "latin-1", r"labels.csv is not UTF-8 text \(line 2\)"),
        ("image,label\n../../x,0\nb,1\n", "utf-8", "names image '../../x', which is not in"),
        ("image,label\n/etc/passwd,0\nb,1\n", "utf-8", "names image '/etc/passwd'"),
        ("image,label\na,0\na,1\n", "utf-8", "lines 2 and 3 of .* two labels"),
        ('image,label\n"a,0\n', "utf-8", "labels.csv cannot be read"),
        ("image,label\na," + "9" * 30 + "\nb,1", "utf-8", "line 2 of .* has label '999"),
    ],
)
def test_tables_of_labels_that_are_refused(graded, text, encoding, sentence):
    with pytest.raises(data.DataError, match=sentence):
        graded(text, encoding)


def test_two_files_of_one_name(graded, tmp_path):
    put(tmp_path / "retina/images/a.jpg")
    with pytest.raises(data.DataError, match=r"names image 'a', which may be a\.jpg and a\.png"):
        graded("image,label\na,0\nb,1\n")


@pytest.mark.parametrize("line", ["../../../secret", "/secret"])
def test_the_lists_of_publishers_lead_nowhere_else(tmp_path, originals, line):
    originals.make("aircraft", tmp_path)
    put(tmp_path / "secret.jpg")
    listed = tmp_path / "fgvc-aircraft-2013b/data/images_variant_train.txt"
    name = f"{tmp_path}/secret" if line == "/secret" else line
    listed.write_text(f"{name} 707-320\n")
    refused("secret.jpg leads out of", "aircraft", tmp_path, size=8)


def test_a_byte_order_mark_in_other_lists(tmp_path, originals):
    originals.make("indoor67", tmp_path)
    listed = tmp_path / "indoorCVPR_09/TrainImages.txt"
    listed.write_text(listed.read_text(), encoding="utf-8-sig")
    assert len(data.load("indoor67", tmp_path, size=8).train) == 8
    originals.make("random_rbf", tmp_path)
    listed = tmp_path / "openml_159/dataset.arff"
    listed.write_text(listed.read_text().split("\n", 3)[3], encoding="utf-8-sig")
    assert data.load("random_rbf", tmp_path).train.inputs.shape == (50, 10)


# Parquet


def test_one_gray_image_makes_no_set_gray(tmp_path):
    table(tmp_path / "t/train.parquet", [gray(), colour(), gray()], [0, 1, 0])
    table(tmp_path / "g/train.parquet", [gray(), gray()], [0, 1])
    assert data.load("parquet", tmp_path, set="t").input_shape == (3, 8, 8)
    assert data.load("parquet", tmp_path, set="g").input_shape == (1, 8, 8)


def test_shards_splits_and_columns_as_data_hubs_have_them(tmp_path):
    features = {"info": {"features": {"label": {"names": ["cat", "dog"]}}}}
    metadata = {"huggingface": json.dumps(features)}
    root = tmp_path / "hub" / "data"
    for part in range(2):
        file = root / f"train-0000{part}-of-00002-abc.parquet"
        table(file, [colour(value=part)] * 3, [part] * 3, metadata)
    table(root / "validation-00000-of-00001.parquet", [colour()], [1], metadata)
    dataset = data.load("parquet", tmp_path, set="hub")
    assert dataset.train.targets.tolist() == [0, 0, 0, 1, 1, 1]
    assert dataset.train.inputs[:, 0, 0, 0].tolist() == [0, 0, 0, 1, 1, 1]
    assert (dataset.class_names, len(dataset.validation), dataset.test) == (("cat", "dog"), 1, None)
    (root / "train-00001-of-00002-abc.parquet").unlink()
    refused("there are 1 where 2 belong together", "parquet", tmp_path, set="hub", size=4)


def test_names_of_classes_pixels_and_columns_of_ones_own(tmp_path):
    pixels = random_images(4, 5, 6)
    file = tmp_path / "t/train.parquet"
    table(file, pixels.tolist(), ["dog", "cat", "cat", "dog"], image="picture", label="kind")
    dataset = data.load("parquet", tmp_path, set="t", images="picture", labels="kind")
    assert dataset.class_names == ("cat", "dog")
    assert dataset.train.targets.tolist() == [1, 0, 0, 1]
    assert np.array_equal(dataset.train.inputs.numpy(), pixels.transpose(0, 3, 1, 2))


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (["/etc/hostname", "x.png"], "column 'image' holds string.*no file is opened"),
        ([{"bytes": None, "path": "/etc/hostname"}] * 2, "row 0 of .* names a file"),
        ([[1, 2, 3], [4, 5, 6]], "row 0 of .* has pixels of shape 3: allowed"),
        ([[[0, 256]], [[0, 1]]], "row 0 of .* has a pixel outside 0 to 255"),
        ([[[0, 2], [1]], [[0, 1]]], "row 0 of .* has pixels of shape 0"),
    ],
)
def test_columns_that_hold_no_images(tmp_path, rows, sentence):
    if isinstance(rows[0], dict):
        rows = pa.array(rows, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    table(tmp_path / "t/train.parquet", rows, [0, 1])
    refused(sentence, "parquet", tmp_path, set="t")


def test_two_columns_of_one_name(tmp_path):
    (tmp_path / "t").mkdir()
    columns = [pa.array([colour()] * 2), pa.array([0, 1]), pa.array([1, 0])]
    pq.write_table(pa.table(columns, ["image", "label", "label"]), tmp_path / "t/train.parquet")
    refused(r"train\.parquet has two columns 'label': rename one", "parquet", tmp_path, set="t")


@pytest.mark.slow
def test_more_than_two_gibibytes_of_images(tmp_path):
    """In one row group, whose bytes no Arrow array holds; zeros after a PNG are no part of it."""
    padded = colour()["bytes"] + bytes(2**20)
    schema = pa.schema([("image", pa.struct([("bytes", pa.binary())])), ("label", pa.int64())])
    (tmp_path / "t").mkdir()
    rows = {"image": [{"bytes": padded}] * 64, "label": [0, 1] * 32}
    batches = [pa.record_batch(rows, schema)] * 33
    written = pa.Table.from_batches(batches)
    pq.write_table(written, tmp_path / "t/train.parquet", row_group_size=33 * 64)
    assert pq.ParquetFile(tmp_path / "t/train.parquet").num_row_groups == 1
    assert len(data.load("parquet", tmp_path, set="t").train) == 33 * 64


# Arrays


def test_features_and_images_in_arrays(tmp_path, originals):
    originals.make("arrays", tmp_path)
    images, features = data.load("arrays", tmp_path), data.load("arrays", tmp_path, set="features")
    assert (images.input_shape, len(images.train), len(images.test)) == ((3, 8, 9), 20, 10)
    stored = np.load(tmp_path / "arrays.npz")["x_train"].transpose(0, 3, 1, 2)
    assert np.array_equal(images.train.inputs.numpy(), stored)
    assert (features.input_shape, features.standardize, features.test) == ((5,), True, None)
    assert features.fingerprint


def test_arrays_may_have_channels_first(tmp_path):
    images = random_images(4, 5, 6).transpose(0, 3, 1, 2)
    np.savez(tmp_path / "arrays.npz", x=images, y=np.array([0, 1, 0, 1]))
    assert np.array_equal(data.load("arrays", tmp_path).train.inputs.numpy(), images)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"x": np.zeros((2, 3))}, "no arrays called labels"),
        ({"x": np.zeros((2, 3)), "y": np.array([0, 1, 1])}, "N inputs and N labels"),
        (
            {"x": np.full((2, 3), np.nan), "y": np.array([0, 1])},
            "row 0 of train of 'arrays' has no finite number in column 0",
        ),
        ({"x": np.zeros((2, 3, 3)), "y": np.array([0, 1])}, "save them as uint8"),
        ({"x": np.zeros((2, 3)), "y": np.array([0, 9])}, "up to 9 in 2 rows"),
        ({"x": np.array([{}, {}]), "y": np.array([0, 1])}, "cannot be read as arrays"),
    ],
)
def test_arrays_that_are_refused(tmp_path, arrays, sentence):
    np.savez(tmp_path / "arrays.npz", **arrays)
    refused(sentence, "arrays", tmp_path)


# Prepared copies


def test_two_sets_never_share_a_prepared_copy(tmp_path):
    table(tmp_path / "tiny-8/train.parquet", [colour(8)] * 6, [0, 1] * 3)
    table(tmp_path / "tiny/train.parquet", [colour(16)] * 4, [0, 1, 2, 3])
    first = data.load("parquet", tmp_path, set="tiny-8")
    second = data.load("parquet", tmp_path, set="tiny", size=8)
    assert (len(first.train), len(second.train), second.num_classes) == (6, 4, 4)


CHANGED = {
    "folder": lambda root: write_photographs(root / "images/train/eel", 2),
    "parquet": lambda root: table(
        root / "cifar10/train.parquet", [colour(32)] * 50, [*range(10)] * 5
    ),
    "retina": lambda root: (root / "retina/labels.csv").write_text(
        "image,label\n" + "".join(f"{i:03d},{(i + 1) % 5}\n" for i in range(25))
    ),
    "aircraft": lambda root: write_photographs(root / "fgvc-aircraft-2013b/data/images", 9, 5),
    "caltech256": lambda root: write_photographs(
        root / "caltech256/256_ObjectCategories/003.bat", 71
    ),
    "indoor67": lambda root: (root / "indoorCVPR_09/TrainImages.txt").write_text(
        "airport_inside/001.jpg\nbakery/001.jpg\n"
    ),
    "arrays": lambda root: np.savez(
        root / "arrays.npz", x=random_images(4, 8, 9), y=np.array([0, 1, 0, 1])
    ),
}


@pytest.mark.parametrize("name", sorted(CHANGED))
def test_changed_originals_are_noticed(tmp_path, originals, small, name):
    options = small.get(name, {})
    originals.make(name, tmp_path)
    before = data.load(name, tmp_path, **options)
    data.forget()
    assert data.load(name, tmp_path, **options).notes == before.notes
    CHANGED[name](tmp_path)
    data.forget()
    after = data.load(name, tmp_path, **options)
    assert after.fingerprint != before.fingerprint
    assert "was prepared anew" in after.notes[-1]


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "mnist", "svhn"])
def test_a_publishers_file_that_changed_is_named_with_the_way_out(tmp_path, originals, name):
    originals.make(name, tmp_path)
    data.load(name, tmp_path)
    file = next(
        p for p in sorted(tmp_path.rglob("t*")) if p.is_file() and "prepared" not in p.parts
    )
    file.write_bytes(file.read_bytes()[:-1])
    refused(
        rf"{file.name}.*since '{name}' was prepared, 1 of its files was changed", name, tmp_path
    )


def test_a_copy_of_the_directory_is_not_prepared_anew(tmp_path, originals, monkeypatch):
    """Times differ then, and content does not; the new times are noted."""
    originals.make("parquet", tmp_path)
    data.load("parquet", tmp_path)
    file = tmp_path / "cifar10/train.parquet"
    os.utime(file, ns=(1, 1))
    monkeypatch.setattr(store, "prepare", None)
    data.forget()
    data.load("parquet", tmp_path)
    noted = manifest.read_manifest(prepared_folder(tmp_path, "parquet", set="cifar10"))
    assert noted["originals"]["cifar10/train.parquet"]["mtime_ns"] == 1


def test_another_content_of_the_same_size_is_noticed(tmp_path, originals):
    originals.make("arrays", tmp_path)
    before = data.load("arrays", tmp_path)
    file = tmp_path / "arrays.npz"
    size = file.stat().st_size
    arrays = dict(np.load(file))
    np.savez(file, **{**arrays, "x_train": 255 - arrays["x_train"]})
    assert file.stat().st_size == size
    data.forget()
    after = data.load("arrays", tmp_path)
    assert after.fingerprint != before.fingerprint
    assert "1 of its files was changed (arrays.npz)" in after.notes[-1]


def test_a_prepared_copy_under_the_name_of_another_is_noticed(tmp_path, originals):
    """Whole, and of another data set."""
    originals.make("parquet", tmp_path)
    data.load("parquet", tmp_path)
    here = prepared_folder(tmp_path, "parquet", set="cifar10")
    here.rename(prepared_folder(tmp_path, "parquet", set="other"))
    refused("manifest.json is damaged .it is of 'parquet' with", "parquet", tmp_path, set="other")


def test_a_prepared_copy_is_verified_before_it_is_used_once_in_a_process(
    tmp_path, originals, monkeypatch
):
    originals.make("parquet", tmp_path)
    data.load("parquet", tmp_path)
    checked, check = [], manifest._check
    monkeypatch.setattr(manifest, "_check", lambda file, sha: checked.append(check(file, sha)))
    data.forget()
    data.load("parquet", tmp_path)
    assert checked == []
    file = prepared_folder(tmp_path, "parquet", set="cifar10") / "test.inputs.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    refused(r"test\.inputs\.npy is damaged \(its checksum does not match\)", "parquet", tmp_path)


@pytest.mark.parametrize("key", ["mean", "class_names", "splits", "originals", "name", "options"])
def test_a_tampered_manifest_is_noticed(tmp_path, originals, key):
    originals.make("parquet", tmp_path)
    data.load("parquet", tmp_path)
    file = prepared_folder(tmp_path, "parquet", set="cifar10") / "manifest.json"
    changed = json.loads(file.read_text())
    changed[key] = [] if key != "name" else "folder"
    file.write_text(json.dumps(changed))
    refused("manifest.json is damaged", "parquet", tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *((key, None) for key in ("name", "source", "options", "splits", "files", "notes")),
        *((key, 1) for key in ("class_names", "mean", "std", "originals")),
        *(("files", {}), ("files", {"train.inputs.npy": 1}), ("mean", ["x"]), ("splits", {})),
        *(("originals", {"cifar10/train.parquet": {"bytes": 1}}), ("class_names", [1])),
        *(("files", {"train.inputs.npy": {"bytes": "1", "sha256": ""}}), ("splits", {"x": [1]})),
    ],
)
def test_a_manifest_of_another_form_is_noticed(tmp_path, originals, key, value):
    """Its checksum is right: other code wrote it."""
    originals.make("parquet", tmp_path)
    data.load("parquet", tmp_path)
    folder = prepared_folder(tmp_path, "parquet", set="cifar10")
    content = manifest.read_manifest(folder)
    manifest.write_manifest(folder, content | {key: value})
    refused("manifest.json is damaged", "parquet", tmp_path)
