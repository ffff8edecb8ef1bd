"""What the printed traces and eigenvalues are of."""

from __future__ import annotations

from search_spaces.nso.protocol import LAMBDA1, TRACE
from search_spaces.spec import Choice, Fields, Metric, Reading

OF_TRACE = {"metric": TRACE.key}
OF_LAMBDA1 = {"metric": LAMBDA1.key}


def _as_test(metric: Metric) -> Reading:
    apart = ({"metric": metric.key},)
    return Reading("test images", measures={metric.name: {"split": "test"}}, incomparable=apart)


SPREAD = Choice(
    "± of traces and eigenvalues",
    "over training runs",
    "the code's is over seeds of the estimator on one network: no verdict is drawn from it",
    name="trace-spread",
    default="runs",
    single="the estimator's own error stands beside every trace in the record",
    source="early scripts",
)


def trace(at: tuple[float, ...] = ()) -> Choice:
    """Of which Hessian the trace is; measured ``at`` these fractions of the training."""
    exact: Fields = {"at": at} if at else {}
    return Choice(
        "Hessian trace",
        "code's: mean over 63 training batches of 16, eval mode, convolutions and head",
        "the scripts' default. The code also prints the sum over layers of the largest trace in any"
        " batch, and has a flag for test images (for Messidor); the trace of the Hessian, which the"
        " text names, is of the mean loss of all training images, over all parameters",
        name="trace",
        default="code",
        others={
            "largest-batch": Reading(
                "sum over layers of the largest trace in any batch",
                metrics={TRACE.key: {"name": f"{TRACE.name}/sum_of_max"}},
                incomparable=(OF_TRACE,),
            ),
            "test-images": _as_test(TRACE),
            "exact": Reading(
                "the trace of the Hessian of the mean training loss, by 100 probes",
                measures={"hessian_trace": exact},
                metrics={TRACE.key: {"name": "hessian_trace"}},
                incomparable=(OF_TRACE,),
            ),
        },
        source="section 2.2; utils/hessian.py and compute_hessian_traces.py",
        text="exact",
        code="code",
    )


def traces(at: tuple[float, ...] = ()) -> tuple[Choice, ...]:
    """`trace`, and what its ± is."""
    return trace(at), SPREAD


LAMBDA1_CHOICE = Choice(
    "lambda_1",
    "code's: sum over layers, each layer's vector of unit norm (up to 34 times the eigenvalue)",
    "code; an eigenvalue of the Hessian, which the text names, needs one vector for all layers",
    "measure",
    name="lambda-1",
    default="code",
    others={
        "exact": Reading(
            "the largest eigenvalue of the Hessian of the mean training loss",
            measures={"hessian_lambda_max": {}},
            metrics={LAMBDA1.key: {"name": "hessian_lambda_max"}},
            incomparable=(OF_LAMBDA1,),
        ),
        "test-images": _as_test(LAMBDA1),
    },
    source="section 3.1.1; utils/hessian.py",
    text="exact",
    code="code",
)
TRACE_REFERENCE = Choice(
    "what NSO's average reductions are relative to",
    "the least number among SGD, SAM, USAM and ASAM on each data set",
    "not stated; of the references that were tried it gives the sentences' numbers from the printed"
    " tables (15.84 and 9.71)",
    name="reduction-reference",
    default="least",
    single="by any other the averages of the printed tables are other numbers than the sentences'",
    source="section 3.1.1",
)
GAIN_REFERENCE = Choice(
    "what NSO's average gain of accuracy is relative to",
    "the mean of SAM, USAM, ASAM, RSAM and BSAM",
    "not stated; from the printed tables it gives 1.24, and three other references 1.1 to 1.3",
    name="gain-reference",
    default="mean-of-five",
    single="the others that give about the printed number differ by less than its rounding",
    source="section 3.1.1",
)
