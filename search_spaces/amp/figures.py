"""AMP's figures of trained networks, and the cost that its section 5.5 claims.

Numbers of figures 7 and 8 are not printed: they are read from the authors'
plotting script and from the vector graphics of their poster.
"""

from __future__ import annotations

from dataclasses import replace

from search_spaces.amp.choices import (
    AMP,
    CIFAR10_CHOICES,
    CLIPPING,
    GAMMA,
    NORM,
    OTHER_NETWORKS,
    PADDING_COLOR,
    RADIUS_CHOICES,
    STEP,
    THREE_RUNS,
    only,
    preactresnet18,
)
from search_spaces.amp.protocol import (
    BASE,
    CLIP,
    DATASETS,
    ERROR,
    METHODS,
    NETWORKS,
    NLL,
    PREACT,
    RUNS,
    SELECTION,
    VANILLA,
    amp,
    cell,
    trained,
)
from search_spaces.amp.rivals import TABLE1_CHOICES
from search_spaces.presets import AS_PRINTED, LAPTOP, SMALL, SMOKE, adjusted
from search_spaces.printed import rows, table
from search_spaces.spec import (
    Artifact,
    Cell,
    Choice,
    CurveView,
    Experiment,
    InName,
    Label,
    MapView,
    Measure,
    Metric,
    Notes,
    Reading,
    Reported,
    Selection,
    Stage,
    TableView,
)

# -- Figures 2, 6, 7, 8 --------------------------------------------------------------------------

LANDSCAPES = ("train_landscape", "test_landscape")
RISES = tuple(  # of the loss above that at the minimum, network by network
    Metric(name, f"rise of the {name.partition('_')[0]} loss", minus=f"{name}/0.000")
    for name in LANDSCAPES
)

FIGURE2 = Artifact(
    id="amp/figure2",
    experiment=Experiment(
        base=BASE,
        cells=tuple(cell(PREACT, "CIFAR-10", method) for method in ("ERM", "AMP")),
        stages=(Stage("train", seeds=3),),
        selection=SELECTION,
        measures=(
            Measure("landscape_1d", label="train_landscape", samples=10000),
            Measure("landscape_1d", label="test_landscape", split="test"),
        ),
    ),
    view=CurveView(
        x=InName("displacement"),
        rows=("method",),
        metrics=(
            Metric("train_landscape", "training loss", better="neither"),
            Metric("test_landscape", "test loss", better="neither"),
        ),
        judged=RISES,
    ),
    notes=Notes(
        title="Loss along a random direction around ERM's and AMP's minimum, PreActResNet18,"
        " CIFAR-10",
        choices=(
            GAMMA,
            *CIFAR10_CHOICES,
            Choice(
                "range of the displacement",
                "-1 to 1",
                "the axis is not printed; the authors' poster has 1.5 for a plane",
                "measure.extent",
                name="extent",
                default="1",
                others={
                    "1.5": Reading("-1.5 to 1.5", measures={"landscape_1d": {"extent": 1.5}}),
                },
                source="Figure 2; the authors' poster",
            ),
            Choice(
                "direction",
                "Gaussian, filter-normalized; biases and BatchNorm stay",
                "Li et al. 2018, cited, whose figures are so; the text does not say whether vectors"
                " move",
                "measure.one_dimensional",
                name="direction",
                default="filters",
                others={
                    "vectors": Reading(
                        "biases and BatchNorm move too, each vector normalized as a whole",
                        measures={"landscape_1d": {"one_dimensional": True}},
                    ),
                },
                source="Figure 2, caption",
            ),
            THREE_RUNS,
            Choice(
                "training set",
                "its first 10,000 images",
                "how many were drawn is not stated; their mean differs from that of all by about"
                " 0.9 % of the losses' standard deviation",
                "measure",
                name="landscape-images",
                default="10000",
                others={
                    "all": Reading("all images", measures={"landscape_1d": {"samples": None}}),
                },
                source="Figure 2, caption",
            ),
        ),
    ),
)

SPIRAL_EPSILON = 0.1
SPIRALS = "two spirals and a small network, of our own"

