"""NSO's figure 2: injected noise against the Hessian (section 2.2, Appendix C)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from search_spaces.choice import everywhere
from search_spaces.preset import OTHERWISE
from search_spaces.presets import SMALL, SMOKE, adjusted
from search_spaces.spec import (
    Artifact,
    Cell,
    Choice,
    CurveView,
    Experiment,
    InName,
    Measure,
    Metric,
    Notes,
    Preset,
    Reading,
    Selection,
    Stage,
)
from trainables.metric_name import MetricName

UNSELECTED = Selection(on="test_nll", epoch="last", stated="nothing is selected; last epoch")
GAP_ERROR = MetricName("perturbation_gap@").std_error
"""Of each gap, over the draws of the noise."""

FIGURE2_DRAWS = 20  # code


def _steps(first: float, step: float, count: int) -> tuple[float, ...]:
    return tuple(round(first + step * index, 6) for index in range(count))


def _draws(why: str, code: str) -> Choice:
    return Choice(
        "draws of the noise",
        "20 antithetic pairs",
        why,
        "measure.num_samples",
        name="draws",
        default="20",
        others={
            "10": Reading("10 antithetic pairs", measures={"perturbation_gap": {"num_samples": 10}})
        },
        source="Appendix C (lost); compute_noise_stability.py",
        code=code,
    )


PERTURBED = Choice(
    "perturbed parameters",
    "weight matrices, without biases",
    "the text's words, and the code's layers",
    "measure.parameters",
    name="perturbed",
    default="matrices",
    others={"all": Reading("all parameters", measures={"perturbation_gap": {"parameters": "all"}})},
    source="section 2.2; deprecated/eval_hessian_mnist.py",
    text="matrices",
    code="matrices",
)


def _figure(
    name: str,
    model: str,
    data: str,
    base: dict[str, Any],
    sigmas: tuple[float, ...],
    choices: tuple[Choice, ...],
    presets: dict[str, Preset],
) -> Artifact:
    """One panel: a network is trained, and the two curves are measured on its training set."""
    return Artifact(
        id=f"nso/{name}",
        experiment=Experiment(
            base={"data.validation": 0, "optimizer.weight_decay": 0.0, **base},
            cells=(Cell({"model": model}),),
            stages=(Stage("train", seeds=1),),
            selection=UNSELECTED,
            measures=(
                Measure(
                    "perturbation_gap",
                    {"sigma": sigmas, "num_samples": FIGURE2_DRAWS, "parameters": "weights"},
                ),
            ),
        ),
        view=CurveView(
            x=InName("sigma"),
            rows=("model",),
            metrics=(
                Metric("perturbation_gap", "measured gap", better="neither", digits=4),
                Metric(
                    "perturbation_gap@/hessian", "Hessian approximation", better="neither", digits=4
                ),
            ),
            judged=(Metric(GAP_ERROR, "standard error of the gap"),),
        ),
        notes=Notes(
            title="Loss gap under injected noise beside sigma^2 / 2 times the Hessian trace,"
            f" {model} on {data}",
            choices=choices,
        ),
        presets=presets | {"laptop": replace(presets["small"], name="laptop")} if presets else {},
    )


FIGURE2 = _figure(
    "figure2",
    "MLP",
    "MNIST",
    {
        "data.source": "mnist",
        "model": {"name": "mlp", "widths": (128,)},
        "optimizer.name": "adam",
        "optimizer.amsgrad": True,
        "optimizer.lr": 1e-4,
        "schedule.name": "constant",
        "epochs": 30,
        "batch_size": 256,
    },
    _steps(0.02, 0.001, 21),  # code
    (
        _draws("code, for text and graphs; its MNIST run has 10; the printed number is lost", "10"),
        PERTURBED,
        Choice(
            "epochs",
            "30",
            "Appendix C; the code's configuration has 10",
            "epochs",
            name="epochs",
            default="30",
            others={"10": Reading("10", everywhere(epochs=10))},
            source="Appendix C; configs/config_mnist.json",
            text="30",
            code="10",
        ),
        Choice(
            "optimizer",
            "Adam (amsgrad), 1e-4, batch 256",
            "code; the paper prints epochs only",
            "optimizer.name",
            name="optimizer",
            default="adam",
            others={
                "sgd": Reading(
                    "SGD at 0.1 with momentum 0.9, batch 256",
                    everywhere(optimizer__name="sgd", optimizer__amsgrad=False, optimizer__lr=0.1),
                )
            },
            source="configs/config_mnist.json",
            code="adam",
        ),
    ),
    {},
)

DRAWS = _draws("code; the printed number is lost", "20")

FIGURE2_BERT = _figure(
    "figure2_bert",
    "BERT-Base",
    "MRPC",
    {
        "data.source": {"name": "mrpc"},
        "model": {"name": "bert", "weights": "bert-base-uncased"},
        "optimizer.name": "adamw",
        "optimizer.lr": 1e-5,
        "schedule.name": "linear",
        "epochs": 10,
        "batch_size": 8,
    },
    _steps(0.0071, 0.0001, 10),  # code
    (
        DRAWS,
        PERTURBED,
        Choice(
            "optimizer of BERT",
            "AdamW at 1e-5 that falls linearly to 0, batch 8",
            "code, of which one version has 1e-5 and the last one's configuration 2e-5; the paper"
            " prints epochs only",
            "optimizer.lr",
            name="bert-rate",
            default="1e-5",
            others={"2e-5": Reading("AdamW at 2e-5", everywhere(optimizer__lr=2e-5))},
            source="exps_on_text_datasets/configs/config_glue.json",
            code="1e-5",
        ),
        Choice(
            "length of a pair of sentences",
            "that of the longest pair",
            "the code cuts pairs after 128 tokens; those of MRPC are shorter",
            name="bert-length",
            default="whole",
            single="no pair is cut by either",
            source="exps_on_text_datasets/configs/config_glue.json",
        ),
    ),
    {
        "small": adjusted(
            SMALL,
            {"optimizer.lr": 5e-4, "batch_size": 32, "epochs": 30},
            {
                "data.source": {"mrpc": {"name": "mrpc", "tokenizer": "words"}},
                "model": {"bert": {"name": "bert", "depth": 2, "width": 64, "heads": 4}},
            },
            summary="MRPC by words, a BERT of 2 layers of width 64 from scratch",
            measures={OTHERWISE: {"samples": 1000}},
        ),
        "smoke": adjusted(
            SMOKE,
            {"optimizer.lr": 1e-3, "batch_size": 32, "epochs": 12},
            {"data.source": {"mrpc": "paraphrases"}, "model": {"bert": "bert_tiny"}},
            summary="paraphrases that are made by rules, a tiny BERT from scratch",
        ),
    },
)

FIGURE2_GCN = _figure(
    "figure2_gcn",
    "two-layer GCN",
    "COLLAB",
    {
        "data.source": {"name": "collab"},
        "model": {"name": "gcn", "batchnorm": True},
        "optimizer.name": "adam",
        "optimizer.lr": 0.01,
        "schedule.name": "step",
        "schedule.milestones": (0.25, 0.5, 0.75),
        "schedule.gamma": 0.5,
        "epochs": 100,
        "batch_size": 128,
    },
    _steps(0.04, 0.001, 21),  # code
    (
        DRAWS,
        PERTURBED,
        Choice(
            "task of COLLAB",
            "classification of graphs",
            "the text says nodes, and COLLAB of TUDataset has a class for each graph",
            name="collab",
            default="graphs",
            single="its nodes have no classes",
            source="Appendix C",
            code="graphs",
        ),
        Choice(
            "normalization of the GCN",
            "BatchNorm after each convolution",
            "the code's, unless it is told otherwise; the text names none",
            "model.batchnorm",
            name="gcn-norm",
            default="batchnorm",
            others={"none": Reading("none", everywhere(model__batchnorm=False))},
            source="Appendix C; exps_on_graph_datasets/model.py",
            text="none",
            code="batchnorm",
        ),
        Choice(
            "optimizer of the GCN",
            "Adam at 0.01, halved after each quarter, batch 128",
            "code, which parses a weight decay and does not use it; the paper prints epochs only",
            "schedule.name",
            name="gcn-rate",
            default="halved",
            others={
                "constant": Reading(
                    "Adam at 0.01, constant, batch 128",
                    everywhere(
                        schedule__name="constant", schedule__milestones=(), schedule__gamma=0.1
                    ),
                )
            },
            source="exps_on_graph_datasets/train_graph_pred.py",
            code="halved",
        ),
        Choice(
            "graphs that are trained and measured on",
            "four fifths, drawn by the trial's seed",
            "the code trains on nine of ten folds, drawn by a seed, with each class in proportion;"
            " the text says the training set that is provided, and none is",
            "data.source",
            name="collab-split",
            default="drawn",
            single="which graphs its folds have is drawn there too",
            source="exps_on_graph_datasets/utils/splitter.py",
        ),
    ),
    {
        "small": adjusted(
            SMALL,
            {"epochs": 40, "batch_size": 128},
            {
                "data.source": {"collab": "ego_graphs"},
                "model": {"gcn": {"name": "gcn", "width": 64, "batchnorm": True}},
            },
            summary="made-up ego graphs, a GCN of width 64",
        ),
        "smoke": adjusted(
            SMOKE,
            {"epochs": 40, "batch_size": 64},
            {
                "data.source": {"collab": "ego_graphs"},
                "model": {"gcn": {"name": "gcn_tiny", "batchnorm": True}},
            },
            summary="made-up ego graphs, a GCN of width 16",
        ),
    },
)
