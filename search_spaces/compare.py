"""Our own artifacts: every registered method under one protocol, in one table.

A method appears here by being registered (``Experiment.fan_out``). Each runs with
its registered defaults, which are its paper's, once for as many epochs as ERM,
once for as many gradient evaluations and once for as much time, by the step
times that `compare_times` has.
"""

from __future__ import annotations

from search_spaces.compare_tasks import TASKS_TABLE
from search_spaces.compare_times import STEP_TIMES
from search_spaces.preset import KEEP, OTHERWISE
from search_spaces.presets import LAPTOP, SMOKE, adjusted
from search_spaces.spec import (
    Artifact,
    Cell,
    Choice,
    Experiment,
    Metric,
    Notes,
    Paper,
    Selection,
    Stage,
    TableView,
)

EPOCHS_KEY, GRADIENTS_KEY, TIME_KEY = "equal epochs", "equal gradients", "equal time"

PROTOCOL = {
    "data.source": "cifar10",
    "data.validation": 5000,
    "data.split_seed": 0,
    "data.augmentation": ({"name": "pad_crop"}, {"name": "flip"}),
    "model": "resnet20",
    "optimizer.name": "sgd",
    "optimizer.lr": 0.1,
    "optimizer.momentum": 0.9,
    "optimizer.weight_decay": 5e-4,
    "schedule.name": "cosine",
    "epochs": 200,
    "batch_size": 128,
}

# InfoMCR regularises after the first learning-rate drop (epoch 60 of 200); a cosine has none.
INFOMCR_START = 0.3

PLAIN = {"method": "erm", "budget": EPOCHS_KEY}

METRICS = (
    Metric("test_error", "test error %", shown="percent"),
    Metric("test_nll", "test NLL", digits=3),
    Metric("test_ece", "ECE %", shown="percent"),
    Metric("gradient_evaluations", "gradients / ERM", better="neither", relative_to=PLAIN),
    Metric("device_seconds", "time / ERM", relative_to=PLAIN),
)

METHODS = Artifact(
    id="compare/methods",
    experiment=Experiment(
        base=PROTOCOL,
        fan_out={"method": "methods"},
        per_name_overrides={"infomcr": {"method.start": INFOMCR_START}},
        cells=(
            Cell({"budget": EPOCHS_KEY}),
            Cell({"budget": GRADIENTS_KEY}, budget="gradients"),
            Cell({"budget": TIME_KEY}, budget="time"),
        ),
        stages=(Stage("train", seeds=3),),
        selection=Selection(
            on="validation_error",
            epoch="last",
            stated="nothing is selected: registered hyper-parameters, last epoch",
        ),
        step_times=tuple(table for tables in STEP_TIMES.values() for table in tables),
    ),
    view=TableView(rows=("budget", "method"), metrics=METRICS),
    notes=Notes(
        title="Every method under one protocol, at equal epochs, gradient evaluations and time",
        choices=(
            Choice(
                what="what is held equal",
                interpretation="in panel 'equal epochs' the epochs; in 'equal gradients' and 'equal"
                " time' they are divided by the gradient evaluations, or the time, of a method's"
                " step over ERM's, and rounded to the nearest whole number, at least 1",
                why="no one budget is fair to all: the columns '/ ERM' show what each has spent",
                name="budget",
                default="all",
                source="this project",
                single="each is a panel of the table",
            ),
            Choice(
                what="hyper-parameters of each method",
                interpretation="the registered defaults, each with its source beside it",
                why="no method is tuned on this data, so none has an advantage by search",
                name="hyper-parameters",
                default="registered",
                source="the methods' own files, which name each one's",
                single="a search of every method is an experiment of its own",
            ),
            Choice(
                what="when InfoMCR begins",
                interpretation="at 30 % of the training",
                why="its own rule waits for a learning-rate drop, which a cosine has not",
                field="method.start",
                name="infomcr-start",
                default="0.3",
                source="InfoMCR's code: epoch 60 of 200",
                single="every registered method is in the table once in each panel",
            ),
        ),
    ),
    presets={
        "smoke": adjusted(
            SMOKE,
            {"epochs": 50, "batch_size": 32, "data.subset": None},
            {"model": {OTHERWISE: "mlp"}},
            summary="handwritten digits, a small network, 50 epochs: three minutes on two cores",
            seeds=3,
        ),
        # 2,000 images that a search may choose by, beside the 10,000 that are trained on.
        "laptop": adjusted(
            LAPTOP,
            {"data.subset": 12000},
            {"data.validation": {0: KEEP, OTHERWISE: 2000}},
        ),
    },
)

PAPER = Paper(
    key="compare",
    title="Every method of every paper in one table",
    venue="this project",
    artifacts=(METHODS, TASKS_TABLE),
)