FIGURE6 = Artifact(
    id="amp/figure6",
    experiment=Experiment(
        base={
            "data.source": "spirals",
            "data.validation": 0,
            "model": {"name": "mlp", "widths": (100, 100)},
            "optimizer.lr": 0.05,
            "optimizer.weight_decay": 1e-4,
            "schedule.name": "cosine",
            "epochs": 1000,
            "batch_size": 50,
            "drop_last": False,
        },
        cells=(
            Cell({"method": "ERM"}, {"method": METHODS["ERM"]}),
            Cell({"method": "AMP"}, {"method": amp(SPIRAL_EPSILON, 1.0)}),
        ),
        stages=(Stage("train", seeds=5),),
        selection=SELECTION,
        measures=(Measure("decision_boundary"), Measure("boundary_distance")),
    ),
    view=MapView(
        over_plane="decision_boundary",
        rows=("method",),
        metrics=(
            ERROR,
            NLL,
            Metric("boundary_distance", "median distance", better="higher", digits=3),
        ),
    ),
    notes=Notes(
        title="Decision boundaries of a small network on two spirals, ERM and AMP",
        choices=(
            NORM,
            replace(
                CLIPPING,
                interpretation="to norm 50, AMP's alone",
                others={
                    "none": CLIPPING.others["none"],
                    "outer": only(
                        AMP,
                        CLIPPING.others["outer"].what,
                        method__clip=None,
                        optimizer__clip_norm=CLIP,
                    ),
                },
            ),
            replace(
                THREE_RUNS,
                interpretation="5",
                name="spiral-runs",
                default="5",
                why="not stated; one is drawn, and of five the distances can be compared",
                source="Figure 6, caption",
            ),
            Choice(
                "data, network, training, epsilon",
                "our own",
                "none is printed",
                name="spirals",
                default="own",
                source="Figure 6, caption",
                single="no value of any is known",
            ),
        ),
    ),
    presets={
        **{
            name: adjusted(AS_PRINTED, name=name, summary=SPIRALS, comparable=False)
            for name in ("small", "laptop")
        },
        "smoke": adjusted(
            AS_PRINTED,
            {"epochs": 250},
            name="smoke",
            summary=f"{SPIRALS}, a quarter of the epochs",
            comparable=False,
            seeds=2,
            measures={"decision_boundary": {"points": 15}},
        ),
    },
)

PLOTTED = "not printed: from the authors' plotting script"
PRINTED7 = """
ERM | 0.0204 0.0336 0.1097
Dropout | 0.0186 0.0324 0.1208
Label Smoothing | 0.1894 0.1762 0.1851
Flooding | 0.0109 0.0085 0.0709
MixUp | 0.0447 0.0549 0.0883
Adv. Training | 0.0178 0.0341 0.1106
RMP | 0.0193 0.0335 0.1081
AMP | 0.0052 0.0125 0.0392
"""

FIGURE7 = Artifact(
    id="amp/figure7",
    experiment=Experiment(
        base=BASE,
        cells=tuple(
            cell(PREACT, dataset, method, test_ece=replace(value, note=PLOTTED))
            for (method,), (dataset,), value in table(PRINTED7, [(d,) for d in DATASETS], n=RUNS)
        ),
        stages=(Stage("train", seeds=RUNS),),
        selection=SELECTION,
    ),
    view=CurveView(
        x=Label("dataset"),
        rows=("method",),
        columns=("dataset",),
        metrics=(Metric("test_ece", "ECE", digits=4),),
    ),
    notes=Notes(
        title="Expected calibration error of eight methods, PreActResNet18, three data sets",
        choices=(
            *TABLE1_CHOICES,
            Choice(
                "bins",
                "15 of equal width",
                "Guo et al. 2017, cited; Appendix D is missing",
                name="bins",
                default="15",
                source="section 5.3",
                single="every epoch of every trial is recorded with 15; sweep measure takes other"
                " numbers of bins of the final networks (classification)",
            ),
        ),
        claims=(
            "AMP is calibrated well on every data set, Flooding best on CIFAR-10; label smoothing"
            " makes calibration worse (section 5.3)",
        ),
    ),
)

# A line is a method, a column a radius.
DRAWN = "not printed: read off the authors' poster"
RADII = (0.001, 0.005, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.14)
PRINTED8 = """
AMP | train_nll_curve | 0.0002 0.0003 0.002 0.0048 0.0124 0.0236 0.038 0.0565 0.0765
AMP | test_nll | 0.2269 0.1853 0.1446 0.1269 0.1229 0.129 0.1412 0.1617 0.1842
ERM | train_nll_curve | 0.0002 0.0002 0.0002 0.0002 0.0002 0.0002 0.0002 0.0002 0.0002
ERM | test_nll | 0.2346 0.2346 0.2346 0.2346 0.2346 0.2346 0.2346 0.2346 0.2346
"""


