"""What FA's text says of its numbers: sentences with the predicates by which they are judged."""

from __future__ import annotations

from search_spaces.claim import (
    AllBetter,
    ArgBest,
    BestBalance,
    Claim,
    Dearer,
    Equal,
    Place,
    Property,
    Text,
    UpTo,
    higher,
    lower,
)
from search_spaces.fa.protocol import CLAIMED, LAMBDAS

FINAL, PEAK = "test_error@last", "test_error@best_test"
CURVATURE, SECONDS = "hessian_trace_of_square@mean", "training_seconds"
BEST, A_POINT = LAMBDAS.index("0.01"), 0.01


def _at(column: str, strength: str) -> Place:
    return Place(column, {"dataset": CLAIMED, "lambda": strength})


FINALS = tuple(_at(FINAL, strength) for strength in LAMBDAS)
PEAKS = tuple(_at(PEAK, strength) for strength in LAMBDAS)
PENALIZED = tuple(strength for strength in LAMBDAS if float(strength))
ACCURATE = ArgBest(FINALS, BEST, lower=False)
FLATTER = (
    lower(_at(CURVATURE, "0.1"), _at(CURVATURE, "0.01")),
    lower(_at(CURVATURE, "1.0"), _at(CURVATURE, "0.1")),
)
WORSE = tuple(lower(_at(FINAL, strong), _at(FINAL, "0.01")) for strong in ("0.1", "1.0"))
STRONGER = tuple(higher(_at(FINAL, strong), _at(FINAL, "0.01")) for strong in ("0.1", "1.0"))
MORE_ACCURATE = tuple(higher(_at(FINAL, strength), _at(FINAL, "0.0")) for strength in PENALIZED)

CLAIMS = (
    Claim(
        "fa-01",
        "argbest",
        "lambda = 0.01 gives the best final accuracy",
        ("fa/figure1",),
        ACCURATE,
    ),
    Claim(
        "fa-02",
        "other",
        "lambda = 0.01 is the best balance, with a peak accuracy of 27.8 %",
        ("fa/figure1",),
        BestBalance(ACCURATE, PEAKS, LAMBDAS.index("0.0"), margin=A_POINT),
    ),
    Claim(
        "fa-03",
        "better",
        "lambda = 0.01 keeps a lower curvature than the baseline",
        ("fa/figure1",),
        AllBetter((lower(_at(CURVATURE, "0.01"), _at(CURVATURE, "0.0")),), log=True),
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
        Equal(STRONGER, margin=A_POINT, pooled=False, one_sided=True),
    ),
    Claim(
        "fa-07",
        "cost",
        "The baseline takes about 60 s, every FA setting about 2200 to 2400 s",
        ("fa/figure1",),
        Dearer(
            tuple(_at(SECONDS, strength) for strength in PENALIZED),
            _at(SECONDS, "0.0"),
            more_than=10.0,
            within=0.15,
        ),
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
        (),
        Property("test_hutchinson_finds_the_trace", shows="holds"),
    ),
    Claim(
        "fa-10",
        "better",
        "Penalizing curvature leads to more robust generalization",
        ("fa/figure1",),
        UpTo(MORE_ACCURATE),
    ),
)
