"""Oracle: plain Python over the runs; what is drawn is read back from matplotlib's own objects."""

from __future__ import annotations

import itertools
import math
import statistics
from dataclasses import dataclass
from typing import Any

import pytest
from matplotlib import image
from matplotlib.colors import to_rgba

import search_spaces
from search_spaces.spec import (
    Artifact,
    Cell,
    CurveView,
    Epochs,
    Experiment,
    InName,
    Label,
    MapView,
    Measure,
    Metric,
    Notes,
    Reported,
    Stage,
    TableView,
    View,
)
from sweep.aggregate import SELECTIONS, cells
from sweep.figures import drawing
from sweep.figures.data import Counts, Line, Panel, maps, panels
from sweep.plan.expand import Plan, PlannedStage
from sweep.record.record import Record
from sweep.record.runs import Run
from sweep.tables.layout import build
from trainables.config import TrialConfig

# Means and spreads of a few float64 numbers near 1: some roundings of 1.1e-16 each.
CLOSE = 1e-12


@dataclass(frozen=True)
class Trial:
    trial_id: str
    cell: Cell
    seed: int
    point: dict[str, Any]
    awaits: frozenset[str] = frozenset()

    @property
    def config(self) -> TrialConfig:
        spirals = {"source": {"name": "spirals", "points": 20}, "validation": 0}
        return TrialConfig(data=spirals, model="mlp", seed=self.seed)


def planned(artifact: Artifact, rule: str = "paper") -> Plan:
    """Trials called ``<cell>/<seed>``, one grid point a stage."""
    stages = tuple(
        PlannedStage(
            stage.name,
            tuple(
                Trial(f"{i}/{seed}", cell, seed, {})
                for i, cell in enumerate(artifact.experiment.cells)
                if stage.covers(cell)
                for seed in range(stage.seeds)
            ),
        )
        for stage in artifact.experiment.stages
    )
    return Plan(artifact, "paper", SELECTIONS[rule], artifact.experiment.cells, stages)


PLANE = MapView(rows=("method",), metrics=(Metric("test_error", "error"),), over_plane="p")
ERROR = Metric("test_error", "error %", shown="percent")


def shown_as(view: View, keys: list[dict[str, str]], seeds: int = 3) -> Artifact:
    cells, stages = tuple(Cell(key) for key in keys), (Stage("train", seeds=seeds),)
    return Artifact("paper/figure1", Experiment(cells, stages), view, Notes("A figure"))


def figure_of(
    keys: list[dict[str, str]], x: Label | Epochs | InName, seeds: int = 3, **view: Any
) -> Artifact:
    curves = CurveView(**{"rows": tuple(keys[0]), "metrics": (ERROR,), "x": x, **view})
    return shown_as(curves, keys, seeds)


def value(cell: int, seed: int, x: float = 0.0) -> float:
    return 0.1 * (cell + 1) + 0.01 * seed * seed + 0.003 * x


# -- histories ---------------------------------------------------------------------------------


def histories(artifact: Artifact, epochs: int = 4, **statuses: str) -> Record:
    runs = []
    for trial in planned(artifact).trials:
        cell, seed = map(int, trial.trial_id.split("/"))
        curve = [value(cell, seed, epoch) for epoch in range(1, epochs + 1)]
        history = {"test_error": curve, "train_error": [v / 2 for v in curve]}
        status = statuses.get(trial.trial_id, "done")
        runs.append(Run(trial.trial_id, status, {"test_error": curve[-1]}, history))
    return Record.from_runs(runs)


METHODS = [{"method": "ERM"}, {"method": "SAM"}]


def test_epochs_are_averaged_over_seeds_one_by_one():
    artifact = figure_of(METHODS, Epochs())
    ((panel,),) = panels(planned(artifact), histories(artifact))
    assert [line.name for line in panel.lines] == ["ERM", "SAM"]
    assert (panel.xlabel, panel.ylabel, panel.categories) == ("epoch", "error %", [])
    for cell, line in enumerate(panel.lines):
        assert str(line.counts) == "n = 3"
        assert [point.x for point in line.points] == [1, 2, 3, 4]
        for point in line.points:
            seeds = [100 * value(cell, seed, point.x) for seed in range(3)]
            assert point.mean == pytest.approx(statistics.mean(seeds), rel=CLOSE)
            assert point.std == pytest.approx(statistics.stdev(seeds), rel=1e-9)
            assert point.n == 3


