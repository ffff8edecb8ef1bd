"""What NRS's text leaves open or says twice, how each is read here, and how else it can be.

Here: which choices each table has, and those that are one table's alone. Sections are the paper's
(arXiv 2201.06064). No code of the authors is known: GNP is the same group's next code base, which
says how they work, not how this was made.
"""

from __future__ import annotations

from dataclasses import replace

from search_spaces.choice import everywhere
from search_spaces.nrs.choices import method, networks, training
from search_spaces.nrs.protocol import AUGMENTATIONS
from search_spaces.spec import Choice, Reading

UNVERIFIED = (
    "how large the perturbation is (step 8 of Algorithm 1, delta / ||theta||) is not verified: no"
    " code of the authors is known, and as printed it all but vanishes; nrs/readings has all five"
    " readings"
)
"""Stands above the numbers of every table and figure that perturbs."""

TABLE1 = (
    *method.ALL,
    method.RPR_SCALE,
    *training.SEARCH,
    training.EPOCHS,
    *training.OF_ALL,
    training.CROPS,
    *networks.ALL,
)

# -- ImageNet (Table 2) --------------------------------------------------------------------------

TABLE2 = (
    *method.ALL,
    training.SPREAD,
    networks.VGG,
    networks.VGG_DROPOUT,
    networks.MASKS,
    Choice(
        "'resized and cropped to 224x224'",
        "a random resized crop",
        "the usual training on ImageNet, and GNP's",
        field="data.augmentation",
        name="imagenet-crop",
        default="random_resized",
        others={
            "central": Reading(
                "the middle, flipped at random",
                everywhere(data__augmentation=({"name": "flip"},)),
            )
        },
        source="section 4",
    ),
    Choice(
        "crop at test",
        "the middle: 224 of 256 pixels of the short side",
        method.GNP,
        name="test-crop",
        default="224_of_256",
        source="not stated",
        single="the same for both methods; other parts of the image are no option of the data set",
    ),
    Choice(
        "learning rate over time, warm-up",
        "cosine, none",
        f"as on Cifar, and {method.GNP}",
        field="schedule.name",
        name="imagenet-schedule",
        default="cosine",
        source="section 4",
        single="no other is hinted at",
    ),
    *training.OF_ALL,
    Choice(
        "'fix the epsilon to 0.1 and epsilon to 1.0'",
        "alpha = 1.0",
        "a slip: 1.0 is in alpha's grid",
        field="method.alpha",
        name="imagenet-alpha",
        default="alpha",
        source="section 4",
        single="epsilon cannot have two values",
    ),
)

# -- the WideResNet of Table 1, looked at more closely -------------------------------------------

AUGMENTATION = Choice(
    "augmentation, and its padding",
    "Basic, padded by reflection",
    f"not stated; padding is {method.GNP}",
    field="data.augmentation",
    name="augmentation",
    default="basic",
    others={
        "zero_padded": training.CROPS.others["zero_padded"],
        "cutout": Reading("Cutout", everywhere(data__augmentation=AUGMENTATIONS["Cutout"])),
    },
    source="sections 4 and 5",
)
WRN_TRAINING = (training.EPOCHS, *training.OF_ALL, AUGMENTATION, networks.WRN_BLOCKS)

TABLE3 = (
    *method.ALL,
    method.RPR_SCALE,
    *(choice for choice in training.SEARCH if choice is not training.SPREAD),
    *WRN_TRAINING,
    Choice(
        "the block's approximation",
        "none: the exact top eigenvalue",
        "for a linear last layer the Gauss-Newton block is the Hessian block",
        field="measure.bias",
        name="block",
        default="exact",
        others={
            "kronecker": Reading(
                "the product of the factors' eigenvalues",
                metrics={"last_layer_eigenvalue": {"name": "last_layer_eigenvalue/kronecker"}},
            ),
        },
        source="section 5.2, by Botev et al. 2017, who factorise the block",
        text="kronecker",
    ),
    Choice(
        "whether the bias is in the block",
        "it is",
        "a parameter of the layer as its weights are",
        field="measure.bias",
        name="block-bias",
        default="yes",
        others={
            "no": Reading(
                "weights alone",
                measures={"last_layer_eigenvalue": {"bias": False}},
            )
        },
        source="section 5.2: 'for the last layer'",
    ),
    Choice(
        "images that the block is of",
        "the training set, not augmented, in evaluation mode",
        "the Hessian of the loss that was minimized",
        name="block-images",
        default="training",
        source="not stated",
        single="an eigenvalue on test images is of another loss",
    ),
    Choice(
        "'flat minima could be larger'",
        "smaller is flatter",
        "abstract and conclusion",
        name="flat",
        default="smaller",
        source="section 5.2",
        single="a slip of the sentence, not of what is measured",
    ),
)

FIGURE1 = (
    *method.ALL,
    training.GRID,
    training.REPORTED_SEEDS,
    *WRN_TRAINING,
    Choice(
        training.EPSILON.what,
        training.EPSILON.interpretation,
        f"{training.EPSILON.why}; nrs/figure1_extended draws 0.2 too",
        field="method.epsilon",
        name="figure-epsilon",
        default="printed",
        source=training.EPSILON.source,
        text="printed",
        single="its curves are cells of a figure: that with 0.2 is an artifact of its own",
    ),
)

FIGURE1_EXTENDED = (*FIGURE1[:-1], replace(FIGURE1[-1], interpretation="0.05, 0.1, 0.2, 0.5"))

# -- what the paper lacks: ours to choose --------------------------------------------------------

NETWORK = Choice(
    "network of the control arms",
    "ResNet18",
    "the cheapest of Table 1, with the largest printed gain",
    field="model",
    name="network",
    default="resnet18",
    others={
        "wrn": Reading(
            "WideResNet-28-10, which section 5 looks at",
            everywhere(model={"name": "wrn_28_10"}),
        )
    },
    source="not in the paper",
)
COMMON = Choice(
    "common settings",
    "rate 0.1, decay 0.0005, batches of 128: a point of section 4's grid",
    "arms are compared at one point; after a search each would stand at its own",
    field="optimizer.lr",
    name="common",
    default="one_point",
    source="not in the paper",
    single="half a decay that another stage chose is nothing that a stage could take over",
)
ARMS = (
    *(choice for choice in method.ALL if choice is not method.EPOCH),
    method.RPR_SCALE,
    method.EPOCH,
    training.EPOCHS,
    *training.OF_ALL,
    training.PADDING,
    NETWORK,
    COMMON,
    networks.STEM,
)
"""Of nrs/controls."""
READINGS = (
    Choice(
        method.SCALE.what,
        "every reading is a row",
        method.SCALE.why,
        field=method.SCALE.field,
        name="rows",
        default="all",
        source=method.SCALE.source,
        single="all five are rows",
    ),
    *(c for c in method.ALL if c not in (method.SCALE, method.BALL, method.BASELINE_BATCHNORM)),
    training.EPOCHS,
    *training.OF_ALL,
    training.PADDING,
    NETWORK,
    COMMON,
    networks.STEM,
)
"""Of nrs/readings."""
