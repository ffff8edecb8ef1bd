"""What NRS's paper says of its numbers: sentences with the predicates by which they are judged."""

from __future__ import annotations

from search_spaces.claim import (
    AllBetter,
    ArgBest,
    Claim,
    Contrast,
    Equal,
    Place,
    Text,
    gain_over,
    higher,
    lower,
)
from search_spaces.nrs.protocol import (
    ALPHA,
    ALPHAS,
    AUGMENTATIONS,
    CNNS,
    DATASETS,
    EPSILON,
    EPSILONS,
    METHODS,
    TOP1,
    TOP5,
    UNLISTED_EPSILON,
    VIT,
    WRN,
)

TABLE1, TABLE2, TABLE3 = "nrs/table1", "nrs/table2", "nrs/table3"
FIGURE1, EXTENDED = "nrs/figure1", "nrs/figure1_extended"
SETTINGS = tuple(
    Place(TOP1.key, {"model": model, "dataset": dataset, "augmentation": augmentation})
    for model in (*CNNS, VIT)
    for dataset in DATASETS
    for augmentation in AUGMENTATIONS
)
"""The 20 settings of Table 1: places but for the method."""


def _gains(better: str, worse: str, **where: str) -> tuple[Contrast, ...]:
    """The accuracy of a method above that of another, in every setting that has these entries."""
    return tuple(
        higher(s.at(method=better), s.at(method=worse))
        for s in SETTINGS
        if where.items() <= s.key.items()
    )


def _larger_on_cifar100(augmentation: str) -> Contrast:
    where = {"model": WRN, "augmentation": augmentation}
    (large,) = _gains("NRS", "Baseline", dataset="Cifar100", **where)
    (small,) = _gains("NRS", "Baseline", dataset="Cifar10", **where)
    return gain_over(large, small, f"{WRN} {augmentation}: Cifar100, Cifar10")


BELOW_CNNS = tuple(
    lower(s.at(method=method), Place(s.column, {**s.key, "model": cnn, "method": method}))
    for s in SETTINGS
    if s.key["model"] == VIT
    for method in METHODS
    for cnn in CNNS
)
IMAGENET = tuple(
    higher(
        Place(metric.key, {"model": model, "method": "NRS"}),
        Place(metric.key, {"model": model, "method": "Baseline"}),
        f"{model} {metric.label}",
    )
    for model in ("VGG16", "ResNet50", "ResNet101")
    for metric in (TOP1, TOP5)
)


def _point(epsilon: float, alpha: float, dataset: str) -> Place:
    options = {"epsilon": str(epsilon), "alpha": str(alpha)}
    return Place(TOP1.key, {"method": "NRS", "dataset": dataset, **options})


def _grid(dataset: str, epsilons: tuple[float, ...]) -> dict[tuple[float, float], Place]:
    return {(e, a): _point(e, a, dataset) for e in epsilons for a in ALPHAS}


EVERY_POINT = tuple(
    higher(
        place,
        Place(TOP1.key, {"method": "Baseline", "dataset": dataset}),
        f"{dataset}: epsilon {epsilon:g}, alpha {alpha:g}",
    )
    for dataset in DATASETS
    for (epsilon, alpha), place in _grid(dataset, EPSILONS).items()
)
ON_10 = _grid("Cifar10", EPSILONS)
ON_100 = _grid("Cifar100", tuple(sorted((*EPSILONS, UNLISTED_EPSILON))))
SHARPNESS = {m: Place("last_layer_eigenvalue", {"method": m}) for m in METHODS}
BASELINE, RPR, NRS = (SHARPNESS[name] for name in ("Baseline", "RPR", "NRS"))

