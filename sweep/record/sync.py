"""Whether MLflow says what storage says, and how it is made to.

Storage has the results, each with its checksum, and a note on each sweep (`sweep.record.notes`).
From these every run of MLflow can be written again; what a person has edited, deleted, restored or
doubled there, and what a driver that was killed did not write, are differences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Literal

from sweep.record import attachments, curves, notes
from sweep.record.membership import as_tags, from_tags
from sweep.record.mlflow_runs import (
    CLIPPED,
    LABELS,
    PARENT,
    PROVENANCE,
    STORAGE,
    is_edited,
    numbers,
    recorded,
)
from sweep.record.notes import Note
from sweep.record.runs import RANK
from trainables.config import TrialConfig
from trainables.errors import UsageError
from trainables.masking import mask
from trainables.storage.files import Storage
from trainables.storage.lease import Leases
from trainables.storage.result import ResultError, TrialResult
from trainables.storage.trial_folder import RESULT, read_result, trial_folder, trials_with

if TYPE_CHECKING:
    from mlflow.entities import Run as MlflowRun

    from sweep.record.mlflow_store import Tracker

EVEN_DELETED = 3
"""MLflow's ViewType.ALL."""

SHOWN = 3
"""Values of a run that are named, of all that differ."""

Kind = Literal["missing", "deleted", "changed", "doubled", "gone", "result", "sweep", "summary"]


@dataclass(frozen=True)
class Difference:
    """Something that MLflow and storage do not agree on.

    Attributes:
        kind: ``missing``, ``deleted``, ``changed``, ``doubled``: of a trial's run; ``gone``: a
            run's result is in storage no more; ``result``: what storage has does not count;
            ``sweep``: of a sweep's own run, or of its tables; ``summary``: of the mean and std of
            a cell or grid point.
        subject: The trial, the sweep's name, or this and the summary's.
        says: What it is, in a clause.
    """

    kind: Kind
    subject: str
    says: str

    def __str__(self) -> str:
        what = self.kind if self.kind in ("sweep", "summary") else "trial"
        return f"{what} {self.subject}: {self.says}"


@dataclass(frozen=True)
class StoredTrial:
    """What `Tracker.write` asks of a trial."""

    config: TrialConfig
    name: str

    @property
    def trial_id(self) -> str:
        """The hash of its configuration."""
        return self.config.trial_id


