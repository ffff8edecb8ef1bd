"""What single methods do where the text, their own papers and the authors' code differ."""

from __future__ import annotations

from search_spaces.choice import Lifted, on
from search_spaces.nso.protocol import DATASETS, NOT_UNDONE, SIZES
from search_spaces.spec import Choice, Override, Reading

PERTURBING = ("SAM", "USAM", "ASAM", "RSAM", "BSAM", "WP-SGD", "NSO")


def _published_bsam(dataset: str) -> Override:
    """``p.grad = m / s`` is the whole step, and delta the weight decay (`methods.bsam`)."""
    return Override(
        {"method": "BSAM", "dataset": dataset},
        {
            "method.posterior": "adaptive",
            "method.num_data": float(SIZES[dataset][0]),
            "optimizer.momentum": 0.0,
            "optimizer.weight_decay": 0.0,
        },
    )


def _as_the_code_is(method: str) -> Reading:
    """The reading by which the printed numbers of RSAM and BSAM are of what is run."""
    return Reading(
        "the authors' code with its slip: the ascent is never undone",
        on("method", [method], method__code_faithful=True),
        comparable=(Lifted({"method": method}, NOT_UNDONE),),
    )


def clean_weight(method: str) -> Choice:
    """How much a clean gradient counts in the rows of ``method``."""
    return Choice(
        f"weight of the clean gradient in {method}",
        "0: all weight is the noisy gradients'",
        "Algorithm 1; some of the scripts for these runs give it all the weight, which is plain"
        " training whatever the noise, and others none",
        "method.lam",
        name="clean-weight",
        default="0",
        others={
            "1": Reading(
                "1: plain training, whose clean pass moves BatchNorm's statistics",
                on("method", [method], method__lam=1.0, batchnorm="clean"),
            )
        },
        source="Algorithm 1; scripts/run_resnet, utils/nsm.py",
        text="0",
    )


METHOD_CHOICES: tuple[tuple[set[str], Choice], ...] = (
    (
        {*PERTURBING},
        Choice(
            "parameters that are perturbed",
            "all, BatchNorm and biases too",
            "code; the text speaks of noise in weight matrices",
            "method.perturb",
            name="perturbed",
            default="all",
            others={
                "matrices": Reading(
                    "tensors of two or more dimensions, for every method that perturbs",
                    on("method", PERTURBING, method__perturb="weights"),
                )
            },
            source="sections 1 and 2; utils/nsm.py",
            text="matrices",
            code="all",
        ),
    ),
    (
        {"NSO", "WP-SGD"},
        Choice(
            "BatchNorm statistics of NSO and WP-SGD",
            "moved by a clean forward pass of their own",
            "code, which makes a backward pass with it; its cost is counted (a third of a"
            " gradient). The text is silent, and counts the two gradients alone",
            "batchnorm",
            name="noisy-batchnorm",
            default="clean-pass",
            others={
                "first-pass": Reading(
                    "moved by the first noisy pass, without a further one",
                    on("method", ("NSO", "WP-SGD"), batchnorm="clean"),
                )
            },
            source="section 3.1; trainer/nsm_trainer.py",
            code="clean-pass",
        ),
    ),
    (
        {"LS"},
        Choice(
            "label smoothing",
            "s / K on every class",
            "code; Appendix C's 'weight of the loss calculated from the incorrect labels' may be s",
            "method.convention",
            name="label-smoothing",
            default="every-class",
            others={
                "other-classes": Reading(
                    "s / (K - 1) on every class but the true one",
                    on("method", ["LS"], method__convention="others"),
                )
            },
            source="Appendix C; trainer/ls_trainer.py",
            text="other-classes",
            code="every-class",
        ),
    ),
    (
        {"ASAM"},
        Choice(
            "parameters that ASAM scales",
            "all, without an offset",
            "code; in ASAM's own release those with 'weight' in their name, and eta = 0.01",
            "method.scaled",
            name="asam",
            default="all",
            others={
                "published": Reading(
                    "those with 'weight' in their name, with an offset of 0.01",
                    on("method", ["ASAM"], method__scaled="weight", method__eta=0.01),
                )
            },
            source="Kwon et al. 2021; utils/sam.py",
            text="published",
            code="all",
        ),
    ),
    (
        {"RSAM"},
        Choice(
            "RSAM",
            "an ascent of length rho along the gradient at the noisy weights, undone",
            "its idea; in the code the ascent is never undone, and its length is another",
            "method.code_faithful",
            name="rsam",
            default="published",
            others={"code": _as_the_code_is("RSAM")},
            source="Liu et al. 2022; utils/rsam.py",
            text="published",
            code="code",
        ),
    ),
    (
        {"BSAM"},
        Choice(
            "rule of BSAM",
            "fixed: the code's, which has no posterior, with its ascent undone",
            "in the code it is never undone; adaptive is bSAM as published, which makes a step of"
            " its own, without momentum and weight decay",
            "method.posterior",
            name="bsam",
            default="fixed",
            others={
                "adaptive": Reading(
                    "bSAM as published", tuple(_published_bsam(dataset) for dataset in DATASETS)
                ),
                "code": _as_the_code_is("BSAM"),
            },
            source="Möllenhoff and Khan 2023; utils/bsam.py",
            text="adaptive",
            code="code",
        ),
    ),
    (
        {"BSAM"},
        Choice(
            "sigma of BSAM",
            "0.01, its default",
            "Appendix C names a grid of its radius only; early scripts have 0.01, 0.012 and 0.014",
            "method.sigma",
            name="bsam-sigma",
            default="0.01",
            others={
                str(sigma): Reading(
                    f"{sigma}, without a search", on("method", ["BSAM"], method__sigma=sigma)
                )
                for sigma in (0.012, 0.014)
            },
            source="Appendix C; early scripts",
            code="0.01",
        ),
    ),
)
