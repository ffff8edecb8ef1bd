"""InfoMCR's networks and their training: what is open, and how else they can be."""

from __future__ import annotations

from typing import Any

from search_spaces.choice import everywhere, on
from search_spaces.infomcr.choices.method import LOST
from search_spaces.infomcr.protocol import CROP_FLIP, PHASES
from search_spaces.spec import Choice, Override, Reading


def _wrn_28_2(what: str, fields: dict[str, Any]) -> Reading:
    """A reading of WRN-28-2 and its training; in the ablation of phases it is every cell's."""
    ablated = on("phases", ("000", *PHASES), **fields)
    return Reading(what, (*on("model", ("WRN-28-2",), **fields), *ablated))


DECAY = Choice(
    "weight decay",
    "each network's own paper's, on all weights",
    "'identical to those in their original paper' (section 7.2); the code's covers some alone",
    field="optimizer.weight_decay",
    name="weight-decay",
    default="paper",
    others={
        "code": _wrn_28_2(
            "1e-3 of WRN-28-2, which is what keras calls 5e-4, on all weights (the code: on block"
            " convolutions and BatchNorm)",
            {"optimizer.weight_decay": 1e-3},
        ),
        "weights": Reading(
            "the same, but not of BatchNorm and biases",
            everywhere(optimizer__decay="weights"),
        ),
    },
    source="section 7.2; code",
    text="paper",
    code="code",
)
CROP = Choice(
    "crop",
    "one per image, padded with black",
    "the code's, one per batch, looks like a slip",
    field="data.augmentation",
    name="crop",
    default="image",
    others={
        "batch": Reading(
            "one per batch, padded with the mean colour",
            (
                Override(
                    {},
                    {
                        "data.augmentation": (
                            {"name": "pad_crop", "padding": 4, "fill": "mean", "shared": True},
                            *CROP_FLIP[1:],
                        )
                    },
                ),
            ),
        )
    },
    source="code, tf.image.random_crop of a batch",
    code="batch",
)
BLOCKS = Choice(
    "where shortcuts of WRN-28-2 start",
    "before BatchNorm and ReLU",
    "the code's",
    field="model.shared_activation",
    name="wrn-shortcut",
    default="input",
    others={
        "activation": _wrn_28_2(
            "after them, where the shape changes: the original's",
            {"model.shared_activation": "reshape"},
        )
    },
    source="code",
    code="input",
)
DROPOUT = Choice(
    "dropout in WRN-28-2 and DenseNet-k12",
    "none",
    "the code has none; their papers have variants of either kind",
    field="model.dropout",
    name="dropout",
    default="none",
    others={
        "originals": Reading(
            "0.3 and 0.2, their papers' variants",
            (
                *_wrn_28_2("", {"model.dropout": 0.3}).overrides,
                Override({"model": "DenseNet-k12"}, {"model.dropout": 0.2}),
            ),
        )
    },
    source=f"not stated; {LOST}",
    code="none",
)
WRN_DROPOUT = Choice(
    "dropout in WRN-28-2",
    DROPOUT.interpretation,
    DROPOUT.why,
    field=DROPOUT.field,
    name=DROPOUT.name,
    default=DROPOUT.default,
    others=DROPOUT.others,
    source=DROPOUT.source,
    code=DROPOUT.code,
)
DEPTH = Choice(
    "depth of DenseNet-BC-k12",
    "100",
    "the only such net in its paper",
    field="model",
    name="densenet-depth",
    default="100",
    source="section 7.2; Huang et al. 2017",
    single="no other is in its paper",
)
CNN = Choice(
    "plain CNN",
    "a stand-in: conv-BN-ReLU twice each at widths 64, 128, 256; trained as WRN",
    f"its architecture and training are in {LOST}",
    field="model",
    name="cnn",
    default="stand_in",
    source=LOST,
    single="nothing is known of it but that it has no shortcuts",
)
TRAINING = (DECAY, CROP)
WRN = (*TRAINING, BLOCKS, WRN_DROPOUT)
ALL = (DEPTH, *TRAINING, BLOCKS, DROPOUT)
