"""``sweep gc``: what nothing refers to, shown, and removed if asked."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sweep.cli.options import Format, OutputFormat, RecordOptions, SweepOptions, option_groups
from sweep.cli.workflow import artifact_of, show, tracker_of
from trainables.errors import UsageError

if TYPE_CHECKING:
    from sweep.record.record import Record
    from sweep.run.garbage import Garbage


@option_groups
def gc(
    record: RecordOptions,
    artifacts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ARTIFACT]...",
            help="Files of your own sweeps whose trials this storage has, too.",
        ),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove what is shown.")] = False,
    format: Format = OutputFormat.text,  # noqa: A002
) -> None:
    """Show what nothing refers to, in the storage and on this machine: files that were set aside or
    half written, checkpoints of finished trials, trials that neither the record nor a recorded
    sweep's plan knows, folders of killed processes. Prepared data sets are never among them.

    Example: sweep gc --storage results --remove
    """
    from sweep.run import garbage
    from trainables.storage.files import Storage

    storage, tracked = Storage(record.storage), tracker_of(record).load()
    known, unplanned = _known(tracked, artifacts or ())
    kept = _kept(tracked, unplanned)
    found = list(garbage.find(storage, None if kept else known))
    if remove:
        garbage.remove(found, storage)
    if format is OutputFormat.json:
        rows = [{"kind": g.kind, "name": g.name, "bytes": g.bytes} for g in found]
        show({"garbage": rows, "removed": remove, "kept": kept})
    else:
        show(_text(found, remove, kept))


def _known(record: Record, files: Sequence[str]) -> tuple[set[str], list[str]]:
    """Ids of the trials that the record and the plans of its sweeps have, and the sweeps that
    cannot be planned: files that were not named."""
    known, unplanned = set(record.trial_ids), []
    named = {SweepOptions(artifact=name).artifact: artifact_of(SweepOptions(artifact=name))
             for name in files}  # fmt: skip
    places = {artifact.id: name for name, artifact in named.items()}
    for artifact_id, preset, variant in record.sweeps():
        name = places.get(artifact_id, artifact_id)
        try:
            known |= _planned(name, preset, variant, record)
        except UsageError:
            unplanned.append(" ".join([artifact_id, preset, variant]).strip())
    return known, unplanned


def _planned(name: str, preset: str, variant: str, record: Record) -> set[str]:
    """Ids of the trials of a sweep, however its hyper-parameters are chosen."""
    from sweep.plan.expand import plan
    from sweep.selection import SELECTIONS

    given = _options(variant)
    artifact = artifact_of(SweepOptions(artifact=name, preset=preset, **given))
    return {
        trial.trial_id
        for rule in SELECTIONS.values()
        for trial in plan(artifact, preset, rule, record).trials
    }


def _options(variant: str) -> dict[str, Any]:
    """A recorded variant (`search_spaces.variant.Variant`) as options of a command."""
    words = shlex.split(variant)
    given: dict[str, Any] = {}
    for flag, value in zip(words[::2], words[1::2], strict=True):
        if flag == "--workers":
            given["workers"] = value
        else:
            given.setdefault({"--read": "read", "--set": "settings"}[flag], []).append(value)
    return given


def _kept(record: Record, unplanned: Sequence[str]) -> str:
    """Why no trial's folder is among the garbage; empty if those may be that nobody knows."""
    if not len(record):
        return "the record has no trials, so those in the storage stay: is it --tracking-uri's?"
    if unplanned:
        return (
            f"trials that are not recorded stay, as {unplanned[0]} may need them; name its file: "
            "sweep gc FILE"
        )
    return ""


def _text(found: Iterable[Garbage], removed: bool, kept: str) -> str:
    found = list(found)
    lines = [f"{g.kind:<10}  {g.bytes / 1e6:>10.2f} MB  {g.name}" for g in found]
    total = sum(g.bytes for g in found) / 1e6
    if not found:
        lines.append("nothing: all that is there is needed")
    elif removed:
        lines.append(f"removed: {len(found)}, {total:.2f} MB")
    else:
        lines.append(f"{len(found)}, {total:.2f} MB; sweep gc --remove removes them")
    return "\n".join([*lines, *([kept] if kept else [])])


__all__ = ["gc"]