CLAIMS = (
    Claim(
        "nrs-01",
        "better",
        "NRS improves the test accuracy in every one of the 20 settings of Table 1",
        (TABLE1,),
        AllBetter(_gains("NRS", "Baseline")),
    ),
    Claim(
        "nrs-02",
        "equal",
        "RPR (cross-entropy at randomly perturbed weights alone) has no effect on generalization",
        (TABLE1,),
        Equal(
            _gains("RPR", "Baseline"),
            _gains("NRS", "Baseline"),
            margin=0.15,  # a third of the smallest printed gain of NRS, 0.46
            none_apart=True,
        ),
    ),
    Claim(
        "nrs-03",
        "better",
        "NRS is better than RPR in every setting (implied by nrs-01 and nrs-02)",
        (TABLE1,),
        AllBetter(_gains("NRS", "RPR")),
        source="implied",
    ),
    Claim(
        "nrs-04",
        "better",
        "ViT accuracy is significantly lower than that of the CNNs",
        (TABLE1,),
        AllBetter(BELOW_CNNS),
    ),
    Claim(
        "nrs-05",
        "better",
        "NRS also improves the ViT",
        (TABLE1,),
        AllBetter(_gains("NRS", "Baseline", model=VIT)),
    ),
    Claim(
        "nrs-06",
        "better",
        "NRS does not conflict with dropout (VGG16 has it) nor with BatchNorm",
        (TABLE1,),  # all CNNs have BatchNorm, and VGG16 is one of them
        AllBetter(tuple(c for model in CNNS for c in _gains("NRS", "Baseline", model=model))),
    ),
    Claim(
        "nrs-07",
        "better",
        "NRS does not conflict with Cutout: it also helps on top of it",
        (TABLE1,),
        AllBetter(_gains("NRS", "Baseline", augmentation="Cutout")),
    ),
    Claim(
        "nrs-08",
        "better",
        "On ImageNet NRS improves top-1 and top-5 of VGG16, ResNet50 and ResNet101",
        (TABLE2,),
        AllBetter(IMAGENET),
    ),
    Claim(
        "nrs-09",
        "better",
        "Every (epsilon, alpha) of the grid improves on the baseline, on Cifar10 and on Cifar100,"
        " WRN-28-10",
        (FIGURE1,),
        AllBetter(EVERY_POINT),
    ),
    Claim(
        "nrs-10",
        "argbest",
        "epsilon=0.1, alpha=1 is best on Cifar10",
        (FIGURE1,),
        ArgBest(tuple(ON_10.values()), [*ON_10].index((EPSILON, ALPHA)), lower=False),
    ),
    Claim(
        "nrs-11",
        "argbest",
        "epsilon=0.2, alpha=1 is best on Cifar100",
        (EXTENDED,),  # no grid of the paper has 0.2
        ArgBest(tuple(ON_100.values()), [*ON_100].index((UNLISTED_EPSILON, ALPHA)), lower=False),
    ),
    Claim(
        "nrs-12",
        "better",
        "The improvement is generally larger on Cifar100 than on Cifar10 (WRN-28-10; the tables"
        " allow the same question for all networks)",
        (TABLE1,),
        AllBetter(tuple(map(_larger_on_cifar100, AUGMENTATIONS))),
    ),
    Claim(
        "nrs-13",
        "better",
        "NRS reduces the largest eigenvalue of the Hessian against both other strategies (last"
        " layer, WRN-28-10, Cifar10)",
        (TABLE3,),
        AllBetter((lower(NRS, BASELINE), lower(NRS, RPR)), log=True),
    ),
    Claim(
        "nrs-14",
        "equal",
        "RPR does not lead to flat minima",
        (TABLE3,),
        Equal((lower(RPR, BASELINE),), (lower(NRS, BASELINE),), one_sided=True, log=True),
    ),
    Claim(
        "nrs-15",
        "text",
        "Section 5.2 says that the largest eigenvalue of flat minima could be the larger one",
        (TABLE3,),
        Text(),
    ),
    Claim(
        "nrs-16",
        "better",
        "The minima of NRS have smaller Hessian eigenvalues (of the whole model)",
        needs="WRN trials of table3 with kept weights and a top-eigenvalue measure of the full"
        " Hessian",
    ),
    Claim(
        "nrs-17",
        "better",
        "Using outputs (the KL term) regularizes more strongly than using loss values",
        needs="2 extra points (alpha = 0) x 2 data sets x 3 seeds of WRN-28-10; `controls` has them"
        " of ResNet18",
    ),
    Claim(
        "nrs-18",
        "better",
        "The model divergence d_p between a trained model and its neighbours is lower with NRS than"
        " with the Baseline",
        needs="6 trials of table1 (WRN, Cifar10) with kept weights; `controls` has ResNet18's",
        source="implied",
    ),
    Claim(
        "nrs-19",
        "better",
        "Normalizing delta by the norm of theta (step 8) helps training",
        needs="2 arms x 3 epsilons x 3 seeds of WRN-28-10; `readings` has them of ResNet18",
    ),
)
