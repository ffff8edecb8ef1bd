"""Photographs with captions, from folders or from Parquet files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from trainables.data.augment.resized_crop import center_box
from trainables.data.base import (
    About,
    DataError,
    Dataset,
    Images,
    MissingDataError,
    about,
    registry,
)
from trainables.data.prepare import decode, originals, shards
from trainables.data.prepare.store import Raw, RawSplit, is_prepared, prepared, prepared_folder
from trainables.data.sets.captioned_digits import numbered
from trainables.data.sets.options import SetName
from trainables.data.sets.parquet import ColumnName
from trainables.data.stream import ImageFiles
from trainables.data.text import rows, tokenizers
from trainables.data.text.tokenizers import TokenizerName
from trainables.registry import Count

NAME = "conceptual_captions"

about[NAME] = About(
    "Conceptual Captions: 3.3 million + 15,840 photographs with captions; or other such pairs",
    "put photographs in conceptual_captions/train/ and conceptual_captions/validation/ of the data "
    "directory, each with its caption beside it in a file of the same name that ends in .txt (as "
    "img2dataset writes them), or Parquet files with columns image and caption as "
    "conceptual_captions/train.parquet and validation.parquet",
    (NAME,),
    files=lambda directory, **of: (
        file for files in shards.find(directory / of["set"]).values() for file in files
    ),
)

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
"""Mean and standard deviation per channel by which CLIP normalizes (Radford et al. 2021, code)."""


class Captioned(NamedTuple):
    """A split: images as a data set has them, and the caption of each."""

    images: Any
    captions: Sequence[str]


@registry.register(NAME, inputs="pairs", losses=("contrastive",))
def conceptual_captions(
    *,
    directory: Path,
    set: SetName = NAME,  # noqa: A002
    size: Count = 224,
    tokenizer: TokenizerName = "words",
    length: Count = 77,
    images: ColumnName | None = None,
    captions: ColumnName = "caption",
) -> Dataset:
    """Pairs of a photograph and its caption (Sharma et al. 2018), which are to be found by each
    other. The validation pairs are the test set where there is no other (NSO, table 5).

    ``<set>/train/**/NAME.jpg`` with ``NAME.txt`` beside it is streamed: photographs are decoded
    while training. ``<set>/train.parquet``, or parts of it, is decoded once and kept beside the
    originals, 150 kB for a pair at 224 x 224 pixels. Of a photograph the central square of 224/256
    of its short side is taken, resized, stored as uint8 and normalized as CLIP does.

    Args:
        directory: The data directory.
        set: Folder name.
        size: Edge of the images in pixels (NSO's code: 224).
        tokenizer: See `trainables.data.text.tokenizers`. ``words`` knows those of the training
            captions; CLIP's own 49,408 tokens are those of its published ``tokenizer.json``.
        length: What a caption has beyond so many tokens is cut off (CLIP: 77).
        images, captions: Columns of Parquet files; None: the first of `shards.IMAGES` that is
            there.

    Raises:
        DataError: files are missing or damaged, or an image has no caption.
    """
    where = directory / set
    decides = {"set": set, "size": size, "images": images, "captions": captions}
    if _photographs(where):
        skipped = originals.Skipped(where)
        parts = _read_folder(where, size, skipped)
        fingerprint, notes = "", skipped.notes()
    elif is_prepared(prepared_folder(directory, NAME, **decides)) or _parquet(where):
        found = prepared(
            directory, NAME, lambda: _read_parquet(where, size, images, captions), **decides
        )
        parts = _prepared_parts(found)
        fingerprint, notes = found.fingerprint, found.notes
    else:
        raise MissingDataError(
            f"no photographs in {where / 'train'} and no {where / 'train.parquet'}: "
            f"{about[NAME].get}"
        )
    if "test" not in parts and "validation" in parts:
        parts["test"] = parts.pop("validation")
    known = tokenizers.tokenizer(tokenizer, directory, parts["train"].captions)
    everything = [text for part in parts.values() for text in part.captions]
    texts, numbers = rows.captions(known, everything, length), numbered(everything)
    splits, until = {}, 0
    for split, part in parts.items():
        here = slice(until, until := until + len(part.captions))
        base = {"image": part.images, **{name: text[here] for name, text in texts.items()}}
        splits[split] = Images(base, numbers[here])
    return Dataset(
        name=NAME,
        train=splits["train"],
        validation=splits.get("validation"),
        test=splits.get("test"),
        num_classes=0,
        mean=CLIP_MEAN,
        std=CLIP_STD,
        source=f"{set} ({size}x{size})",
        fingerprint=fingerprint,
        notes=notes,
        spec={
            "channels": 3,
            "size": size,
            "vocabulary": known.vocabulary,
            "length": texts["tokens"].shape[1],
        },
    )


def _photographs(where: Path) -> bool:
    """Whether the folder of training pairs has an image in it, or in a folder below.

    img2dataset puts tables of what it has fetched beside its folders, which are Parquet, too.
    """
    found = _folders(where).get("train")
    return found is not None and any(
        path.suffix.lower() in originals.SUFFIXES for path in (where / found).rglob("*")
    )


def _folders(where: Path) -> dict[str, str]:
    """By split, the name of its folder; none where there are no training pairs."""
    shown = [path.name for path in where.iterdir() if path.is_dir()] if where.is_dir() else []
    return originals.by_split(shown, where)


def _parquet(where: Path) -> bool:
    """Whether there are Parquet files of training pairs."""
    try:
        return bool(shards.find(where))
    except MissingDataError:
        return False


def _read_parquet(where: Path, size: int, images: str | None, captions: str) -> Raw:
    """Each caption is a class: so a prepared set keeps them, each once."""
    columns = shards.Columns(images, captions)
    splits = {split: shards.read(files, columns) for split, files in shards.find(where).items()}
    for part in splits.values():
        if part.labels.dtype != object:
            raise DataError(
                f"{part.name}: column {captions!r} holds numbers: name that of the captions"
            )
    numbers = numbered([text for part in splits.values() for text in part.labels])
    texts: dict[int, str] = {}
    parts, until = {}, 0
    for split, part in splits.items():
        targets = numbers[until : (until := until + len(part.labels))]
        texts |= dict(zip(targets.tolist(), part.labels, strict=True))
        shape = (3, size, size)
        chunks = decode.decode_images(part.images(), part.describe, shape, _central_square(size))
        parts[split] = RawSplit((len(targets), *shape), targets.numpy(), chunks)
    return Raw(parts, tuple(texts[number] for number in range(len(texts))), f"{where.name}")


def _central_square(size: int) -> Callable[[Any], Any]:
    """What `ImageFiles` makes of an image that no augmentation crops."""
    from torchvision.transforms.v2 import functional

    return lambda image: functional.resized_crop(
        image, *center_box(image.height, image.width), [size, size]
    )


def _prepared_parts(found: Dataset) -> dict[str, Captioned]:
    splits: Mapping[str, Images | None] = {
        "train": found.train,
        "validation": found.validation,
        "test": found.test,
    }
    return {
        split: Captioned(part.base, [found.class_names[number] for number in part.targets.tolist()])
        for split, part in splits.items()
        if part is not None
    }


def _read_folder(where: Path, size: int, skipped: originals.Skipped) -> dict[str, Captioned]:
    parts = {}
    for split, folder in _folders(where).items():
        files = originals.image_files(where / folder, skipped)
        names = [str(file.relative_to(where)) for file in files]
        parts[split] = Captioned(ImageFiles(where, names, size), [_caption(file) for file in files])
    for beside in (".txt", ".json", ".parquet"):  # captions, and what img2dataset notes
        del skipped.kinds[beside]
    return parts


def _caption(image: Path) -> str:
    file = image.with_suffix(".txt")
    if not file.is_file():
        raise DataError(f"{image} has no caption: put it in {file}, or remove the image")
    return " ".join(originals.read_text(file).split())


__all__ = ["CLIP_MEAN", "CLIP_STD", "conceptual_captions"]