class Sync:
    """A storage and an MLflow that are to agree.

    Args:
        tracker: Of MLflow.
        storage: Of the results.
    """

    def __init__(self, tracker: Tracker, storage: Storage) -> None:
        self._tracker, self._storage = tracker, storage
        self._parent_of: dict[str, str] = {}

    @cached_property
    def notes(self) -> Sequence[Note]:
        """What storage knows of sweeps."""
        return list(notes.read_all(self._storage))

    # -- comparing -----------------------------------------------------------------------------

    def differences(self) -> list[Difference]:
        """All there are, but for trials that a driver is at; nothing is written."""
        parents = self._parents()
        found = [*self._of_sweeps(parents), *self._of_trials({p.info.run_id for p in parents})]
        busy = Leases(self._storage, "").held_by_others(d.subject for d in found)
        return [difference for difference in found if difference.subject not in busy]

    def _of_sweeps(self, parents: Sequence[MlflowRun]) -> Iterator[Difference]:
        active = {p.data.tags["sweep"]: p for p in parents if _is_active(p)}
        deleted = {p.data.tags["sweep"] for p in parents if not _is_active(p)}
        for note in self.notes:
            if note.name in active:
                yield from self._of_files(note, active[note.name])
            elif note.name in deleted:
                yield Difference("sweep", note.name, "its run was deleted")
            elif note.files:  # else nothing was run for it: other sweeps have run its trials
                yield Difference("sweep", note.name, "its run is not in MLflow")

    def _of_files(self, note: Note, run: MlflowRun) -> Iterator[Difference]:
        for name, text in note.files.items():
            content = attachments.read(self._tracker.uri, run.info.artifact_uri, name)
            if content != text.encode():
                how = "is not attached to its run" if content is None else "was changed"
                yield Difference("sweep", note.name, f"{name} {how}")

    def _of_trials(self, parents: set[str]) -> Iterator[Difference]:
        stored = trials_with(self._storage, RESULT)
        complete, deleted = Counter[str](), set[str]()
        root = mask(self._storage.root)
        for run in self._tracker.search("tags.trial_id != ''", view=EVEN_DELETED):
            trial_id = run.data.tags["trial_id"]
            if not _is_active(run):
                deleted.add(trial_id)
            elif _is_complete(run):
                complete[trial_id] += 1
                if trial_id in stored:
                    yield from self._of_run(run, parents)
                elif run.data.tags.get(STORAGE) == root:
                    yield Difference("gone", trial_id, f"its result is no longer in {root}")
        for trial_id, count in complete.items():
            if count > 1:
                yield Difference("doubled", trial_id, f"it has {count} runs")
        for trial_id in sorted(stored - complete.keys()):
            if isinstance(result := self._result(trial_id), str):
                yield Difference("result", trial_id, result)
            elif trial_id in deleted:
                yield Difference("deleted", trial_id, "its run was deleted")
            else:
                yield Difference("missing", trial_id, "it is in storage and not in MLflow")

    def _of_run(self, run: MlflowRun, parents: set[str]) -> Iterator[Difference]:
        trial_id = run.data.tags["trial_id"]
        result = self._result(trial_id)
        if isinstance(result, str):
            yield Difference("result", trial_id, result)
            return
        wrong = list(self._wrong(run, result))
        if run.data.tags.get(PARENT, "") not in (parents or {""}) and self._noted(trial_id):
            wrong.append("it is below a sweep's run that is not there")
        if not wrong and is_edited(run):
            wrong = ["its digest is another one: it was edited"]
        if wrong:
            more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
            yield Difference("changed", trial_id, "; ".join(wrong[:SHOWN]) + more)

    def _wrong(self, run: MlflowRun, result: TrialResult) -> Iterator[str]:
        """What a run says and storage does not, in clauses."""
        data, tags = run.data, run.data.tags
        expected = numbers(result)
        yield from _unequal(
            {name: f"{value:.12g}" for name, value in recorded(data.metrics).items()},
            {name: f"{value:.12g}" for name, value in expected.items()},
        )
        if tags["outcome"] != result.status:
            yield f"outcome is {tags['outcome']} in MLflow and {result.status} in storage"
        if (config := _config(result)) is not None:
            flat = {name: mask(str(value)) for name, value in config.flat().items()}
            known = flat.keys() & data.params.keys()  # an option that came later has no parameter
            yield from _unequal({n: data.params[n] for n in known}, {n: flat[n] for n in known})
        origin = {f"{PROVENANCE}{name}": mask(value) for name, value in result.provenance.items()}
        yield from _unequal({name: tags.get(name, "") for name in origin}, origin)
        yield from self._wrong_places(result, tags)
        yield from self._wrong_curves(run, result)

    def _wrong_places(self, result: TrialResult, tags: Mapping[str, str]) -> Iterator[str]:
        places = [self._labels(note, result) for note in self._noted(result.trial_id)]
        labels = {name: tags.get(name, "") for name in LABELS}
        if places and labels not in places:
            yield from _unequal(labels, places[0])
        members = from_tags(tags)
        if any(tags.get(name) != value for name, value in as_tags(members).items()):
            yield "its tags of sweeps do not agree with one another"
        for note in self._noted(result.trial_id):
            if note.membership(result.trial_id) not in members:
                yield f"it is not noted as a trial of {note.name}"

    def _wrong_curves(self, run: MlflowRun, result: TrialResult) -> Iterator[str]:
        expected = run.data.tags.get(curves.TAG)
        if expected is None:
            if result.history:
                yield f"{curves.FILE} is not attached"
            return
        content = attachments.read(self._tracker.uri, run.info.artifact_uri, curves.FILE)
        if content is None:
            yield f"{curves.FILE} is missing"
        elif curves.digest(content) != expected or _texts(curves.decode(content)) != _texts(
            result.history
        ):
            yield f"{curves.FILE} was changed"

    # -- mending -------------------------------------------------------------------------------

    def mend(self, notify: Callable[[str], None]) -> list[Difference]:
        """Make MLflow say what storage says; ``notify`` is told each thing that is mended.

        Returns:
            What still differs: no storage has it.
        """
        found = self.differences()
        sweeps = {difference.subject for difference in found if difference.kind == "sweep"}
        for note in self.notes:
            if note.name in sweeps:
                self._tracker.finish_sweep(self.parent(note), note.files)
        left = self.differences() if sweeps else found  # an experiment may have been restored
        self._tracker.fold(self._tracker.load(refresh=True))
        for trial_id in dict.fromkeys(d.subject for d in left if d.kind != "sweep"):
            self.rewrite(trial_id, notify)
        self._tracker.load(refresh=True)
        left = self.differences() if found else []
        for difference in found:
            if difference not in left:
                notify(f"mended: {difference}")
        return left

    def parent(self, note: Note) -> str:
        """The run of a sweep; it is restored, or made, if it is not there."""
        if note.name not in self._parent_of:
            self._parent_of[note.name] = self._tracker.start_sweep(
                note.artifact, note.preset, note.selection, note.title, note.variant
            )
        return self._parent_of[note.name]

    def rewrite(self, trial_id: str, notify: Callable[[str], None]) -> bool:
        """Write a trial's run again from storage, unless a deleted one says the same and is
        restored; returns whether storage has it.

        People's tags for it, and the sweeps that it belongs to, are kept.
        """
        result = read_result(trial_folder(self._storage, trial_id), trial_id, notify=notify)
        if result is None:
            return False
        if (config := _config(result)) is None:
            notify(f"trial {trial_id} is left as it is: it has parts that are not known here")
            return False
        runs = list(self._tracker.search(f"tags.trial_id = '{trial_id}'", view=EVEN_DELETED))
        active = [run.info.run_id for run in runs if _is_active(run)]
        noted = self._noted(trial_id)
        members = dict.fromkeys(note.membership(trial_id) for note in noted)
        members.update(dict.fromkeys(m for run in runs for m in from_tags(run.data.tags)))
        places = as_tags([member for member in members if member.artifact])
        parents = {self.parent(note) for note in noted}
        right = [
            run
            for run in runs
            if not (any(self._wrong(run, result)) or is_edited(run))
            and (not noted or run.data.tags.get(PARENT) in parents)
        ]
        if right:
            kept = next((run.info.run_id for run in right if _is_active(run)), right[0].info.run_id)
            self._tracker.retire([run_id for run_id in active if run_id != kept])
            if kept not in active:
                self._tracker.restore(kept, places)
            return True
        self._tracker.retire(active)
        tags = {STORAGE: mask(self._storage.root), "paper": "recovered"}
        for run in runs:
            names = (*LABELS, PARENT, "mlflow.note.content")
            tags |= {name: run.data.tags[name] for name in names if name in run.data.tags}
        name = f"{config.method.name} · seed {config.seed}"
        if noted:
            tags |= {**self._labels(noted[0], result), PARENT: self.parent(noted[0])}
            name = noted[0].trials[trial_id].name
        tags |= {"method": config.method.name, **places}
        self._tracker.write(StoredTrial(config, name), result, tags)
        return True

    # -- storage -------------------------------------------------------------------------------

    def _result(self, trial_id: str) -> TrialResult | str:
        """A trial's result, or why there is none."""
        try:
            content = trial_folder(self._storage, trial_id).read(RESULT)
            return TrialResult.verified(content, trial_id)[0]
        except FileNotFoundError:
            return "its result was removed while it was looked for"
        except ResultError as error:
            return f"the result in storage does not count: {error}"

    def _noted(self, trial_id: str) -> list[Note]:
        return [note for note in self.notes if trial_id in note.trials]

    def _labels(self, note: Note, result: TrialResult) -> dict[str, str]:
        """A trial's tags for people, in a sweep."""
        place = note.trials[result.trial_id]
        method = result.config["method"]["name"]
        return {"paper": note.paper, "cell": place.cell, "method": method, "seed": str(place.seed)}

    def _parents(self) -> list[MlflowRun]:
        return list(self._tracker.search("tags.sweep != ''", view=EVEN_DELETED))


