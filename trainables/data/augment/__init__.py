"""Augmentations by name; a new one is a new file in this folder."""

from trainables.data.augment.moves import (
    Augmentation,
    Cutout,
    Drawn,
    Flip,
    Move,
    Moves,
    PadCrop,
    build,
    fuse,
    names,
    registry,
)
from trainables.registry import import_all

import_all(__name__)

__all__ = [
    "Augmentation",
    "Cutout",
    "Drawn",
    "Flip",
    "Move",
    "Moves",
    "PadCrop",
    "build",
    "fuse",
    "names",
    "registry",
]
