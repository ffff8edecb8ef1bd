"""Every registered method on one small task of each kind, at equal gradient evaluations.

Methods and protocol are as in `compare`; the data are computed, or come with a dependency, so
that whoever adds a method sees at once which kinds of training it serves.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from search_spaces.presets import AS_PRINTED, adjusted
from search_spaces.spec import (
    Artifact,
    Cell,
    Choice,
    Experiment,
    Metric,
    Notes,
    Selection,
    Stage,
    TableView,
)

ADAM = {"optimizer.name": "adamw", "optimizer.lr": 3e-3, "optimizer.weight_decay": 0.01}
TASKS: dict[str, dict[str, Any]] = {
    "classification": {"data.source": "digits", "model": "mlp_tiny", "optimizer.lr": 0.1},
    "regression": {
        "data.source": {"name": "matrix_sensing", "size": 12, "rank": 2, "measurements": 240},
        "model": "factorization",
        "loss": "mse",
        "optimizer.lr": 6.25e-4,
        "optimizer.momentum": 0.0,
        "optimizer.weight_decay": 0.0,
    },
    "language modelling": {
        "data.source": {"name": "word_problems", "problems": 600},
        "model": "gpt2_tiny",
        "loss": "token_cross_entropy",
        **ADAM,
    },
    "image-text": {
        "data.source": {"name": "captioned_digits"},
        "model": "clip_tiny",
        "loss": "contrastive",
        **ADAM,
    },
    "graph classification": {"data.source": {"name": "ego_graphs"}, "model": "gcn", **ADAM},
}
REGRESSION = "regression"
OF_OTHERS = {"task": tuple(task for task in TASKS if task != REGRESSION)}

SMALL = adjusted(
    AS_PRINTED,
    {"epochs": 20},
    name="small",
    summary="the same tasks, half as long",
    comparable=False,
)
SMOKE = adjusted(
    AS_PRINTED,
    {"epochs": 2, "data.subset": 200},
    name="smoke",
    summary="the same tasks, 2 epochs: about two minutes on two cores",
    comparable=False,
    seeds=1,
)

TASKS_TABLE = Artifact(
    id="compare/tasks",
    experiment=Experiment(
        base={
            "data.validation": 0.1,
            "data.split_seed": 0,
            "schedule.name": "cosine",
            "epochs": 40,
            "batch_size": 32,
        },
        fan_out={"method": "methods"},
        only_fitting=True,
        per_name_overrides={"infomcr": {"method.start": 0.3}},
        cells=tuple(
            Cell({"task": task}, fields, budget="gradients") for task, fields in TASKS.items()
        ),
        stages=(Stage("train", seeds=3),),
        selection=Selection(
            on="validation_nll",
            epoch="last",
            stated="nothing is selected: registered hyper-parameters, last epoch",
        ),
    ),
    view=TableView(
        rows=("task", "method"),
        metrics=(
            Metric("test_error", "test error %", shown="percent", where=OF_OTHERS),
            Metric("test_nll", "test NLL", digits=3, where=OF_OTHERS),
            Metric("test_loss", "test MSE", digits=3, where={"task": REGRESSION}),
            Metric(
                "gradient_evaluations",
                "gradients / ERM",
                better="neither",
                relative_to={"method": "erm"},
            ),
            Metric("device_seconds", "time / ERM", relative_to={"method": "erm"}),
        ),
    ),
    notes=Notes(
        title="Every method on a task of each kind, at equal gradient evaluations",
        choices=(
            Choice(
                what="what is held equal on each task",
                interpretation="gradient evaluations: the epochs are ERM's over what a step of the"
                " method costs, rounded to the nearest whole number, at least 1",
                why="a step of most methods costs two or more of ERM's",
                name="task-budget",
                default="gradients",
                source="this project",
                single="epochs and time are panels of compare/methods",
            ),
            Choice(
                what="hyper-parameters of each method",
                interpretation="the registered defaults, for images, on every task",
                why="no method is tuned on any of them, so none has an advantage by search",
                name="hyper-parameters",
                default="registered",
                source="the methods' own files, which name each one's",
                single="a search of every method is an experiment of its own: sweep search",
            ),
            Choice(
                what="methods that a task has no meaning for",
                interpretation="left out: images cannot be mixed where there are none, a label"
                " cannot be smoothed where there is none, and a loss of a whole batch is not that"
                " of its parts",
                why="a configuration of these is refused before it is trained",
                name="left-out",
                default="refused",
                source="this project",
                single="there is nothing to run",
            ),
            Choice(
                what="error of each kind of task",
                interpretation="of text, answers that are wrong; of images and captions, captions"
                " whose image is not among the ten nearest",
                why="one column for all that can be wrong",
                name="errors-of-tasks",
                default="each-own",
                source="this project",
                single="NLL stands beside it",
            ),
        ),
    ),
    presets={"small": SMALL, "laptop": replace(SMALL, name="laptop"), "smoke": SMOKE},
)

__all__ = ["TASKS", "TASKS_TABLE"]
