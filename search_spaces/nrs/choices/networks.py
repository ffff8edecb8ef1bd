"""NRS's networks on CIFAR: what the text leaves open of them, and how else they can be."""

from __future__ import annotations

from search_spaces.nrs.choices.method import GNP
from search_spaces.nrs.protocol import VIT
from search_spaces.spec import Choice, Override, Reading

VGG = Choice(
    "VGG16 with BatchNorm or without",
    "with",
    "accuracies fit VGG16-BN; footnote 1 speaks for the original",
    field="model",
    name="vgg",
    default="batchnorm",
    others={
        "plain": Reading(
            "without",
            (
                Override({"model": "VGG16"}, {"model.batchnorm": False}),
                Override({"model": "VGG16", "method": "Baseline"}, {"batchnorm_parts": 1}),
            ),
        )
    },
    source="section 4, footnote 1",
    text="plain",
)
VGG_DROPOUT = Choice(
    "dropout in VGG16",
    "0.5 after either hidden layer of its head",
    "section 4 names it; 0.5 is the original's, and GNP's",
    field="model.dropout",
    name="vgg-dropout",
    default="0.5",
    source="section 4",
    single="no other rate is hinted at",
)
MASKS = Choice(
    "dropout masks in NRS's two passes",
    "the same",
    f"{GNP}; with others the KL term penalizes dropout's noise at delta = 0 too",
    field="method.dropout",
    name="masks",
    default="same",
    others={
        "independent": Reading(
            "drawn anew in the second pass",
            tuple(
                Override({"method": "NRS", "model": model}, {"method.dropout": "independent"})
                for model in ("VGG16", VIT)
            ),
        )
    },
    source="not stated",
)
STEM = Choice(
    "stem and biases of ResNet18",
    "3x3 of 64 channels with BatchNorm and ReLU, no pooling; no biases",
    "the usual one for images of 32x32; the paper shows none",
    field="model",
    name="resnet-stem",
    default="usual",
    others={
        "gnp": Reading(
            "16 channels, no ReLU, biases in the blocks' convolutions: GNP's",
            (
                Override(
                    {"model": "ResNet18"},
                    {
                        "model.stem_width": 16,
                        "model.stem_relu": False,
                        "model.conv_bias": True,
                    },
                ),
            ),
        )
    },
    source="section 4, footnote 1",
)
WRN_BLOCKS = Choice(
    "shortcuts of WideResNet-28-10",
    "1x1 convolutions where the shape changes",
    "the original's (footnote 1)",
    field="model",
    name="wrn-shortcut",
    default="original",
    others={
        "gnp": Reading(
            "means and channels of zeros, which start after the first block's activation: GNP's",
            (
                Override(
                    {"model": "WideResNet-28-10"},
                    {"model.shortcut": "zero_pad", "model.shared_activation": "first"},
                ),
            ),
        )
    },
    source="section 4, footnote 1",
    text="original",
)
PYRAMID = Choice(
    "widening factor of PyramidNet-164",
    "270",
    "AMP's PyramidNet-164-270 has the same accuracy without regularisation; GNP has both",
    field="model.alpha",
    name="pyramidnet",
    default="270",
    others={"48": Reading("48", (Override({"model": "PyramidNet-164"}, {"model.alpha": 48}),))},
    source="not stated",
)
VIT_DROPOUT = Choice(
    "dropout in ViT-B16",
    "0.1, in attention too",
    GNP,
    field="model",
    name="vit-dropout",
    default="0.1",
    others={
        "none": Reading(
            "none",
            (Override({"model": VIT}, {"model.dropout": 0.0, "model.attention_dropout": 0.0}),),
        )
    },
    source="not stated",
)
ADAM = Choice(
    "'Adam' with weight decay 0.3",
    "AdamW",
    "0.3 in the gradient would not train; GNP's is decoupled",
    field="optimizer.name",
    name="adam",
    default="decoupled",
    others={
        "coupled": Reading(
            "Adam, the decay in the gradient",
            (Override({"model": VIT}, {"optimizer.name": "adam"}),),
        )
    },
    source="section 4",
    text="coupled",
)
VIT_SCHEDULE = Choice(
    "epochs, learning rate over time and clipping of ViT-B16",
    "300, cosine, global norm 1",
    f"{GNP}; the text states a schedule for the others alone",
    field="schedule.name",
    name="vit-schedule",
    default="gnp",
    source="section 4",
    single="no other is hinted at; clipping can be left away",
)
ALL = (
    VGG,
    VGG_DROPOUT,
    MASKS,
    STEM,
    WRN_BLOCKS,
    PYRAMID,
    VIT_DROPOUT,
    ADAM,
    VIT_SCHEDULE,
)
