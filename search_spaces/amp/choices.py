"""What AMP leaves open or says twice, and the ways to read it.

"code" is the authors' release (github.com/hiyouga/AMP-Regularizer), "first code" the state of its
history that has all eight methods (768b374). Where the text and the code differ, the default is
the code's: the printed numbers are most likely of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from search_spaces.amp.protocol import CLIP, CROP, PREACT, VANILLA, VGG
from search_spaces.spec import Choice, Override, Reading

AMP, SVHN = {"method": "AMP"}, {"dataset": "SVHN"}


def everywhere(what: str, **fields: Any) -> Reading:
    """A reading that gives all cells these ``fields``, with __ for a dot."""
    return only({}, what, **fields)


def only(where: dict[str, str], what: str, **fields: Any) -> Reading:
    """A reading that gives the cells with the entries ``where`` these ``fields``."""
    return Reading(
        what,
        (Override(where, {name.replace("__", "."): value for name, value in fields.items()}),),
    )


# -- the rule, wherever AMP trains ---------------------------------------------------------------

NORM = Choice(
    "norm that clips the perturbation",
    "each tensor's own",
    "the printed epsilon belong to the code, which clips so; Algorithm 1 clips the whole vector"
    " (global)",
    "method.norm",
    name="norm",
    default="per-tensor",
    others={"global": only(AMP, "one norm over all parameters together", method__norm="global")},
    source="Algorithm 1, lines 8 and 9; code: amp.py",
    text="global",
    code="per-tensor",
)
CLIPPING = Choice(
    "clipping of gradients",
    "to norm 50, those of AMP's inner steps too",
    "code; the paper clips none, the first code the last gradient of a step alone (outer)",
    "method.clip",
    name="clipping",
    default="norm-50",
    others={
        "none": Reading(
            "no gradient is clipped",
            (
                Override({}, {"optimizer.clip_norm": None}),
                Override(AMP, {"method.clip": None}),
            ),
        ),
        "outer": only(AMP, f"AMP's outer gradient alone, to norm {CLIP:g}", method__clip=None),
    },
    source="Algorithm 1, lines 6, 7, 12 and 13; code: main.py; first code: trainer.py",
    text="none",
    code="norm-50",
)
OUTER_STEP = Choice(
    "outer step",
    "SGD with Nesterov's momentum, 0.9",
    "code; section 5.1 says momentum alone and not its size, line 13 of Algorithm 1 has none"
    " (plain)",
    "optimizer.nesterov",
    name="outer-step",
    default="nesterov",
    others={
        "momentum": everywhere("SGD with momentum 0.9", optimizer__nesterov=False),
        "plain": everywhere(
            "SGD without momentum", optimizer__nesterov=False, optimizer__momentum=0.0
        ),
    },
    source="section 5.1; code: main.py",
    text="momentum",
    code="nesterov",
)
BATCHNORM = Choice(
    "BatchNorm's running statistics",
    "moved by every pass",
    "code; with clean they move once a step, with the pass at the unperturbed weights",
    "batchnorm",
    name="batchnorm",
    default="all",
    others={"clean": only(AMP, "moved by the first pass of a step alone", batchnorm="clean")},
    source="code: main.py, where every pass is in training mode",
    code="all",
)
DECAY = Choice(
    "weight decay on BatchNorm and biases",
    "as on the weights",
    "code; 'of all compared models' (section 5.1) leaves open of which parameters: weights is the"
    " other custom",
    "optimizer.decay",
    name="weight-decay",
    default="all",
    others={
        "weights": everywhere(
            "on weight matrices and convolutions only", optimizer__decay="weights"
        )
    },
    source="section 5.1; code: main.py",
    code="all",
)
MASK = Choice(
    "dropout's mask in AMP's several passes",
    "each pass draws its own",
    "code",
    name="dropout-mask",
    default="own",
    source="code: amp.py",
    code="own",
    single="no network that AMP trains has dropout, in the text as here",
)
PERTURBED = Choice(
    "perturbing BatchNorm and biases",
    "as the weights",
    "theta is all parameters (section 3.1), and the code goes through all",
    name="perturbed",
    default="all",
    source="section 3.1; Algorithm 1, line 6; code: amp.py",
    text="all",
    code="all",
    single="text and code agree",
)
SPLIT = Choice(
    "validation split",
    "none: final runs use all training images",
    "code; a tenth serves for tuning (section 5.1), of which the values are printed and the grids"
    " are not",
    "data.validation",
    name="validation",
    default="none",
    others={"tenth": everywhere("trained on nine tenths of the images", data__validation=0.1)},
    source="section 5.1; code: main.py",
    code="none",
)
EPOCH = Choice(
    "epoch that numbers are of",
    "each network's best on test",
    "the code prints only that; last is what a user has, who has no test labels",
    "--selection",
    name="epoch",
    default="best-test",
    others={
        "last": Reading(
            "the last epoch's",
            selection={"epoch": "last", "stated": "hyper-parameters fixed; the last epoch"},
        )
    },
    source="code: main.py",
    code="best-test",
)
LENGTH = Choice(
    "'while not converged'",
    "200 epochs",
    "section 5.1",
    "epochs",
    name="length",
    default="200-epochs",
    source="Algorithm 1, line 1; section 5.1; code: main.py",
    text="200-epochs",
    code="200-epochs",
    single="the paper gives no test of convergence",
)
GAMMA = Choice(
    "gamma in sections 5.1 and 5.2",
    "inner learning rate zeta",
    "code",
    "method.inner_lr",
    name="gamma",
    default="zeta",
    source="sections 5.1 and 5.2; first code: README.md",
    code="zeta",
    single="as the factor by which the rate falls it would contradict 'divided by 10', and zeta"
    " would have no value",
)
STEP = (NORM, PERTURBED, CLIPPING, OUTER_STEP, BATCHNORM, DECAY, MASK)
"""How a step is made."""
TRAINING = (*STEP, SPLIT, EPOCH, LENGTH)
"""What all trainings of section 5 share, but for networks and augmentation."""

# -- networks ------------------------------------------------------------------------------------


def preactresnet18(where: dict[str, str]) -> Choice:
    """The choice of the cells with the entries ``where``."""
    return Choice(
        "blocks of PreActResNet18",
        "convolutions have biases, every shortcut starts after BN-ReLU",
        "code; in the cited study (original) they have none, and a shortcut that keeps the shape"
        " starts before",
        "model.shared_activation",
        name="preactresnet18",
        default="code",
        others={
            "original": only(
                where,
                "without biases; shortcuts start after BN-ReLU where the shape changes",
                model__conv_bias=False,
                model__shared_activation="reshape",
            )
        },
        source="section 5.1 cites He et al. 2016; code: models/preresnet.py",
        code="code",
    )


VGG16 = Choice(
    "BatchNorm in VGG16",
    "after every convolution",
    "code; the cited study is older than BatchNorm (none)",
    "model.batchnorm",
    name="vgg16",
    default="batchnorm",
    others={
        "none": Reading(
            "VGG16 without BatchNorm",
            (
                Override({"model": VGG}, {"model.batchnorm": False}),
                Override({"model": VGG, **AMP}, {"batchnorm": "clean"}),
            ),
        )
    },
    source="section 5.1 cites Simonyan and Zisserman 2015; code: models/vgg.py",
    code="batchnorm",
)

# -- augmentation --------------------------------------------------------------------------------

PADDING_COLOR = Choice(
    "color of the padding before a crop",
    "gray, 128",
    "code; black is the usual one, and the text names none",
    "data.augmentation",
    name="padding-color",
    default="gray",
    others={"black": everywhere("black", data__augmentation__pad_crop__fill="zero")},
    source="code: data_utils.py",
    code="gray",
)
FLIPS = Choice(
    "flips on SVHN",
    "none",
    "code; the text flips all images (section 5.1)",
    "data.augmentation",
    name="svhn-flips",
    default="none",
    others={
        "all": only(
            SVHN,
            "SVHN's images are flipped as CIFAR's",
            data__augmentation=(*VANILLA["SVHN"], {"name": "flip"}),
        )
    },
    source="section 5.1; code: data_utils.py",
    text="all",
    code="none",
)
SVHN_PADDING = Choice(
    "padding before the crop on SVHN",
    "2 pixels",
    "code; on CIFAR it has 4-pixels, and the text gives no number",
    "data.augmentation",
    name="svhn-padding",
    default="2-pixels",
    others={
        "4-pixels": only(
            SVHN, "4 pixels, as on CIFAR", data__augmentation__pad_crop__padding=CROP["padding"]
        )
    },
    source="code: data_utils.py",
    code="2-pixels",
)

# -- the other methods ---------------------------------------------------------------------------

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
STD = Choice(
    "± over ten runs",
    "n - 1",
    "not stated",
    name="std",
    default="sample",
    source="section 5.1; Table 2",
    single="with n instead of n - 1 each would be 0.95 of it; every table here shows the sample's",
)

VANILLA_CHOICES = (PADDING_COLOR, FLIPS, SVHN_PADDING)
"""Of artifacts on all three data sets with vanilla augmentation."""
TABLE1_CHOICES = (
    GAMMA,
    *TRAINING,
    preactresnet18({"model": PREACT}),
    *VANILLA_CHOICES,
    STD,
    *METHOD_CHOICES,
)
CIFAR10_CHOICES = (*TRAINING, preactresnet18({}), PADDING_COLOR)
"""Of figures on CIFAR-10 with PreActResNet18 alone."""


def at_epoch(what: str, why: str) -> Choice:
    """`EPOCH`, of what a figure shows."""
    return replace(EPOCH, what=what, why=f"{why}; last is what a user has, who has no test labels")
