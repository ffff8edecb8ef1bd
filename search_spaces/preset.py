"""What a preset is: the rules by which an artifact shrinks. `search_spaces.presets` has all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Literal

Fields = Mapping[str, Any]


class Keep(Enum):
    """The type of `KEEP`."""

    KEEP = "as the artifact gives it"


KEEP: Final = Keep.KEEP
"""In a substitution: the field, or this value of it, stays as the artifact gives it."""

OTHERWISE: Final = "*"
"""In a mapping: every value, axis or measure that has no entry of its own."""

Substitution = Mapping[Any, Any] | Literal[Keep.KEEP]


@dataclass(frozen=True)
class Preset:
    """How an artifact shrinks to the hardware at hand.

    An artifact gives fields of its trials (in its base, its cells and its stages) and lists of
    values for others (in the grids of its stages). `search_spaces.presets.apply` changes them so:

    1. A field that the artifact gives and that has an entry in ``substitute`` becomes what the
       entry has for its value; a part goes by its name. What has no entry stays.
    2. When a part is replaced so, its options are dropped, because they are another part's. An
       option that has an entry in ``substitute`` itself (``model.dropout``) is given to the new
       part, by rule 1.
    3. Every other field that has an entry in ``fields`` becomes that, given by the artifact or not;
       what the artifact gives of an option below it (``data.augmentation.cutout.size``) is dropped.
    4. An axis of a grid whose field has an entry in ``fields`` is taken out of the grid, and so is
       the field out of settings that are tried together. Of every other axis, as many values are
       left as ``axes`` has for it: the first, the last and evenly between; of one, the middle one.
       What has no entry stays whole.
    5. A stage has at most ``seeds`` seeds.
    6. A measure gets the options that ``measures`` has for it. ``samples`` and ``at`` are its own;
       ``samples`` is never raised.

    In ``axes``, ``measures`` and each entry of ``substitute``, `OTHERWISE` is what holds for all
    that is not named. `KEEP`, in place of an entry of ``substitute`` or of a value in it, leaves
    what the artifact gives. So with

        Preset(
            "tiny", "two networks of 16 units",
            fields={"epochs": 4},
            substitute={
                "model": {"cnn": "cnn_tiny", OTHERWISE: "mlp_tiny"},
                "model.dropout": KEEP,
                "data.validation": {0: KEEP, OTHERWISE: 100},
            },
            axes={OTHERWISE: 2, "batch_size": 1},
        )

    a cell of ``{"name": "vgg16", "dropout": 0.1, "hidden": (512,)}`` runs ``{"name": "mlp_tiny",
    "dropout": 0.1}`` for 4 epochs, holds 100 images out if the paper holds out any, and tries two
    learning rates and one batch size.

    Attributes:
        name, summary: As shown in a table's header.
        comparable: Whether measured numbers may be compared with printed ones.
        fields: Dotted field of a trial -> its value.
        substitute: Dotted field -> its old value, or the name of a part -> the new one.
        axes: Dotted field of a grid's axis -> how many of its values are left.
        seeds: Most seeds of a stage; None: as many as the artifact has.
        measures: Name of a measure -> options.
        train_samples: Final training errors and losses are of at most so many images; None: of
            all.
    """

    name: str
    summary: str
    comparable: bool = False
    fields: Fields = field(default_factory=dict)
    substitute: Mapping[str, Substitution] = field(default_factory=dict)
    axes: Mapping[str, int] = field(default_factory=dict)
    seeds: int | None = None
    measures: Mapping[str, Fields] = field(default_factory=dict)
    train_samples: int | None = None


__all__ = ["KEEP", "OTHERWISE", "Fields", "Keep", "Preset", "Substitution"]
