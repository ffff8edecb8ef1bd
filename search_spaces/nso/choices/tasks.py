"""What is open in the experiments with language models, image-text models and graphs.

Files are the authors' (github.com/VirtuosoResearch/Noise-stability-optimization), which have forks
of open_clip and of reasoning-teacher.
"""

from __future__ import annotations

from search_spaces.choice import on, where
from search_spaces.nso.choices.measured import OF_LAMBDA1, OF_TRACE
from search_spaces.nso.protocol import LAMBDA1, TRACE
from search_spaces.spec import Choice, Fields, Reading

CAPTIONS = "ConceptualCaptions"
THOUGHTS = ("CommonsenseQA", "StrategyQA")
SAMPLES = 1616  # of the code's Hessians on captions, taken together

EXACT: Fields = {"samples": SAMPLES}

CHOICES = (
    Choice(
        "number of runs",
        "3",
        "not stated; the code has one to three",
        name="unstated-runs",
        default="3",
        single="the number of seeds is one of a sweep's options",
        source="chain-of-thought-finetuning/scripts/train_nso",
        code="3",
    ),
    Choice(
        "optimizer of the row SGD, and of all rows",
        "AdamW",
        "code; the text speaks of replacing SGD, and gives no learning rate",
        "optimizer.name",
        name="language-optimizer",
        default="adamw",
        single="no learning rate of SGD is known for any of the three",
        source="section 3.2; scripts of both",
        code="adamw",
    ),
    Choice(
        "epochs of chain-of-thought fine-tuning",
        "5, the same for every row",
        "not stated; by the code's defaults 20 for SGD and 5 for SAM and NSO",
        "epochs",
        name="reasoning-epochs",
        default="equal",
        others={
            "code": Reading(
                "20 for SGD, 5 for SAM and NSO",
                tuple(where({"task": task, "method": "SGD"}, epochs=20) for task in THOUGHTS),
            )
        },
        source="chain-of-thought-finetuning/custom_train.py",
        code="code",
    ),
    Choice(
        "length of the training on captions",
        "9 passes over all pairs",
        "the code counts 30 epochs of 1,000,000 samples each; the text gives the number of pairs,"
        " 3.3 million, and no length",
        "epochs",
        name="caption-epochs",
        default="9-passes",
        others={
            "30-passes": Reading("30 passes over all pairs", on("task", [CAPTIONS], epochs=30)),
        },
        source="section 3.2; open_clip/scripts",
        code="9-passes",
    ),
    Choice(
        "pairs of Conceptual Captions",
        "those that are there: most of 3.3 million, and of 15,840 to test",
        "they are published as links, some of which lead nowhere by now",
        "data.source",
        name="caption-pairs",
        default="there",
        single="nobody has published which of them the authors had",
        source="section 3.2",
    ),
    Choice(
        "what radii and sigmas are chosen on",
        "pairs and questions held out of the training ones",
        "not stated; the code prints numbers of the development set alone, and takes the epoch with"
        " the best answers there",
        "data.validation",
        name="language-validation",
        default="held-out",
        single="choosing on the numbers that are shown is a selection rule of any artifact:"
        " --selection best_test",
        source="chain-of-thought-finetuning/custom_train.py",
    ),
    Choice(
        "grid of sigma on chains of thought",
        "0.01, 0.012, 0.014",
        "the training scripts; one that evaluates has 0.008 too",
        "method.sigma",
        name="thought-sigmas",
        default="three",
        others={
            "four": Reading(
                "0.008, 0.01, 0.012, 0.014",
                grids={"method.sigma": (0.008, 0.01, 0.012, 0.014)},
                stages=("tune NSO on thoughts",),
            )
        },
        source="chain-of-thought-finetuning/scripts/train_nso",
        code="three",
    ),
    Choice(
        "rationales of StrategyQA",
        "64 for each question",
        "code: sampled at temperature 0.7; of CommonsenseQA it has one for each question",
        "data.source.rationales",
        name="rationales",
        default="64",
        others={
            "8": Reading(
                "the first 8 for each question",
                on("task", ["StrategyQA"], data__source__rationales=8),
            )
        },
        source="chain-of-thought-finetuning/scripts/train_nso",
        code="64",
    ),
    Choice(
        "precision on captions",
        "float32 for every row",
        "code: the plain row in mixed precision, and those of SAM and NSO without it, their loss"
        " multiplied by a factor that nothing divides by again",
        "precision",
        name="caption-precision",
        default="float32",
        others={
            "mixed": Reading(
                "bfloat16 for SGD, float32 for SAM and NSO",
                (where({"task": CAPTIONS, "method": "SGD"}, precision="bfloat16"),),
            )
        },
        source="open_clip/src/open_clip_train",
        code="mixed",
    ),
    Choice(
        "dropout of GPT-2",
        "0.1, drawn anew in each pass",
        "its publisher's, and the code's: the passes at w + U and w - U differ in it, so that the"
        " first order does not cancel",
        "model.dropout",
        name="dropout",
        default="published",
        others={"none": Reading("none", on("task", THOUGHTS, model__dropout=0.0))},
        source="chain-of-thought-finetuning/custom_train.py",
        code="published",
    ),
    Choice(
        "Hessian trace",
        "code's: mean over 101 training batches (captions 16, CommonsenseQA 2, StrategyQA 8), eval"
        " mode, weights of linear layers",
        "the scripts'; the trace of the Hessian, which the text names, is over all parameters",
        name="language-trace",
        default="code",
        others={
            "largest-batch": Reading(
                "sum over layers of the largest trace in any batch",
                metrics={TRACE.key: {"name": f"{TRACE.name}/sum_of_max"}},
                incomparable=(OF_TRACE,),
            ),
            "exact": Reading(
                f"the trace of the Hessian of the mean loss of {SAMPLES} training examples, by 100"
                " probes",
                measures={"hessian_trace": EXACT},
                metrics={TRACE.key: {"name": "hessian_trace"}},
                incomparable=(OF_TRACE,),
            ),
        },
        source="section 3.2; compute_hessian_traces.py of both",
        text="exact",
        code="code",
    ),
    Choice(
        "lambda_1",
        "code's: sum over layers, each layer's vector of unit norm",
        "code; an eigenvalue of the Hessian needs one vector for all layers. The column's head is"
        " lost: the code prints the two together",
        "measure",
        name="language-lambda-1",
        default="code",
        others={
            "exact": Reading(
                "the largest eigenvalue of the Hessian of the mean loss of"
                f" {SAMPLES} training examples",
                measures={"hessian_lambda_max": EXACT},
                metrics={LAMBDA1.key: {"name": "hessian_lambda_max"}},
                incomparable=(OF_LAMBDA1,),
            )
        },
        source="section 3.2; utils/hessian.py of both",
        text="exact",
        code="code",
    ),
)