def test_a_diverged_trial_is_left_out_of_the_curve_and_named():
    artifact = figure_of(METHODS, Epochs())
    ((panel,),) = panels(planned(artifact), histories(artifact, **{"0/2": "diverged"}))
    erm = panel.lines[0]
    assert str(erm.counts) == "n = 2/3, 1 diverged"
    seeds = [100 * value(0, seed, 1) for seed in range(2)]
    assert erm.points[0].mean == pytest.approx(statistics.mean(seeds), rel=CLOSE)


def test_epochs_without_a_value_are_left_out():
    artifact = figure_of(METHODS[:1], Epochs(), seeds=2)
    nan = math.nan
    record = Record.from_runs(
        [
            Run("0/0", "done", {}, {"test_error": [nan, 0.5, nan, 0.3]}),
            Run("0/1", "done", {}, {"test_error": [nan, 0.7, nan, nan]}),
        ]
    )
    ((panel,),) = panels(planned(artifact), record)
    points = [(p.x, p.mean, p.n) for p in panel.lines[0].points]
    assert points == [(2, pytest.approx(60), 2), (4, pytest.approx(30), 1)]
    assert panel.lines[0].points[1].std is None


def test_a_gap_is_the_difference_of_two_histories():
    gap = Metric("test_error", "gap", minus="train_error")
    artifact = figure_of(METHODS[:1], Epochs(), metrics=(gap,), seeds=1)
    ((panel,),) = panels(planned(artifact), histories(artifact))
    assert panel.lines[0].points[2].mean == pytest.approx(value(0, 0, 3) / 2, rel=CLOSE)


def test_a_cell_without_the_others_labels_is_a_level_at_its_best_epoch():
    keys = [
        {"method": "Baseline", "model": "WRN"},
        *({"method": "NRS", "model": "WRN", "epsilon": e, "alpha": a} for e in "12" for a in "34"),
    ]
    accuracy = Metric("test_error", "acc", better="higher", shown="accuracy_percent")
    artifact = figure_of(keys, Epochs(), metrics=(accuracy,))
    ((panel,),) = panels(planned(artifact), histories(artifact))
    level, *others = panel.lines
    assert (level.name, level.reference, level.style) == ("Baseline, best epoch", True, ())
    best = 100 - 100 * statistics.mean(value(0, seed, 1) for seed in range(3))
    assert [(p.x, p.mean) for p in level.points] == [(x, pytest.approx(best)) for x in (1, 4)]
    assert [line.name for line in others] == [
        "epsilon 1, alpha 3", "epsilon 1, alpha 4", "epsilon 2, alpha 3", "epsilon 2, alpha 4",
    ]  # fmt: skip
    drawn = drawing.figure_of(planned(artifact), histories(artifact)).axes[0].get_lines()
    assert drawn[0].get_color() == "black"
    colors, dashes = zip(
        *((line.get_color(), line.get_linestyle()) for line in drawn[1:]), strict=True
    )
    assert colors[0] == colors[1] != colors[2] == colors[3]  # epsilon
    assert dashes[0] == dashes[2] != dashes[1] == dashes[3]  # alpha


def test_metrics_run_down_and_panels_across():
    keys = [{"data": d, "method": m} for d in ("A", "B") for m in ("ERM", "SAM")]
    metrics = (Metric("test_error", "error"), Metric("train_error", "training error"))
    artifact = figure_of(keys, Epochs(), metrics=metrics, panels=("data",))
    rows = panels(planned(artifact), histories(artifact))
    assert [[(p.title, p.ylabel) for p in row] for row in rows] == [
        [("A", "error"), ("B", "error")],
        [("A", "training error"), ("B", "training error")],
    ]
    figure = drawing.figure_of(planned(artifact), histories(artifact))
    assert [axes.get_title() for axes in figure.axes] == ["A", "B", "", ""]
    assert [axes.get_ylabel() for axes in figure.axes] == ["error", "", "training error", ""]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["ERM (n = 3)", "SAM (n = 3)"]


