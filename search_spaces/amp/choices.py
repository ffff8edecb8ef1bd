"""What AMP leaves open or says twice, and the ways to read it.

"code" is the authors' release (github.com/hiyouga/AMP-Regularizer), "first code" the state of its
history that has all eight methods (768b374). Where the text and the code differ, the default is
the code's: the printed numbers are most likely of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from search_spaces.amp.protocol import AMP_PAIRS, CLIP, CROP, NETWORKS, PREACT, VANILLA, VGG, WRN
from search_spaces.choice import where
from search_spaces.spec import Choice, Override, Reading

AMP, SVHN = {"method": "AMP"}, {"dataset": "SVHN"}


def everywhere(what: str, **fields: Any) -> Reading:
    """A reading that gives all cells these ``fields``, with __ for a dot."""
    return only({}, what, **fields)


def only(key: dict[str, str], what: str, **fields: Any) -> Reading:
    """A reading that gives the cells with the entries ``key`` these ``fields``."""
    return Reading(what, (where(key, **fields),))


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
    "method.perturb",
    name="perturbed",
    default="all",
    others={
        "weights": only(AMP, "tensors of two dimensions or more alone", method__perturb="weights")
    },
    source="section 3.1; Algorithm 1, line 6; code: amp.py",
    text="all",
    code="all",
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


def preactresnet18(cells: dict[str, str]) -> Choice:
    """The choice of the cells with the entries ``cells``."""
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
                cells,
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
CIFAR10_CHOICES = (*TRAINING, preactresnet18({}), PADDING_COLOR)
"""Of figures on CIFAR-10 with PreActResNet18 alone."""


# -- figures -------------------------------------------------------------------------------------


def at_epoch(what: str, why: str) -> Choice:
    """`EPOCH`, of what a figure shows."""
    return replace(EPOCH, what=what, why=f"{why}; last is what a user has, who has no test labels")


ONE_RUN = Choice(
    "number of runs",
    "1",
    "not stated",
    name="runs",
    default="1",
    source="Figures 2 and 8, captions",
    single="a line without a spread is one network's or a mean's, which nothing tells apart",
)
THREE_RUNS = replace(
    ONE_RUN,
    interpretation="3",
    why="not stated; three have a spread, by which what is said of the figure can be judged",
    name="figure-runs",
    default="3",
    others={"1": Reading("1", seeds=1)},
    single="",
)
OTHER_NETWORKS = {
    "vgg16": everywhere("VGG16", model=NETWORKS[VGG]),
    "wideresnet": everywhere("WideResNet-28-10", model=NETWORKS[WRN]),
}
RADIUS_CHOICES = (
    *STEP,
    SPLIT,
    at_epoch("epoch of both losses", "ERM's test loss fits Table 1's, which the code prints of it"),
    LENGTH,
    Choice(
        "'eta = 2 and N = 2'",
        "zeta = 2",
        "the text's eta is the outer rate of Algorithm 1, which is 0.1 in section 5.1; at 2 (outer)"
        " it would hardly train",
        "method.inner_lr",
        name="eta",
        default="zeta",
        others={
            "outer": Reading(
                "the outer rate starts at 2; zeta is 1, as in Table 1",
                (
                    Override({}, {"optimizer.lr": 2.0}),
                    Override({"method": "AMP"}, {"method.inner_lr": AMP_PAIRS[PREACT][1]}),
                ),
            )
        },
        source="section 5.4",
        text="outer",
    ),
    Choice(
        "training loss",
        "on all images, unaugmented, in evaluation mode",
        "not stated; the code logs the running one, of each batch before its step",
        name="training-loss",
        default="clean",
        others={
            "running": Reading(
                "the mean over an epoch's augmented batches, before each step",
                metrics={"train_nll_curve": {"name": "running_train_loss"}},
            )
        },
        source="section 5.4; code: main.py",
        code="running",
    ),
)