def against_radius(dataset: str) -> list[Cell]:
    """ERM and AMP on ``dataset`` at every radius; ERM, which has none, at each again."""
    return [
        Cell(
            key={"method": method, "epsilon": str(radius)},
            fields={
                "model": NETWORKS[PREACT],
                **trained(amp(radius, 2.0, 2) if method == "AMP" else METHODS[method]),
                "data.source": DATASETS[dataset],
                "data.augmentation": VANILLA[dataset],
            },
        )
        for method in ("ERM", "AMP")
        for radius in RADII
    ]


def _figure8() -> list[Cell]:
    printed = dict(rows(PRINTED8))
    return [
        replace(
            cell,
            reported={
                name: replace(printed[cell.key["method"], name][index], note=DRAWN)
                for name in ("train_nll_curve", "test_nll")
            },
        )
        for index, cell in zip(2 * [*range(len(RADII))], against_radius("CIFAR-10"), strict=True)
    ]


RADIUS_METRICS = (
    Metric("train_nll_curve", "training loss", digits=4),
    Metric("test_nll", "test loss", digits=4),
)
# Of every epoch: it is read at the one whose test loss is shown.
TRAINING_LOSS = Measure("loss", label="train_nll_curve", every=1)

FIGURE8 = Artifact(
    id="amp/figure8",
    experiment=Experiment(
        base=BASE,
        cells=tuple(_figure8()),
        stages=(Stage("train", seeds=3),),
        selection=SELECTION,
        measures=(TRAINING_LOSS,),
    ),
    view=CurveView(
        x=Label("epsilon"),
        rows=("method", "epsilon"),
        metrics=RADIUS_METRICS,
    ),
    notes=Notes(
        title="Training and test loss against the perturbation radius, CIFAR-10",
        choices=(
            *RADIUS_CHOICES,
            THREE_RUNS,
            preactresnet18({}),
            PADDING_COLOR,
            Choice(
                "network",
                "PreActResNet18",
                "ERM's 0.2346 fits its NLL in Table 1, and not that of Table 1's other network"
                " (vgg16); Table 2's is wideresnet",
                "model",
                name="network",
                default="preactresnet18",
                others=OTHER_NETWORKS,
                source="section 5.4; Table 1",
            ),
        ),
        claims=("the test loss is least near epsilon = 0.06 (section 5.4)",),
    ),
)

# -- section 5.5 ---------------------------------------------------------------------------------

SECONDS = Metric("training_seconds", "seconds", better="neither")
TIME = Metric("training_seconds", "time / ERM", relative_to={"method": "ERM"})

CLAIM_COST = Artifact(
    id="amp/claim_cost",
    experiment=Experiment(
        base={**BASE, "epochs": 2},
        cells=(
            cell(PREACT, "CIFAR-10", "ERM"),
            replace(
                cell(PREACT, "CIFAR-10", "AMP"),
                reported={TIME.key: Reported(1.8, note="'usually takes around'")},
            ),
        ),
        stages=(Stage("time", seeds=3),),
        selection=Selection(on="training_seconds", stated="nothing is selected"),
    ),
    view=TableView(rows=("method",), metrics=(SECONDS, TIME)),
    notes=Notes(
        title="Training time of AMP (N = 1) relative to ERM",
        choices=(
            *STEP,
            preactresnet18({}),
            PADDING_COLOR,
            Choice(
                "network, data, batch",
                "PreActResNet18, CIFAR-10, 50",
                "not stated; Table 1's, whose other one is vgg16; Table 2's is wideresnet",
                "model",
                name="network",
                default="preactresnet18",
                others=OTHER_NETWORKS,
                source="section 5.5; code: README.md",
            ),
        ),
    ),
    presets={p.name: adjusted(p, {"epochs": 2}) for p in (SMALL, LAPTOP, SMOKE)},
)

FIGURES = (FIGURE2, FIGURE6, FIGURE7, FIGURE8, CLAIM_COST)