# -- the table's numbers -----------------------------------------------------------------------


def last(artifact: Artifact, **statuses: str) -> Record:
    return histories(artifact, epochs=1, **statuses)


def test_a_label_along_x_draws_the_tables_numbers():
    keys = [{"method": m, "epsilon": e} for m in ("ERM", "AMP") for e in ("0.1", "1", "10")]
    artifact = figure_of(keys, Label("epsilon"))
    reported = {"test_error": Reported(20.0, 1.0, 3)}
    artifact = artifact.with_experiment(
        cells=tuple(
            Cell(c.key, reported=reported if i == 4 else {})
            for i, c in enumerate(artifact.experiment.cells)
        )
    )
    plan, record = planned(artifact), last(artifact, **{"5/0": "failed"})
    ((panel,),) = panels(plan, record)
    table = build(
        artifact, cells(plan, record), search_spaces.PRESETS["paper"], SELECTIONS["paper"]
    )
    means = [cell.mean for _, _, cell in table.cells]
    assert [p.mean for line in panel.lines for p in line.points] == means
    assert [p.x for p in panel.lines[0].points] == [0.1, 1, 10]
    assert panel.lines[1].printed == ((1.0, reported["test_error"]),)
    assert str(panel.lines[1].counts) == "n = 2–3/3, 1 failed"
    axes = drawing.figure_of(plan, record).axes[0]
    assert axes.get_xscale() == "log"  # evenly spaced that way
    assert [line.get_ydata().tolist() for line in axes.get_lines()[:1]] == [means[:3]]


def test_words_along_x_are_bars():
    keys = [{"data": d, "method": m} for d in ("SVHN", "CIFAR-10") for m in ("ERM", "SAM")]
    artifact = figure_of(keys, Label("data"))
    plan, record = planned(artifact), last(artifact)
    ((panel,),) = panels(plan, record)
    assert panel.categories == ["SVHN", "CIFAR-10"]
    axes = drawing.figure_of(plan, record).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["SVHN", "CIFAR-10"]
    heights = [patch.get_height() for patch in axes.patches]
    assert heights == pytest.approx(
        [statistics.mean(100 * value(cell, s, 1) for s in range(3)) for cell in (0, 2, 1, 3)]
    )
    assert len({patch.get_facecolor() for patch in axes.patches}) == 2


def test_what_is_called_value_is_named_by_its_panel():
    keys = [{"varied": v, "value": x} for v, x in [("rate", "1"), ("rate", "2"), ("epochs", "20")]]
    artifact = figure_of(keys, Label("value", called_by="varied"), panels=("varied",))
    ((rate, epochs),) = panels(planned(artifact), last(artifact))
    assert (rate.xlabel, rate.title, epochs.xlabel) == ("rate", "", "epochs")


# -- curves and maps among the metrics ---------------------------------------------------------


@pytest.mark.parametrize("mark", ["@", "/"])
def test_recorded_parts_make_a_curve_and_a_table(mark):
    metrics = (Metric("landscape", "loss"), Metric("landscape_test", "test loss"))
    artifact = figure_of(METHODS, InName("displacement"), metrics=metrics, seeds=2)
    xs = [-1.0, -0.5, 0.0, 1e-05, 2.0]
    runs = [
        Run(
            f"{cell}/{seed}",
            "done",
            {f"landscape{mark}{x:g}": value(cell, seed, x) for x in xs}
            | {f"landscape_test{mark}{x:g}": 7.0 for x in xs}
            | {f"landscape{mark}{x:g}_std_error": 99.0 for x in xs},
        )
        for cell in (0, 1)
        for seed in (0, 1)
    ]
    plan, record = planned(artifact), Record.from_runs(runs)
    ((train,), (test,)) = panels(plan, record)
    assert [point.x for point in train.lines[0].points] == xs
    assert train.xlabel == "displacement"
    for point in train.lines[1].points:
        seeds = [value(1, seed, point.x) for seed in (0, 1)]
        assert point.mean == pytest.approx(statistics.mean(seeds), rel=CLOSE)
    assert {point.mean for point in test.lines[0].points} == {7.0}
    table = build(
        artifact, cells(plan, record), search_spaces.PRESETS["paper"], SELECTIONS["paper"]
    )
    assert table.row_labels == ("metric", "method")
    assert table.rows[0] == ("loss at -1", "ERM")
    assert len(table.rows) == 2 * 2 * len(xs)


