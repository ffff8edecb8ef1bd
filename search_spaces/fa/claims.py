"""What FA's text says of its numbers: sentences with the predicates by which they are judged."""

from __future__ import annotations

from search_spaces.claim import AllBetter, ArgBest, Claim, Place, Text, lower
from search_spaces.fa.protocol import CLAIMED, LAMBDAS

FINAL, CURVATURE = "test_error@last", "hessian_trace_of_square@mean"


def _at(column: str, strength: str) -> Place:
    return Place(column, {"dataset": CLAIMED, "lambda": strength})


FINALS = tuple(_at(FINAL, strength) for strength in LAMBDAS)
FLATTER = (
    lower(_at(CURVATURE, "0.1"), _at(CURVATURE, "0.01")),
    lower(_at(CURVATURE, "1.0"), _at(CURVATURE, "0.1")),
)
WORSE = tuple(lower(_at(FINAL, strong), _at(FINAL, "0.01")) for strong in ("0.1", "1.0"))

CLAIMS = (
    Claim(
        "fa-01",
        "argbest",
        "lambda = 0.01 gives the best final accuracy",
        ("fa/figure1",),
        ArgBest(FINALS, LAMBDAS.index("0.01"), lower=False),
    ),
    Claim(
        "fa-02",
        "other",
        "lambda = 0.01 is the best balance, with a peak accuracy of 27.8 %",
        ("fa/figure1",),
    ),
    Claim(
        "fa-03",
        "better",
        "lambda = 0.01 keeps a lower curvature than the baseline",
        ("fa/figure1",),
    ),
    Claim(
        "fa-04",
        "better",
        "Larger penalties further reduce curvature",
        ("fa/figure1",),
        AllBetter(FLATTER, log=True),
    ),
    Claim(
        "fa-05",
        "better",
        "Larger penalties slightly reduce the final accuracy",
        ("fa/figure1",),
        AllBetter(WORSE),
    ),
    Claim(
        "fa-06",
        "equal",
        "There is little added benefit at higher lambda",
        ("fa/figure1",),
    ),
    Claim(
        "fa-07",
        "cost",
        "The baseline takes about 60 s, every FA setting about 2200 to 2400 s",
        ("fa/figure1",),
    ),
    Claim(
        "fa-08",
        "text",
        "The data set is CIFAR-100",
        ("fa/figure1",),
        Text(),
    ),
    Claim(
        "fa-09",
        "property",
        "E[v' H^2 v] = Tr(H^2)",
        needs="a small network, float64",
    ),
    Claim(
        "fa-10",
        "better",
        "Penalizing curvature leads to more robust generalization",
        ("fa/figure1",),
    ),
)
