"""Checks on class labels."""

from __future__ import annotations

import numpy as np

from trainables.data.base import DataError


def checked_labels(
    labels: np.ndarray, classes: int, where: str, every_class: bool = True
) -> np.ndarray:
    """``labels``, after the check that each is in 0..classes-1 and (``every_class``) each occurs.

    Args:
        where: What the labels are of, for the message.

    Raises:
        DataError: naming the first row with a label outside the range, or the empty class.
    """
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if outside.size:
        row = int(outside[0])
        raise DataError(
            f"row {row} of {where} has label {int(labels[row])}, allowed are 0 to {classes - 1}: "
            "correct the labels, or fetch the file again"
        )
    if every_class:
        missing = np.flatnonzero(np.bincount(labels, minlength=classes) == 0)
        if missing.size:
            raise DataError(
                f"class {int(missing[0])} of {where} has no image (classes are 0 to "
                f"{classes - 1}): add some, or number the classes without gaps"
            )
    return labels