def test_the_metrics_of_a_single_network_share_its_axes():
    metrics = (Metric("gap", "measured"), Metric("gap@/hessian", "Hessian"))
    artifact = figure_of([{"model": "MLP"}], InName("sigma"), metrics=metrics, seeds=1)
    run = Run("0/0", "done", {f"gap/{x}{tail}": x for tail in ("", "/hessian") for x in (1, 2)})
    ((panel,),) = panels(planned(artifact), Record.from_runs([run]))
    assert [line.name for line in panel.lines] == ["measured", "Hessian"]
    assert [[point.x for point in line.points] for line in panel.lines] == [[1, 2], [1, 2]]
    assert (panel.title, panel.xlabel) == ("MLP", "sigma")


def test_maps_are_averaged_over_seeds():
    artifact = shown_as(PLANE, METHODS, seeds=2)
    places = [(x, y) for x in (-1, 0.5) for y in (0, 1)]
    runs = [
        Run(f"{c}/{s}", "done", {f"p/{x}/{y}": 0.25 * (x + s) for x, y in places})
        for c in (0, 1)
        for s in (0, 1)
    ]
    plan, record = planned(artifact), Record.from_runs(runs)
    erm, _ = maps(plan, record)
    assert (erm.title, str(erm.counts)) == ("ERM", "n = 2")
    assert erm.values == {(-1, 0): -0.125, (-1, 1): -0.125, (0.5, 0): 0.25, (0.5, 1): 0.25}
    figure = drawing.figure_of(plan, record)
    assert [axes.get_title() for axes in figure.axes[:2]] == ["ERM (n = 2)", "SAM (n = 2)"]
    with pytest.raises(ValueError, match="no map"):
        maps(plan, Record.from_runs([Run("0/0", "done")]))


def test_samples_on_a_map_are_those_of_the_first_seed_that_has_some():
    places = {f"p/{x}/{y}": 0.5 for x in (-1, 1) for y in (-1, 1)}
    two = {"p/sample/-0.500/0.250": 1.0, "p/sample/0.500/-0.250": 0.0}
    other = {"p/sample/0.900/0.900": 0.0}
    runs = [
        Run("0/0", "done", places),  # recorded before samples were
        Run("0/1", "done", places | two),
        Run("0/2", "done", places | other),
    ]
    plan, record = planned(shown_as(PLANE, METHODS[:1])), Record.from_runs(runs)
    (erm,) = maps(plan, record)
    assert set(erm.samples) == {(-0.5, 0.25, 1), (0.5, -0.25, 0)}
    figure = drawing.figure_of(plan, record)
    clouds = [c.get_offsets().tolist() for c in figure.axes[0].collections if len(c.get_offsets())]
    assert [[0.5, -0.25]] in clouds
    assert [[-0.5, 0.25]] in clouds
    assert "Dots: samples of each class" in figure.get_supxlabel()

    older = drawing.figure_of(plan, Record.from_runs(runs[:1]))
    assert older.axes[0].has_data()
    assert "The record has no samples" in older.get_supxlabel().replace("\n", " ")


# -- drawing -----------------------------------------------------------------------------------


def test_counts_add_over_places_and_not_over_metrics():
    one, other = Counts(((3, 3),), {}), Counts(((2, 3),), {"diverged": 1})
    assert str(one + other) == "n = 2–3/3, 1 diverged"
    assert str((one + other) | (one + other)) == "n = 2–3/3, 1 diverged"
    assert str(other + other) == "n = 2/3, 2 diverged"
    assert str(Counts(((0, 3),), {"not run": 3})) == "n = 0/3, 3 not run"


