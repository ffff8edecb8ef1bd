"""Pretrained weights from a file the user names. Nothing here reaches for the network.

The file lies in $FLATSWEEP_WEIGHTS, or in ``weights`` under the data directory
($FLATSWEEP_DATA, ~/.cache/flatsweep/data). A configuration holds its name and,
there or in the name, digits of its SHA-256: they are part of the trial's
identity, the folder is not.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from trainables.data_folder import data_directory
from trainables.errors import UsageError, reason
from trainables.needs import Needs

NAMED_FILE = Needs("weights, the name of a file", lambda o: o.weights is not None)

_DIGEST_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.[^.]+$")


def weights_directory() -> Path:
    """The folder in which files of weights are looked for."""
    if named := os.environ.get("FLATSWEEP_WEIGHTS"):
        return Path(named).expanduser()
    return data_directory() / "weights"


def load_weights(
    model: nn.Module, name: str, sha256: str | None = None, new: Collection[str] = ()
) -> None:
    """Copy the state dict in file ``name`` into ``model``, all entries but those in ``new``.

    Args:
        sha256: The file's SHA-256 or at least its first 8 digits; None when the name carries
            them (``resnet34-b627a593.pth``).
        new: Entries that keep their initial values.

    Raises:
        ValueError: when ``name`` is not a plain file name, no digest is known, the file is
            missing or another one, or its entries are not ``model``'s.
    """
    path = _checked_file(name, sha256)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise UsageError(
            f"weights = {name!r}: {path} is no file of tensors: {reason(error)}"
        ) from None
    if not isinstance(state, dict):
        raise UsageError(
            f"weights = {name!r}: {path} holds a {type(state).__name__}, no state dict"
        )
    wanted = {key: value for key, value in model.state_dict().items() if key not in new}
    found = {key: value for key, value in state.items() if key not in new}
    if differ := sorted(wanted.keys() ^ found.keys(), key=str):  # a file's may be numbers
        where = "only the network" if differ[0] in wanted else "only the file"
        raise UsageError(f"weights = {name!r}: {path} does not fit: {where} has {differ[0]!r}")
    for key, value in wanted.items():
        if not isinstance(found[key], Tensor):
            raise UsageError(
                f"weights = {name!r}: {path} does not fit: {key!r} is no tensor there but of type "
                f"{type(found[key]).__name__}"
            )
        if value.shape != found[key].shape:
            raise UsageError(
                f"weights = {name!r}: {path} does not fit: {key!r} has shape "
                f"{tuple(found[key].shape)} there and {tuple(value.shape)} here"
            )
    try:
        model.load_state_dict(found, strict=False)
    except RuntimeError as error:  # sparse or quantized ones
        raise UsageError(f"weights = {name!r}: {path} does not fit: {reason(error)}") from None


def _checked_file(name: str, sha256: str | None) -> Path:
    if Path(name).name != name:
        raise UsageError(
            f"weights = {name!r} must be a file's name without its folder; "
            "name the folder in $FLATSWEEP_WEIGHTS"
        )
    path = weights_directory() / name
    if not path.is_file():
        raise UsageError(
            f"weights = {name!r}: there is no {path}; put the file there, "
            "or name its folder in $FLATSWEEP_WEIGHTS"
        )
    _check_digest(path, name, sha256)
    return path


def checked_folder(name: str, sha256: str | None, files: Sequence[str]) -> Path:
    """Folder ``name`` of a published network, with the first of ``files`` that is there.

    Args:
        sha256: That file's SHA-256 or at least its first 8 digits.
        files: Names that a file of all weights has.

    Raises:
        ValueError: when ``name`` is not a plain name, there is no such file, or another one.
    """
    if Path(name).name != name:
        raise UsageError(
            f"weights = {name!r} must be a folder's name without what is above it; "
            "name that in $FLATSWEEP_WEIGHTS"
        )
    folder = weights_directory() / name
    there = [folder / file for file in files if (folder / file).is_file()]
    if not there:
        raise UsageError(
            f"weights = {name!r}: there is no {folder / files[0]}; put the files of the published "
            "network there, or name the folder above it in $FLATSWEEP_WEIGHTS"
        )
    _check_digest(there[0], name, sha256)
    return folder


def _check_digest(path: Path, name: str, sha256: str | None) -> None:
    """Raise UsageError unless the file's SHA-256 begins as ``sha256`` and its name say."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    in_name = _DIGEST_IN_NAME.search(name)
    known = [part.lower() for part in (sha256, in_name and in_name[1]) if part]
    if not known or len(known[0]) < 8:
        raise UsageError(
            f"weights = {name!r} needs weights_sha256 of 8 digits or more; this file's is {digest}"
        )
    for part in known:
        if not digest.startswith(part):
            raise UsageError(
                f"weights = {name!r}: {path} has SHA-256 {digest}, which does not begin with {part}"
            )
