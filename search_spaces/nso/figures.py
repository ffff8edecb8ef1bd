"""NSO's figures; see `protocol` for what they share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from search_spaces.nso.protocol import (
    ACCURACY,
    BASE,
    COMMON,
    DATASETS,
    HESSIAN_CHOICE,
    HESSIAN_CHOICES,
    METHODS,
    RUNS,
    SELECTION,
    TRACE,
    TRACE_MEASURE,
    cell,
    choices,
    common,
    sharing_sigma,
    stages,
)
from search_spaces.nso.sensing import FIGURE6
from search_spaces.preset import KEEP, OTHERWISE
from search_spaces.presets import SMALL, SMOKE, adjusted
from search_spaces.spec import (
    Artifact,
    Cell,
    Choice,
    CurveView,
    Epochs,
    Experiment,
    InName,
    Label,
    Measure,
    Metric,
    Notes,
    Selection,
    Stage,
)

TEST_LOSS = Metric("test_nll", "test loss", digits=3)
GAP = Metric("test_nll", "generalization gap", digits=3, minus="train_nll_curve")
UNSELECTED = Selection(on="test_nll", epoch="last", stated="nothing is selected; last epoch")


# -- Figure 2: injected noise against the Hessian (section 2.2, Appendix C) ----------------------

FIGURE2_SIGMAS = tuple(round(0.02 + 0.001 * step, 3) for step in range(21))  # code
FIGURE2_DRAWS = 20  # code


FIGURE2 = Artifact(
    id="nso/figure2",
    experiment=Experiment(
        base={
            "data.source": "mnist",
            "data.validation": 0,
            "model": {"name": "mlp", "widths": (128,)},
            "optimizer.name": "adam",
            "optimizer.amsgrad": True,
            "optimizer.lr": 1e-4,
            "optimizer.weight_decay": 0.0,
            "schedule.name": "constant",
            "epochs": 30,
            "batch_size": 256,
        },
        cells=(Cell({"model": "MLP"}),),
        stages=(Stage("train", seeds=1),),
        selection=UNSELECTED,
        measures=(
            Measure(
                "perturbation_gap",
                {"sigma": FIGURE2_SIGMAS, "num_samples": FIGURE2_DRAWS, "parameters": "weights"},
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
    ),
    notes=Notes(
        title="Loss gap under injected noise beside sigma^2 / 2 times the Hessian trace, MLP on"
        " MNIST",
        choices=(
            Choice(
                "draws of the noise",
                "20 antithetic pairs",
                "code, for text and graphs; its MNIST run has 10; the printed number is lost",
            ),
            Choice(
                "optimizer", "Adam (amsgrad), 1e-4, batch 256", "code; the paper prints epochs only"
            ),
        ),
    ),
)


def _blocked(name: str, title: str, needs: str) -> Artifact:
    return (
        replace(FIGURE2, id=f"nso/{name}")
        .with_experiment(
            cells=(Cell({"model": title}),), base={}, measures=(), blocked=f"it needs {needs}"
        )
        .with_notes(
            title=f"Loss gap under injected noise beside the Hessian's, {title}", choices=()
        )
    )


FIGURE2_BERT = _blocked(
    "figure2_bert",
    "BERT-Base on MRPC",
    "a text model (BERT-Base-Uncased, 12 layers) and the GLUE task MRPC",
)
FIGURE2_GCN = _blocked(
    "figure2_gcn",
    "two-layer GCN on COLLAB",
    "a graph model (GCN, width 128) and the TUDataset COLLAB",
)

# -- Figure 3: during training (section 3.1.1) ---------------------------------------------------

FIGURE3_DATASETS = ("Aircraft", "Indoor", "Retina")
FIGURE3_AT = (1 / 6, 1 / 3, 1 / 2, 2 / 3, 5 / 6, 1.0)  # code: epochs 5, 10, ..., 30 of 30

FIGURE3 = Artifact(
    id="nso/figure3",
    experiment=Experiment(
        base=BASE,
        cells=common(
            cell(method, dataset)
            for method in ("SGD", "WP-SGD", "NSO")
            for dataset in FIGURE3_DATASETS
        ),
        stages=stages("SGD", "WP-SGD", "NSO", runs=1),
        selection=SELECTION,
        measures=(
            replace(TRACE_MEASURE, at=FIGURE3_AT),
            Measure("loss", label="train_nll_curve", at=FIGURE3_AT),
        ),
    ),
    view=CurveView(
        x=Epochs(),
        panels=("dataset",),
        rows=("method",),
        columns=("dataset",),
        metrics=(TRACE, GAP, TEST_LOSS),
    ),
    notes=Notes(
        title="Hessian trace, generalization gap and test loss during training: SGD, WP-SGD, NSO",
        choices=(
            *choices("SGD", "WP-SGD", "NSO", datasets=FIGURE3_DATASETS, runs=1),
            HESSIAN_CHOICE,
            Choice(
                "data sets",
                "those of Table 2",
                "the text names none of its six panels; the code's scripts have Aircraft and"
                " Indoor",
            ),
        ),
        claims=("NSO ends with a trace 10.6 % below WP-SGD's on average (section 3.1.2)",),
    ),
)

# -- Figure 4: learning rate and epochs (section 3.1.2) ------------------------------------------

FIGURE4_VARIED: dict[str, tuple[str, tuple[Any, ...]]] = {
    "learning rate": ("optimizer.lr", (0.001, 0.002, 0.005)),
    "epochs": ("epochs", (20, 40, 60)),
}


def _figure4(method: str, varied: str) -> list[Cell]:
    field, values = FIGURE4_VARIED[varied]
    return [
        cell(method, "Indoor", {"varied": varied, "value": str(value)}, **{field: value})
        for value in values
    ]


FIGURE4 = Artifact(
    id="nso/figure4",
    experiment=Experiment(
        base=BASE,
        cells=common(
            made
            for method in ("NSO", "WP-SGD")
            for varied in FIGURE4_VARIED
            for made in _figure4(method, varied)
        ),
        stages=(
            *stages(),
            *(
                Stage(
                    varied,
                    {"varied": varied},
                    seeds=1,
                    after="common",
                    match=(),
                    inherit=tuple(name for name in COMMON if name != field),
                )
                for varied, (field, _) in FIGURE4_VARIED.items()
            ),
        ),
        selection=SELECTION,
    ),
    view=CurveView(
        x=Label("value", called_by="varied"),
        panels=("varied",),
        rows=("method",),
        columns=("varied", "value"),
        metrics=(TEST_LOSS,),
    ),
    notes=Notes(
        title="Test loss of NSO and WP-SGD against learning rate and number of epochs",
        choices=(
            *choices("NSO", "WP-SGD", datasets=("Indoor",), runs=1, tuned=False),
            Choice("values, data set", "three of each grid; Indoor", "lost in the text; not named"),
            Choice("sigma", "0.01, its default", "not stated", "method.sigma"),
        ),
    ),
    presets={
        "small": adjusted(SMALL, substitute={"epochs": {20: 4, 40: 8, 60: 12, OTHERWISE: 6}}),
        "smoke": adjusted(SMOKE, substitute={"epochs": {20: 2, 40: 4, 60: 6, OTHERWISE: 4}}),
    },
)

# -- Figure 5: batch size (left), NSO with other regularisers (right; section 3.1.4) -------------

FIGURE5_BATCH_SIZES = (8, 16, 32, 64)
FIGURE5_SETTINGS: dict[str, dict[str, dict[str, float]]] = {  # code
    "Indoor": {"NSO": {"sigma": 0.012}, "SAM": {"rho": 0.02}},
    "Aircraft": {"NSO": {"sigma": 0.008}, "SAM": {"rho": 0.01}},
}
WITHOUT_BATCH = tuple(name for name in COMMON if name != "batch_size")

FIGURE5 = Artifact(
    id="nso/figure5",
    experiment=Experiment(
        base=BASE,
        cells=common(
            cell(
                method,
                dataset,
                {"batch size": str(size)},
                batch_size=size,
                method={**METHODS[method], **setting},
            )
            for dataset, settings in FIGURE5_SETTINGS.items()
            for method, setting in settings.items()
            for size in FIGURE5_BATCH_SIZES
        ),
        stages=(
            *stages(),
            Stage(
                "final",
                {"method": ("NSO", "SAM")},
                seeds=RUNS,
                after="common",
                match=(),
                inherit=WITHOUT_BATCH,
            ),
        ),
        selection=SELECTION,
        measures=(TRACE_MEASURE,),
    ),
    view=CurveView(
        x=Label("batch size"),
        panels=("dataset",),
        rows=("method", "batch size"),
        columns=("dataset",),
        metrics=(TRACE, ACCURACY),
    ),
    notes=Notes(
        title="NSO and SAM against the batch size",
        choices=(
            *choices("NSO", "SAM", datasets=FIGURE5_SETTINGS, tuned=False),
            *HESSIAN_CHOICES,
            Choice("length of training", "equal epochs", "the text; the code has equal steps"),
            Choice("data sets", "Indoor and Aircraft", "code; the paper names Indoor only"),
            Choice(
                "sigma, rho",
                "0.012 and 0.02 on Indoor, 0.008 and 0.01 on Aircraft",
                "code; not stated, but 'carefully adjusted' (section 3.1)",
                "method",
            ),
        ),
        claims=(
            "NSO is less sensitive to the batch size than SAM on Indoor, and regularizes the"
            " Hessian more at every size (section 3.1.3)",
        ),
    ),
    presets={
        "small": adjusted(SMALL, substitute={"batch_size": {8: 32, 16: 64, 32: 128, 64: 256}}),
        "smoke": adjusted(SMOKE, substitute={"batch_size": {8: 16, 16: 32, 32: 64, 64: 128}}),
    },
)

DISTANCE = 1e-4  # code
COMBINED: dict[str, dict[str, Any]] = {
    "none": {},
    "augmentation": {"data.augmentation": ({"name": "random_resized_crop"}, {"name": "flip"})},
    "distance": {"regularizers": ({"name": "l2_sp", "lam": DISTANCE},)},
}

FIGURE5_COMBINED = Artifact(
    id="nso/figure5_combined",
    experiment=Experiment(
        base=BASE,
        cells=common(
            cell("NSO", dataset, {"added": added}, **fields)
            for added, fields in COMBINED.items()
            for dataset in DATASETS
        ),
        stages=sharing_sigma({"method": "NSO", "added": "none"}, {"method": "NSO"}),
        selection=SELECTION,
        measures=(replace(TRACE_MEASURE, at=FIGURE3_AT),),
    ),
    view=CurveView(
        x=Epochs(),
        panels=("dataset",),
        rows=("added",),
        columns=("dataset",),
        metrics=(TRACE, TEST_LOSS),
    ),
    notes=Notes(
        title="NSO alone, with data augmentation, and with a penalty on the distance to the start",
        choices=(
            *choices("NSO"),
            *HESSIAN_CHOICES,
            Choice("sigma", "NSO alone's, for every row", "not stated", "method.sigma"),
            Choice(
                "augmentation that is added",
                "a random resized crop, then a flip",
                "code; the text has 'random horizontal flipping and random cropping sequentially'",
                "data.augmentation",
            ),
            Choice(
                "distance penalty",
                "1e-4 times the squared Frobenius distance",
                "code's value; as released it is never switched on",
                "regularizers",
            ),
        ),
        claims=(
            "either addition lowers the trace by 13.6 % and the test loss by 16.3 % on average"
            " (section 3.1.4)",
        ),
    ),
    presets={"smoke": adjusted(SMOKE, substitute={"data.augmentation": KEEP})},
)

FIGURES = (
    FIGURE2,
    FIGURE2_BERT,
    FIGURE2_GCN,
    FIGURE3,
    FIGURE4,
    FIGURE5,
    FIGURE5_COMBINED,
    FIGURE6,
)
