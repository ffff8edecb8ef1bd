"""A sweep's file, turned into an `Artifact`: the nouns that a paper's table has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import PurePath
from typing import Any

from search_spaces import preset as preset_rules
from search_spaces.compare_times import STEP_TIMES
from search_spaces.spec import (
    Artifact,
    Cell,
    Experiment,
    Measure,
    Notes,
    Preset,
    Selection,
    Stage,
    TableView,
)
from sweep.files import fields, shown
from sweep.files.keys import Fields, Row, SweepFile
from sweep.files.source import Path_, Source
from sweep.files.spaces import SearchSpace, space_of
from sweep.files.stages import CellSpace, StageBuilder
from trainables import declared
from trainables.config import READABLE, Data, TrialConfig
from trainables.errors import unknown

ROW = "method"
EVERY = "*"
USUAL = {
    "data.source": Data().source.name,
    **{part: TrialConfig.model_fields[part].default.name for part in ("model", "method")},
}
"""Field that holds a part -> name of the part where none is given."""


@dataclass
class Built:
    """What a file has become, and where each of its fields stands.

    Attributes:
        artifact: To be planned.
        source: The file.
        base, cells, stages: Paths in the file, by field; of cells and stages, by key and by name.
    """

    artifact: Artifact
    source: Source
    base: Mapping[str, Path_] = field(default_factory=dict)
    cells: dict[tuple[tuple[str, str], ...], Mapping[str, Path_]] = field(default_factory=dict)
    stages: dict[str, Mapping[str, Path_]] = field(default_factory=dict)


def build(keys: SweepFile, source: Source) -> Built:
    """The artifact that a file describes.

    Raises:
        UsageError: ``FILE:LINE: what is wrong``.
    """
    return _Builder(keys, source).built()


class _Builder:
    def __init__(self, keys: SweepFile, source: Source) -> None:
        self.keys, self.source = keys, source
        self.paths_of_cells: dict[tuple[tuple[str, str], ...], Mapping[str, Path_]] = {}

    def built(self) -> Built:
        keys = self.keys
        self._refuse_two_forms()
        self.base = self._fields(keys.base, ("base",))
        measures = tuple(Measure(**fields.as_tuples(dict(measure))) for measure in keys.measures)
        planned = self._cells_in_full() if keys.cells else self._cells()
        made = StageBuilder(keys, self.source, fields.places(self.base), self.paths_of_cells)
        in_full = [each.cell for each in planned]
        stages = made.in_full(in_full) if keys.stages else made.short(planned)
        metrics = tuple(map(shown.metric, keys.metrics))
        shown.check(keys, in_full, measures, self.source)
        cells = shown.with_printed((p.cell for p in planned), keys, metrics, self.source)
        labels = list(dict.fromkeys(label for cell in cells for label in cell.key))
        view = self._view(metrics, labels)
        self._name_parts(planned, stages)
        tried = dict.fromkeys(name for stage in stages for name in stage.searched)
        name = keys.name or PurePath(self.source.name).stem
        timed = any(cell.budget == "time" for cell in cells)
        artifact = Artifact(
            id=f"{keys.project}/{name}",
            experiment=Experiment(
                base=fields.values(self.base),
                cells=cells,
                stages=stages,
                selection=self._selection(cells, stages, measures),
                measures=measures,
                step_times=tuple(t for ts in STEP_TIMES.values() for t in ts) if timed else (),
            ),
            view=view,
            notes=Notes(keys.title or name),
            presets={name: self._preset(name) for name in keys.presets},
            own=True,
            figures=shown.figures_of(keys, view, [*labels, *tried], self.source),
        )
        base = fields.places(self.base)
        return Built(artifact, self.source, base, self.paths_of_cells, made.paths)

    def _fields(self, keys: Fields, at: Path_) -> dict[str, tuple[Any, Path_]]:
        return fields.flat(keys.fields, at, self.source, type(keys).model_fields)

    def _name_parts(self, planned: Iterable[CellSpace], stages: Iterable[Stage]) -> None:
        """Where a part has options and no name, give it that of the usual one."""
        given = [*self.base, *(name for p in planned for name in p.cell.fields)]
        for stage in stages:
            given += [*stage.fields, *stage.searched]
        for part, usual in USUAL.items():
            if part not in self.base and any(name.startswith(f"{part}.") for name in given):
                self.base = {part: (usual, ()), **self.base}

    def _refuse_two_forms(self) -> None:
        keys = self.keys
        given = keys.model_fields_set
        for full, short in (
            ("cells", ("compare", "columns")),
            ("stages", ("grid", "points", "seeds", "then")),
        ):
            for name in short:
                if getattr(keys, full) and name in given:
                    raise self.source.error((name,), f"{full} says it in full; leave {name} out")
        for label, rows in (("compare", {"": keys.compare}), ("columns", keys.columns)):
            for outer, entries in rows.items():
                for name, row in entries.items():
                    if keys.stages and (row.grid or row.points or row.seeds):
                        at = (label, *filter(None, (outer,)), name)
                        raise self.source.error(at, "stages has what is searched; not a row")

    # -- cells ---------------------------------------------------------------------------------

    def _cells(self) -> list[CellSpace]:
        if ROW in self.keys.columns:
            raise self.source.error(("columns", ROW), f"{ROW} is the label of compare")
        axes: list[list[tuple[str, str, Row, Path_]]] = []
        if rows := self._rows():
            axes.append(rows)
        for label, entries in self.keys.columns.items():
            if not entries:
                raise self.source.error(("columns", label), f"{label} has no entries")
            at = ("columns", label)
            axes.append([(label, name, entry, (*at, name)) for name, entry in entries.items()])
        if not axes:
            method, _ = self.base.get("method", ("erm", ()))
            name = method["name"] if isinstance(method, Mapping) else str(method)
            axes = [[(ROW, name, Row(), ())]]
        common = space_of(self.keys, (), self.source)
        return [self._cell(places, common) for places in product(*axes)]

    def _rows(self) -> list[tuple[str, str, Row, Path_]]:
        rows: list[tuple[str, str, Row, Path_]] = []
        for name, row in self.keys.compare.items():
            at = ("compare", name)
            if name != EVERY:
                rows.append((ROW, name, row, at))
                continue
            if "method" in row.fields:
                raise self.source.error((*at, "method"), f"the row {EVERY!r} is every method")
            for method in declared.names("methods"):
                if method not in self.keys.compare:
                    rows.append(
                        (ROW, method, Row.model_validate({"method": method, **dict(row)}), at)
                    )
        return rows

    def _cell(
        self, places: Iterable[tuple[str, str, Row, Path_]], common: SearchSpace
    ) -> CellSpace:
        places = list(places)
        found: dict[str, tuple[Any, Path_]] = {}
        space, seeds, budget, hidden = common, self.keys.seeds, self.keys.budget, False
        for _, _, row, at in places:
            own = self._fields(row, at)
            space = space.without(list(own)).times(space_of(row, at, self.source))
            found |= own
            seeds, budget = row.seeds or seeds, row.budget or budget
            hidden = hidden or row.hidden
        key = {label: name for label, name, _, _ in places}
        cell = Cell(key, fields.values(found), budget=budget, hidden=hidden)
        self.paths_of_cells[tuple(key.items())] = {
            **dict.fromkeys(["method"], places[0][3]),
            **{name: at for name, (_, at) in found.items()},
        }
        return CellSpace(cell, space, seeds)

    def _cells_in_full(self) -> list[CellSpace]:
        planned = []
        for i, keys in enumerate(self.keys.cells):
            at = ("cells", i)
            found = self._fields(keys, at)
            if tuple(keys.key.items()) in self.paths_of_cells:
                raise self.source.error(
                    at, f"a cell {' / '.join(keys.key.values())} is there twice"
                )
            self.paths_of_cells[tuple(keys.key.items())] = {n: p for n, (_, p) in found.items()}
            cell = Cell(
                keys.key,
                fields.values(found),
                {name: shown.reported(number) for name, number in keys.printed.items()},
                budget=keys.budget or self.keys.budget,
                hidden=keys.hidden,
            )
            planned.append(CellSpace(cell, SearchSpace(), self.keys.seeds))
        if self.keys.stages:
            return planned
        common = space_of(self.keys, (), self.source)
        return [replace(p, space=common.without(list(p.cell.fields))) for p in planned]

    # -- the rest ------------------------------------------------------------------------------

    def _selection(
        self, cells: Iterable[Cell], stages: Iterable[Stage], measures: tuple[Measure, ...]
    ) -> Selection:
        select = self.keys.select
        if select.on is not None:
            shown.check_metric(select.on, measures, ("select", "on"), self.source)
        given = [fields.values(self.base) | dict(cell.fields) for cell in cells]
        given = [found | dict(stage.fields) for found in given for stage in stages]
        held_out = any(found.get("data.validation") != 0 for found in given)
        losses = {found.get("loss", "cross_entropy") for found in given}
        known = losses.intersection(declared.names("tasks"))  # another is refused with its line
        quantities = {declared.of_task(loss)["selected"] for loss in sorted(known)}
        quantity = next((q for q in ("loss", "nll") if q in quantities), "error")
        usual = f"{'validation' if held_out else 'test'}_{quantity}"
        return Selection(select.on or usual, select.epoch, select.stated)

    def _view(self, metrics: tuple[Any, ...], labels: list[str]) -> TableView:
        layout = self.keys.table
        across = list(self.keys.columns)
        for key in ("rows", "columns"):
            for i, label in enumerate(getattr(layout, key) or ()):
                if label not in labels:
                    raise self.source.error(("table", key, i), unknown("label", label, labels))
        rows = [x for x in labels if x not in across] if layout.rows is None else layout.rows
        columns = across if layout.columns is None else layout.columns
        return TableView(
            metrics=metrics,
            rows=tuple(rows),
            columns=tuple(label for label in columns if label not in rows),
            metrics_down=layout.metrics_down,
            competing=layout.competing,
        )

    def _preset(self, name: str) -> Preset:
        keys, at = self.keys.presets[name], ("presets", name)
        if name == "full":
            raise self.source.error(at, "full is the file as it is written; give another name")
        own = self._fields(keys, at)
        for field_, (_, where) in own.items():
            if field_.rpartition(".")[0] in READABLE:
                whole = field_.rpartition(".")[0]
                raise self.source.error(
                    where, f"a preset sets fields and whole parts ({whole}: ...), no options of one"
                )
        if isinstance(keys.axes, dict):
            fields.flat(keys.axes, (*at, "axes"), self.source)
        axes = keys.axes if isinstance(keys.axes, dict) else {preset_rules.OTHERWISE: keys.axes}
        said = [f"{field_} = {value}" for field_, (value, _) in own.items()]
        said += [f"seeds = {keys.seeds}"] if keys.seeds else []
        return Preset(
            name,
            keys.summary or (", ".join(said) or "as written"),
            fields=fields.values(own),
            axes={axis: n for axis, n in axes.items() if n is not None},
            seeds=keys.seeds,
        )


__all__ = ["Built", "build"]
