"""What AMP says without numbers: figure 4, cost and error against N, and Appendix E.

Figure 4 follows from Corollary 2 and needs no training: a trial of one epoch carries the numbers.
"""

from __future__ import annotations

from dataclasses import replace

from search_spaces.amp.choices import (
    CIFAR10_CHOICES,
    GAMMA,
    ONE_RUN,
    RADIUS_CHOICES,
    VANILLA_CHOICES,
    preactresnet18,
)
from search_spaces.amp.figures import (
    RADIUS_METRICS,
    SECONDS,
    TIME,
    TRAINING_LOSS,
    against_radius,
)
from search_spaces.amp.protocol import (
    AMP_PAIRS,
    BASE,
    ERROR,
    NLL,
    PREACT,
    SELECTION,
    amp,
    cell,
    trained,
)
from search_spaces.presets import AS_PRINTED, adjusted
from search_spaces.spec import (
    Artifact,
    Cell,
    Choice,
    CurveView,
    Experiment,
    InName,
    Label,
    Measure,
    Metric,
    Notes,
    Override,
    Reading,
    Selection,
    Stage,
    TableView,
)

# -- Figure 4: Equation 15 -----------------------------------------------------------------------

# epsilon^2 / (2 sigma_1^2): of the curves of the poster's figure.
RATIOS = (0.1, 0.2, 0.5, 1.0, 2.0)
CARRIER = "one trial, whose network is not looked at"

FIGURE4 = Artifact(
    id="amp/figure4",
    experiment=Experiment(
        base={
            "data.source": "spirals",
            "data.validation": 0,
            "model": {"name": "mlp", "widths": (2,)},
            "schedule.name": "constant",
            "epochs": 1,
            "batch_size": 200,
        },
        cells=(Cell({"two minima": "inverted Gaussians with the same C"}),),
        stages=(Stage("carrier", seeds=1),),
        selection=Selection(stated="nothing is trained and nothing is selected"),
        measures=tuple(
            Measure("operational_region", {"ratio": ratio}, label=f"region_{ratio:g}")
            for ratio in RATIOS
        ),
    ),
    view=CurveView(
        x=InName("beta"),
        rows=("two minima",),
        metrics=tuple(
            Metric(f"region_{ratio:g}", f"least r, ratio {ratio:g}", better="neither")
            for ratio in RATIOS
        ),
    ),
    notes=Notes(
        title="Operational region of AMP (Equation 15): the flatness r above which the second of"
        " two minima is preferred, against its depth beta, for ratios epsilon²/(2 sigma²)",
        choices=(
            Choice(
                "ratios, and the range of r",
                "0.1, 0.2, 0.5, 1 and 2; r up to 20",
                "not printed: those of the authors' poster",
                "measure.ratio",
                name="ratios",
                default="poster",
                source="Figure 4; the authors' poster",
                single="another ratio is another line of the same family, and no other is known",
            ),
        ),
        claims=("the region grows with epsilon (section 4.1)",),
    ),
    presets={
        name: adjusted(AS_PRINTED, name=name, summary=CARRIER, comparable=False)
        for name in ("small", "laptop", "smoke")
    },
)

# -- section 5.5: N ------------------------------------------------------------------------------

STEPS = (1, 2, 3)
EPSILON, ZETA = AMP_PAIRS[PREACT]
WITHOUT = {"method": "ERM"}

INNER_STEPS = Artifact(
    id="amp/inner_steps",
    experiment=Experiment(
        base=BASE,
        cells=(
            cell(PREACT, "CIFAR-10", "ERM"),
            *(
                replace(
                    made,
                    key={**made.key, "N": str(steps)},
                    fields={**made.fields, **trained(amp(EPSILON, ZETA, steps))},
                )
                for made in (cell(PREACT, "CIFAR-10", "AMP"),)
                for steps in STEPS
            ),
        ),
        stages=(Stage("train", seeds=5),),
        selection=SELECTION,
    ),
    view=TableView(
        rows=("method", "N"),
        metrics=(
            ERROR,
            NLL,
            Metric(
                "gradient_evaluations", "gradients / ERM", better="neither", relative_to=WITHOUT
            ),
            SECONDS,
            TIME,
        ),
    ),
    notes=Notes(
        title="Error and cost of AMP against the number N of inner steps, PreActResNet18, CIFAR-10",
        choices=(
            GAMMA,
            *CIFAR10_CHOICES,
            Choice(
                "epsilon and zeta for N above 1",
                "those of N = 1",
                "not stated; divided, N steps together are as long as one at most",
                "method.inner_lr",
                name="inner-rate",
                default="same",
                others={
                    "divided": Reading(
                        "zeta / N",
                        tuple(
                            Override({"N": str(steps)}, {"method.inner_lr": ZETA / steps})
                            for steps in STEPS
                        ),
                    )
                },
                source="section 5.5",
            ),
            Choice(
                "number of runs",
                "5",
                "no experiment is shown; of five the first ones are Table 1's",
                name="runs-per-n",
                default="5",
                source="section 5.5",
                single="a third of AMP's gain in Table 1, by which N = 1 would suffice, is three"
                " times the spread of a run: five are enough to see it",
            ),
        ),
        claims=(
            "the cost grows markedly with N (section 5.5)",
            "N = 1 is sufficient to regularize (section 5.5)",
        ),
    ),
)

# -- Appendix E: figure 8 on the other data sets --------------------------------------------------

APPENDIX_E = Artifact(
    id="amp/appendix_e",
    experiment=Experiment(
        base=BASE,
        cells=tuple(
            replace(made, key={"dataset": dataset, **made.key})
            for dataset in ("SVHN", "CIFAR-100")
            for made in against_radius(dataset)
        ),
        stages=(Stage("train", seeds=1),),
        selection=SELECTION,
        measures=(TRAINING_LOSS,),
    ),
    view=CurveView(
        x=Label("epsilon"),
        panels=("dataset",),
        rows=("dataset", "method", "epsilon"),
        metrics=RADIUS_METRICS,
    ),
    notes=Notes(
        title="Training and test loss against the perturbation radius, SVHN and CIFAR-100",
        choices=(
            *RADIUS_CHOICES,
            ONE_RUN,
            preactresnet18({}),
            *VANILLA_CHOICES,
            Choice(
                "radii, inner rate and N",
                "those of Figure 8",
                "Appendix E is missing in the text that we have",
                name="appendix-settings",
                default="figure8",
                source="section 5.4",
                single="no other is known",
            ),
        ),
    ),
)

FURTHER = (FIGURE4, INNER_STEPS, APPENDIX_E)