def test_bands_are_one_std_wide():
    artifact = figure_of(METHODS[:1], Epochs())
    axes = drawing.figure_of(planned(artifact), histories(artifact)).axes[0]
    (band,) = axes.collections
    heights = [y for x, y in band.get_paths()[0].vertices if x == 1]
    seeds = [100 * value(0, seed, 1) for seed in range(3)]
    assert max(heights) - min(heights) == pytest.approx(2 * statistics.stdev(seeds), rel=1e-9)


def test_the_band_of_a_single_network_is_the_error_of_its_estimate():
    """By parts and by epochs, in the column's unit; of several networks it is their spread."""
    gap = Metric("gap", "gap", scale=3.0)
    for x, seeds in [(InName("sigma"), 1), (Epochs(), 1), (InName("sigma"), 2)]:
        artifact = figure_of(METHODS[:1], x, metrics=(gap,), seeds=seeds)
        runs = []
        for seed in range(seeds):
            at = {f"gap/{s}{tail}": v + seed for s in (1, 2) for tail, v in ERRORS.items()}
            history = {f"gap{tail}": [v + seed] * 2 for tail, v in ERRORS.items()}
            runs.append(Run(f"0/{seed}", "done", at, history))
        plan, record = planned(artifact), Record.from_runs(runs)
        ((panel,),) = panels(plan, record)
        half = 3 * 0.25 if seeds == 1 else 3 * math.sqrt(0.5)
        assert [p.band for p in panel.lines[0].points] == [pytest.approx(half, rel=CLOSE)] * 2
        figure = drawing.figure_of(plan, record)
        heights = [y for _, y in figure.axes[0].collections[0].get_paths()[0].vertices]
        assert max(heights) - min(heights) == pytest.approx(2 * half, rel=1e-9)
        said = figure.get_supxlabel().replace("\n", " ")
        assert ("± the standard error of the estimate" in said) == (seeds == 1)


ERRORS = {"": 5.0, "_std_error": 0.25}


