"""What InfoMCR's text leaves open, or its authors' code does otherwise, and how else it can be.

Here: which choices each table has, and those that are one table's alone. Sections are the paper's;
"code" is the authors' (github.com/SeanJia/InfoMCR), of WRN-28-2 on CIFAR-10 alone. Appendices D
and E, with the exact settings, are not available.
"""

from __future__ import annotations

from search_spaces.choice import everywhere
from search_spaces.infomcr.choices import method, metrics, networks
from search_spaces.infomcr.protocol import CODE_BETA
from search_spaces.spec import Choice, Override, Reading

TABLE1 = (*method.CIFAR, *networks.ALL, networks.CNN)

TABLE3 = (
    *method.CIFAR,
    *networks.ALL,
    *metrics.GAMMA,
    Choice(
        "scale of gamma-hat",
        "ln det of Equation 6",
        "the code returns half of it",
        field="measure.half",
        name="scale",
        default="ln_det",
        others={
            "half": Reading(
                "the sum of ln s_k(J)",
                measures={"fisher_log_det": {"half": True}},
            )
        },
        source="Equation 6; code",
        text="ln_det",
        code="half",
    ),
    Choice(
        "'normalize and scale the softmax output'",
        "logits to a norm of 25",
        "the code's; a softmax's own scale is fixed",
        field="measure.logit_scale",
        name="normalization",
        default="logits",
        others={
            "none": Reading(
                "nothing is rescaled, as in the figures",
                measures={"fisher_log_det": {"logit_scale": None}},
            )
        },
        source="section 7.2.3; code",
        code="logits",
    ),
)

# -- ImageNet ------------------------------------------------------------------------------------

STEM = Choice(
    "stem of WRN-18-1.5",
    "ImageNet's, of 64 channels; blocks activate after the sum",
    "only the blocks of the net that it widens are said to be wider",
    field="model.stem_width",
    name="stem",
    default="64",
    others={"96": Reading("1.5 times as wide too", everywhere(model__stem_width=96))},
    source=f"section 7.2; {method.LOST}",
)
TABLE2 = (
    *method.REGULARISER,
    method.LABELS,
    Choice(
        "beta on ImageNet",
        "the nine values on 5,000 held-out training images, then training on all",
        "the text describes a 45k/5k split, which is CIFAR's",
        field="method.beta",
        name=method.BETA.name,
        default=method.BETA.default,
        others=method.BETA.others,
        source=method.BETA.source,
        text=method.BETA.text,
        code=method.BETA.code,
    ),
    Choice(
        "epochs and schedule on ImageNet",
        "WRN's of CIFAR, 200 epochs",
        f"'identical to those in their original paper whenever possible' ({method.LOST})",
        field="epochs",
        name="imagenet-schedule",
        default="cifar",
        others={
            "90": Reading(
                "90 epochs, / 10 after 30 and 60: ResNet's on ImageNet",
                (
                    Override(
                        {},
                        {
                            "epochs": 90,
                            "schedule.milestones": (1 / 3, 2 / 3),
                            "schedule.gamma": 0.1,
                        },
                    ),
                ),
            )
        },
        source=method.LOST,
    ),
    Choice(
        "'standard data augmentations'",
        "a random resized crop and a flip; at test the middle, 7/8 of the short side",
        "the usual training on ImageNet",
        field="data.augmentation",
        name="imagenet-augmentation",
        default="random_resized",
        source="section 7.2",
        single="any other would not be the standard one",
    ),
    Choice(
        "weight decay on ImageNet",
        "WRN's 5e-4",
        "the settings are those of the network's own paper",
        field="optimizer.weight_decay",
        name="imagenet-decay",
        default="5e-4",
        others={"1e-4": Reading("ResNet's", everywhere(optimizer__weight_decay=1e-4))},
        source=method.LOST,
    ),
    STEM,
    Choice(
        "training error",
        "of the final weights, images not augmented",
        "not stated; its printed spread of 1 to 3 is that of a running average",
        name="training-error",
        default="final",
        others={
            "running": Reading(
                "of the last epoch's steps, augmented; top 1 alone",
                metrics={
                    "train_set/error": {"name": "running_train_error"},
                    "test_error-train_set/error": {"minus": "running_train_error"},
                },
            )
        },
        source="section 7.2",
    ),
)

# -- sentences -----------------------------------------------------------------------------------

TIME = (
    *method.STEP,
    STEM,
    Choice(
        "step",
        "regularised from the start",
        "the time is that of a regularised step",
        name="timed-step",
        default="regularised",
        source="section 7.2.1",
        single="the sentence is of such steps",
    ),
    Choice(
        "hardware",
        "this machine's",
        "two RTX 2080 Ti in the paper: compare the ratio",
        name="hardware",
        default="this",
        source="section 7.2.1",
        single="the paper's is not here",
    ),
)
STAGES = (
    *method.STEP,
    method.SPREAD,
    *networks.WRN,
    Choice(
        "phases",
        "up to epoch 60, 60 to 120, after 120 of 200",
        "the code's, its flag 'type'",
        name="phase-bounds",
        default="code",
        source="section 7.2.1; code",
        code="code",
        single="they are the drops of the learning rate",
    ),
    Choice(
        "beta of the ablation",
        str(CODE_BETA),
        "the code's default",
        field="method.beta",
        name="ablation-beta",
        default="code",
        source="code",
        code="code",
        single="the one that table1 finds is another stage's, and not printed",
    ),
)
ALPHA_M = (method.PHASE, *method.STEP, method.SPREAD, *networks.WRN, STAGES[-1])
GRADIENTS = (
    *TABLE1,
    Choice(
        "images that sub-batches are of",
        "training images in batches as the training's, not augmented, in evaluation mode",
        "section 6 argues from the training loss at a minimum",
        field="measure.num_splits",
        name="gradient-images",
        default="training",
        source="section 6, Figure 1",
        single="a drawing is all that the paper has",
    ),
)