def edited_again(tracker: Tracker, storage: Storage, notify: Callable[[str], None]) -> int:
    """Write the runs again that ``tracker`` has found edited; returns how many."""
    sync, stored = Sync(tracker, storage), trials_with(storage, RESULT)
    ours = [trial for trial in tracker.edited.values() if trial in stored]
    again = sum(map(partial(sync.rewrite, notify=notify), ours))
    if again:
        notify(f"{again} of them are written again from storage")
    return again


def _is_active(run: MlflowRun) -> bool:
    return bool(run.info.lifecycle_stage == "active")


def _is_complete(run: MlflowRun) -> bool:
    return run.data.tags.get("outcome") in RANK.keys() - {"pruned", "failed", "running"}


def _config(result: TrialResult) -> TrialConfig | None:
    """A result's configuration; None: it has a part that is not known here."""
    try:
        return TrialConfig(**result.config)
    except UsageError:
        return None


def _texts(history: Mapping[str, Sequence[float]]) -> dict[str, list[str]]:
    """Curves as text, in which NaN is equal to itself."""
    return {name: [*map(repr, map(float, values))] for name, values in history.items()}


def _unequal(run: Mapping[str, str], stored: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(run.keys() | stored.keys()):
        one, other = (values.get(name, "nothing")[:CLIPPED] for values in (run, stored))
        if one != other:
            yield f"{name} is {one} in MLflow and {other} in storage"


__all__ = ["Difference", "Sync", "edited_again"]