@pytest.mark.parametrize("suffix", drawing.FIGURE_SUFFIXES)
def test_files_are_written_and_written_again_the_same(suffix, tmp_path):
    artifact = figure_of(METHODS, Epochs())
    contents = []
    for name in ("a", "b"):
        path = tmp_path / f"{name}{suffix}"
        drawing.save(drawing.figure_of(planned(artifact), histories(artifact)), path)
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]
    assert contents[0].startswith({".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix])
    if suffix == ".png":  # both lines are really there, in their colors
        pixels = image.imread(tmp_path / "a.png").reshape(-1, 4)
        for color in drawing.COLORS[:2]:
            near = abs(pixels - to_rgba(color)).max(axis=1) < 0.02
            assert near.sum() > 100
    if suffix == ".svg":
        assert b"dc:date" not in contents[0]


def test_what_cannot_be_drawn_is_said():
    artifact = figure_of(METHODS, Epochs())
    with pytest.raises(ValueError, match="nothing to draw yet"):
        drawing.figure_of(planned(artifact), Record.from_runs([]))
    table = TableView(rows=("method",), metrics=(ERROR,))
    with pytest.raises(ValueError, match="is a table"):
        drawing.figure_of(planned(shown_as(table, METHODS)), Record.from_runs([]))
    figure = drawing.figure_of(planned(artifact), histories(artifact))
    with pytest.raises(ValueError, match=r"\.gif.*\.png, \.svg, \.pdf"):
        drawing.save(figure, "figure.gif")


def test_the_caption_names_preset_selection_and_print():
    keys = [{"method": m, "epsilon": e} for m in ("ERM", "AMP") for e in ("1", "2")]
    artifact = figure_of(keys, Label("epsilon"))
    reported = {"test_error": Reported(20.0)}
    artifact = artifact.with_experiment(
        cells=tuple(Cell(c.key, reported=reported) for c in artifact.experiment.cells)
    )
    plan = planned(artifact)
    small = Plan(artifact, "small", plan.selection, plan.cells, plan.stages)
    record = last(artifact)
    said = drawing.figure_of(plan, record).get_supxlabel().replace("\n", " ")
    assert "Preset paper, selection paper; last epoch." in said
    assert "Hollow: printed." in said
    assert "Not as in the paper" not in said
    shrunk = artifact.with_notes(changes=("data.source: mnist → cifar10", "epochs: 30 → 8"))
    said = drawing.figure_of(planned(shrunk), record).get_supxlabel().replace("\n", " ")
    assert said.endswith("Not as in the paper: data.source: mnist → cifar10. Hollow: printed.")
    assert "compare directions only" in drawing.figure_of(small, record).get_supxlabel().replace(
        "\n", " "
    )


@pytest.mark.parametrize(
    ("source", "images"),
    [
        ("parquet", "CIFAR-10 (JPEG)"),
        ({"name": "parquet", "set": "cifar10", "resize": 64}, "CIFAR-10 (JPEG)"),
        ({"name": "parquet", "set": "photographs"}, ""),
        ("cifar10", ""),
    ],
)
def test_the_caption_says_of_a_copy_whose_images_it_has(source, images):
    artifact = figure_of(
        [{"method": m, "epsilon": e} for m in "ab" for e in "12"], Label("epsilon")
    )
    artifact = artifact.with_experiment(base={**artifact.experiment.base, "data.source": source})
    said = drawing.figure_of(planned(artifact), last(artifact)).get_supxlabel().replace("\n", " ")
    assert (f" Images: {images}." in said) == ("Images" in said) == bool(images)


FIGURES = [
    a.id for a in search_spaces.artifacts() if a.view.kind == "figure" and not a.experiment.blocked
]


@pytest.mark.parametrize("artifact_id", FIGURES)
def test_every_figure_of_every_paper_can_be_drawn(artifact_id, tmp_path):
    """From made-up records that hold what the artifact says it reads."""
    artifact = search_spaces.apply(search_spaces.find(artifact_id), "smoke")
    names = {m.name for m in artifact.view.metrics} | {
        m.minus for m in artifact.view.metrics if m.minus
    }
    names |= {artifact.experiment.selection.on, "validation_error"}
    runs = []
    for i, trial in enumerate(planned(artifact).trials):
        numbers = {n: value(i, trial.seed) for n in names}
        match artifact.view:
            case CurveView(x=InName()):
                spots = [(*n.partition("@")[::2], x) for n in names for x in (-1, 0, 1)]
                numbers |= {f"{head}/{x}{tail}": value(i, 0, x) for head, tail, x in spots}
            case MapView(over_plane=name):
                numbers |= {f"{name}/{x}/{y}": x * y for x in (-1, 0, 1) for y in (-1, 0, 1)}
        numbers |= {f"best_test/{n}": v for n, v in numbers.items()}
        runs.append(Run(trial.trial_id, "done", numbers, {n: [0.3, 0.2] for n in names}))
    figure = drawing.figure_of(planned(artifact), Record.from_runs(runs))
    assert artifact_id in figure.get_suptitle()
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert all(axes.has_data() for axes in shown)
    drawing.save(figure, tmp_path / "figure.svg")


def test_lines_are_told_apart():
    lines = tuple(Line(str(i), Counts(((1, 1),), {}), (), style=(str(i),)) for i in range(20))
    looks = drawing._looks(Panel("", "", "", lines).lines)
    assert len({(look["color"], str(look["linestyle"]), look["marker"]) for look in looks}) == 20


def test_lines_that_lie_on_each_other_are_all_seen():
    """Each is thinner than those below it, with other dashes and markers, and those elsewhere."""
    artifact = figure_of([{"method": m} for m in ("GD", "WP-GD", "NSO")], Epochs(), seeds=1)
    curve = {"test_error": [1 / x for x in range(1, 61)]}
    runs = [Run(t.trial_id, "done", {}, curve) for t in planned(artifact).trials]
    figure = drawing.figure_of(planned(artifact), Record.from_runs(runs))
    (axes,) = figure.axes
    lines = axes.get_lines()
    widths = [line.get_linewidth() for line in lines]
    assert widths == sorted(set(widths), reverse=True)
    looks = [
        (line.get_linestyle(), line.get_marker(), line.get_markevery()[0] % line.get_markevery()[1])
        for line in lines
    ]
    assert all(len(set(column)) == 3 for column in zip(*looks, strict=True))
    names = {text.get_text(): text.get_position() for text in axes.texts}
    assert list(names) == ["GD", "WP-GD", "NSO"]
    heights = sorted(y for _, y in names.values())
    assert all(b - a >= 0.09 - CLOSE for a, b in itertools.pairwise(heights))
    assert 0 <= heights[0] < heights[-1] <= 1
    assert "Where n = 1: no spread." in figure.get_supxlabel().replace("\n", " ")
    assert not axes.collections


def test_names_at_ends_stay_apart_and_in_order():
    for heights in ([0.5, 0.5, 0.5], [0.0, 0.01, 1.0], [1.2, 0.99, 0.3], [0.2, 0.8]):
        moved = drawing._apart(heights)
        order = sorted(range(len(heights)), key=heights.__getitem__)
        found = [moved[i] for i in order]
        assert all(b - a >= 0.09 - CLOSE for a, b in itertools.pairwise(found))
        assert found[0] >= 0
        assert found[-1] <= 1
    assert drawing._apart([0.2, 0.8]) == [0.2, 0.8]


def test_bars_are_told_apart_without_color_and_of_one_seed_have_no_whiskers():
    keys = [{"data": d, "method": m} for d in ("A", "B") for m in ("ERM", "SAM", "AMP")]
    for seeds in (1, 3):
        artifact = figure_of(keys, Label("data"), seeds=seeds)
        figure = drawing.figure_of(planned(artifact), last(artifact))
        bars = [c for c in figure.axes[0].containers if hasattr(c, "patches")]
        assert len({bar.patches[0].get_hatch() for bar in bars}) == 3
        assert [bar.errorbar is None for bar in bars] == [seeds == 1] * 3
        assert ("Where n = 1: no spread." in figure.get_supxlabel().replace("\n", " ")) == (
            seeds == 1
        )


def test_the_axes_of_a_single_network_are_named_by_all_its_metrics():
    metrics = (Metric("gap", "measured"), Metric("gap@/hessian", "Hessian"))
    artifact = figure_of([{"model": "MLP"}], InName("sigma"), metrics=metrics, seeds=1)
    run = Run("0/0", "done", {f"gap/{x}{tail}": x for tail in ("", "/hessian") for x in (1, 2)})
    (axes,) = drawing.figure_of(planned(artifact), Record.from_runs([run])).axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("sigma", "measured and Hessian")


def test_a_name_has_one_look_and_one_entry_of_the_legend_in_all_panels():
    """Panels of other lines, too."""
    keys = [{"data": "A", "method": "ERM"}, {"data": "A", "method": "SAM"}]
    keys += [{"data": "B", "method": "SAM"}, {"data": "B", "method": "AMP"}]
    artifact = figure_of(keys, Epochs(), panels=("data",))
    figure = drawing.figure_of(planned(artifact), histories(artifact, **{"3/0": "failed"}))
    left, right = figure.axes
    assert left.get_lines()[1].get_color() == right.get_lines()[0].get_color()
    (legend,) = figure.legends
    said = [text.get_text() for text in legend.get_texts()]
    assert said == ["ERM (n = 3)", "SAM (n = 3)", "AMP (n = 2/3, 1 failed)"]


def test_maps_say_what_they_are_of():
    """Of a measure's own plane: its column, on a scale that all maps share, and no boundary."""
    artifact = shown_as(PLANE, METHODS, seeds=1)
    runs = [
        Run(f"{c}/0", "done", {f"p/{x}/{y}": 5.0 * c + x * y for x in (0, 1) for y in (0, 1)})
        for c in (0, 1)
    ]
    for plan, label in [
        (planned(artifact.with_experiment(measures=(Measure("norm", label="p"),))), "error"),
        (
            planned(artifact.with_experiment(measures=(Measure("decision_boundary", label="p"),))),
            "probability of the second class",
        ),
    ]:
        *shown, bar = drawing.figure_of(plan, Record.from_runs(runs)).axes
        assert bar.get_ylabel() == label
        assert all(axes.get_xlabel().startswith("first ") for axes in shown)
        scales = [axes.collections[0].get_clim() for axes in shown]
        assert scales[0] == scales[1]
