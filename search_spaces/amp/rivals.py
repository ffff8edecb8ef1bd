"""What AMP leaves open or says twice of the methods beside it, and with that Table 1's choices.

"first code" as in `choices`.
"""

from __future__ import annotations

from search_spaces.amp.choices import GAMMA, STD, TRAINING, VANILLA_CHOICES, only, preactresnet18
from search_spaces.amp.protocol import PREACT
from search_spaces.spec import Choice, Override, Reading

# The code's constants, of pixels from 0 to 255.
STDS = {
    "SVHN": (50.1, 50.6, 50.8),
    "CIFAR-10": (63.0, 62.1, 66.7),
    "CIFAR-100": (68.2, 65.4, 70.4),
}
METHOD_CHOICES = (
    Choice(
        "label smoothing",
        "s / (K - 1) on the other classes",
        "code; section 2.2 mixes with a distribution that is uniform over all classes",
        "method.convention",
        name="label-smoothing",
        default="others",
        others={
            "uniform": only(
                {"method": "Label Smoothing"},
                "s / K on all classes",
                method__convention="uniform",
            )
        },
        source="section 2.2; first code: loss_func.py",
        text="uniform",
        code="others",
    ),
    Choice(
        "dropout of PreActResNet18",
        "in each block, before its second convolution, and before the classifier",
        "code; the text drops after every ReLU (every-relu)",
        "model.dropout",
        name="dropout",
        default="second-relu",
        others={
            "every-relu": only(
                {"model": PREACT, "method": "Dropout"},
                "after every ReLU",
                model__dropout_after="every_relu",
            )
        },
        source="section 5.1; code: models/preresnet.py",
        text="every-relu",
        code="second-relu",
    ),
    Choice(
        "MixUp's lambda",
        "one per sample",
        "code; the original study, which the text follows, has one for a batch (per-batch)",
        "method.per",
        name="mixup",
        default="per-sample",
        others={"per-batch": only({"method": "MixUp"}, "one per batch", method__per="batch")},
        source="section 5.1; first code: trainer.py",
        text="per-batch",
        code="per-sample",
    ),
    Choice(
        "RMP's ball",
        "U(±sqrt(epsilon / numel)) per tensor",
        "code; section 5.1 has an L2 ball of radius 0.1",
        "method.reading",
        name="rmp",
        default="per-tensor",
        others={
            "ball": only(
                {"method": "RMP"},
                "uniform in the L2 ball over all parameters together",
                method__reading="paper",
            )
        },
        source="section 5.1; first code: trainer.py",
        text="ball",
        code="per-tensor",
    ),
    Choice(
        "'perturbation size to 1 for each pixel'",
        "1/255 on normalized inputs, random start",
        "code; of pixels 1 is a gray-level, and one step changes each by 1 only from the image"
        " itself; unit is 1 on normalized inputs",
        "method.epsilon",
        name="adversarial",
        default="normalized",
        others={
            "gray-level": Reading(
                "one of 255 gray levels, from the image itself",
                tuple(
                    Override(
                        {"method": "Adv. Training", "dataset": dataset},
                        {
                            "method.std": tuple(round(value / 255, 4) for value in std),
                            "method.random_start": False,
                        },
                    )
                    for dataset, std in STDS.items()
                ),
            ),
            "unit": only(
                {"method": "Adv. Training"},
                "1 on normalized inputs, random start",
                method__epsilon=1.0,
                method__step=1.0,
            ),
        },
        source="section 5.1; first code: attacks.py",
        text="gray-level",
        code="normalized",
    ),
)
NLL_CHOICE = Choice(
    "NLL of label smoothing",
    "plain NLL is measured; the printed numbers are the smoothed loss",
    "their floors are 0.940 (K = 10) and 1.419 (K = 100); the first code tests with the loss that"
    " it trains, which for flooding changes only batches below 0.02",
    name="smoothed-nll",
    default="plain",
    source="Table 1; first code: trainer.py",
    text="plain",
    single="the smoothed loss of the best epoch would have to be measured at every epoch of every"
    " training; of the final networks sweep measure takes it (smoothed_nll)",
)
TABLE1_CHOICES = (
    GAMMA,
    *TRAINING,
    preactresnet18({"model": PREACT}),
    *VANILLA_CHOICES,
    STD,
    *METHOD_CHOICES,
)
