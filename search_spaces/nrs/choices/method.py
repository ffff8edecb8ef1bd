"""Algorithm 1 and Equation 3 of NRS: what is open in them, and how else it can be read."""

from __future__ import annotations

from typing import Any

from search_spaces.choice import on
from search_spaces.spec import Choice, Override, Reading

GNP = "GNP's, by the same authors"

BASELINES = ("Baseline", "Baseline, half the weight decay")
REGULARIZED = ("NRS", "NRS, alpha 0", "NRS, epsilon 0")
PERTURBED = ("RPR", *REGULARIZED)
WITH_BATCHNORM = (
    "VGG16", "ResNet18", "WideResNet-28-10", "PyramidNet-164", "ResNet50", "ResNet101",
)  # fmt: skip


def _perturbed(what: str, **options: Any) -> Reading:
    """A reading of what RPR and NRS have in common."""
    fields = {f"method.{option}": value for option, value in options.items()}
    return Reading(what, on("method", PERTURBED, **fields))


def _regularized(what: str, **options: Any) -> Reading:
    """A reading of NRS alone."""
    fields = {f"method.{option}": value for option, value in options.items()}
    return Reading(what, on("method", REGULARIZED, **fields))


SCALE = Choice(
    "step 8 of Algorithm 1, delta / ||theta||, shrinks the perturbation to nothing as printed",
    "||delta|| = epsilon ||theta||",
    "of a size at which epsilon and alpha can matter; RPR = Baseline in Table 1 also fits the"
    " literal reading",
    field="method.scale",
    name="step-8",
    default="relative",
    others={
        "relative_per_tensor": _perturbed(
            "the same, of each tensor by its own norm", scale="relative_per_tensor"
        ),
        "unit_then_scale": _perturbed(
            "||delta|| = epsilon, whatever the weights", scale="unit_then_scale"
        ),
        "literal": _perturbed(
            "||delta|| = epsilon / ||theta||, as step 8 is printed", scale="literal"
        ),
        "gaussian_literal": _perturbed(
            "every entry N(0, epsilon^2), then divided by ||theta||", scale="gaussian_literal"
        ),
    },
    source="Algorithm 1, steps 7 and 8; section 3",
    text="literal",
)
BALL = Choice(
    "'within area B(0, epsilon)'",
    "a direction uniform on the sphere",
    "B is a Euclidean ball (section 3); normalized, all that is left of a draw is its direction,"
    " the same for uniform in the ball, on its sphere and normal",
    field="method.ball",
    name="ball",
    default="uniform_in_ball",
    others={
        "per_coordinate_uniform": _perturbed(
            "the direction of a draw with every entry uniform on (-1, 1)",
            ball="per_coordinate_uniform",
        )
    },
    source="Algorithm 1, step 7; section 3",
    text="uniform_in_ball",
)
WHICH = Choice(
    "which parameters are perturbed",
    "all, BatchNorm and biases too",
    "'model parameters' (Algorithm 1)",
    field="method.perturb",
    name="perturbed-parameters",
    default="all",
    others={"weights": _perturbed("tensors of two dimensions or more", perturb="weights")},
    source="Algorithm 1",
    text="all",
)
DEVICES = Choice(
    "number of devices, each with its own perturbation",
    "4 shards of the batch",
    "the paper's machine has four GPUs (section 4); B_0 ... B_M, one more, would not divide its"
    " batches",
    field="method.num_devices",
    name="devices",
    default="four",
    others={
        "one": Reading(
            "one perturbation a step; BatchNorm sees the whole batch",
            (
                *on("method", PERTURBED, method__num_devices=1),
                *on("method", BASELINES, batchnorm_parts=1),
            ),
        )
    },
    source="Algorithm 1, steps 1, 4 and 6; section 4",
)
BASELINE_BATCHNORM = Choice(
    "BatchNorm of the Baseline",
    "statistics of the same 4 shards",
    "'any other deployment the same' (section 4); on one device it would see the whole batch",
    field="batchnorm_parts",
    name="baseline-batchnorm",
    default="shards",
    others={"batch": Reading("of the whole batch", on("method", BASELINES, batchnorm_parts=1))},
    source="section 4",
)
RUNNING = Choice(
    "which passes of NRS move BatchNorm's running statistics",
    "the clean one",
    GNP + "; tests are of the clean network",
    field="batchnorm",
    name="running-statistics",
    default="clean",
    others={
        "all": Reading(
            "both",
            tuple(
                Override({"method": method, "model": model}, {"batchnorm": "all"})
                for method in REGULARIZED
                for model in WITH_BATCHNORM
            ),
        )
    },
    source="not stated",
)
LOSS = Choice(
    "third term of Equation 3, and where gradients flow",
    "weight 1, through both networks; delta is a constant",
    "as printed: the whole is twice a plain loss and more, at the same learning rate",
    field="method.loss",
    name="loss",
    default="as_printed",
    others={
        "averaged": _regularized("weight 1/2 for either cross-entropy", loss="averaged"),
        "detached_target": _regularized(
            "no gradient through the clean network's output in the KL term", loss="detached_target"
        ),
    },
    source="Equation 3",
    text="as_printed",
)
RPR_SCALE = Choice(
    "size of RPR's perturbation",
    "that of NRS's, step 8 included",
    "'any other deployment the same'; step 8 stands in NRS's algorithm",
    field="method.scale",
    name="rpr-scale",
    default="as_nrs",
    others={
        "unit_then_scale": Reading(
            "||delta|| = epsilon: step 8 is NRS's own",
            (Override({"method": "RPR"}, {"method.scale": "unit_then_scale"}),),
        )
    },
    source="section 4",
)
PERMUTATION = Choice(
    "'random permutation'",
    "perturbation",
    "it is added to the weights",
    name="permutation",
    default="perturbation",
    source="Algorithm 1, step 7",
    single="a reordered vector of weights is nothing that could be added to them",
)
EPOCH = Choice(
    "best or last epoch",
    "last",
    "not stated; best epochs: --selection best_test, or best_validation on held-out images",
    field="--selection",
    name="epoch",
    default="last",
    others={"best": Reading("the best test epoch", selection={"epoch": "best_test"})},
    source="not stated; Figure 1's line is 'the best testing accuracy'",
)
ALL = (
    SCALE,
    BALL,
    WHICH,
    DEVICES,
    BASELINE_BATCHNORM,
    RUNNING,
    LOSS,
    PERMUTATION,
    EPOCH,
)
