"""``sweep data list | prepare | verify``: which data sets are here, and how to get the others."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sweep.cli.options import DataDir, Format, OutputFormat, parse_options

if TYPE_CHECKING:
    from trainables.data import Dataset
    from trainables.data.prepare.catalog import CatalogEntry

app = typer.Typer(
    name="data",
    help="List, prepare and verify data sets.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

DataOptions = Annotated[
    list[str],
    typer.Option("--option", "-o", help="An option of the data set, e.g. size=128; repeatable."),
]


@app.command("list")
def list_sets(data: DataDir = None, format: Format = OutputFormat.text) -> None:  # noqa: A002
    """List every data set: whether it is here and, if not, how to get it. Nothing is fetched.

    Example: sweep data list --data /shared/data
    """
    from trainables.data import data_directory, names
    from trainables.data.prepare import catalog

    directory = data_directory(data)
    found = [catalog.status(name, directory) for name in names()]
    if format is OutputFormat.json:
        print(json.dumps({"directory": str(directory), "sets": [_as_dict(s) for s in found]}))
        return
    print(f"data directory: {directory}")
    for status in found:
        print(f"{status.name:<15} {status.state.value:<10} {status.title}")
        if status.state in (catalog.Availability.MISSING, catalog.Availability.INCOMPLETE):
            print(f"{'':<26} to get it: {status.get}")


@app.command("prepare")
def prepare(
    name: Annotated[str, typer.Argument(help="A data set (see `sweep data list`).")],
    option: DataOptions = [],  # noqa: B006
    download: Annotated[
        bool, typer.Option("--download", help="Fetch the originals first, where they are public.")
    ] = False,
    data: DataDir = None,
    format: Format = OutputFormat.text,  # noqa: A002
) -> None:
    """Decode a data set once into memory-mapped files; its originals are not needed afterwards.

    Example: sweep data prepare cifar10 --download
    """
    from trainables.data import DataError, data_directory, load, registry
    from trainables.data.prepare.store import reporting

    directory = data_directory(data)
    options = registry.resolve(name, parse_options(option))
    with _progress(name) as report, reporting(report):
        try:
            dataset = load(name, directory, **options)
        except DataError as error:
            if not download:
                raise
            dataset = _fetched(name, directory, options, error)
    sizes = {
        split: len(images)
        for split in ("train", "validation", "test")
        if (images := getattr(dataset, split)) is not None
    }
    facts = {
        "name": name,
        "source": dataset.source,
        "images": sizes,
        "classes": dataset.num_classes,
        "shape": list(dataset.input_shape),
        "spec": dict(dataset.spec),
        "fingerprint": dataset.fingerprint,
        "directory": str(directory),
        "notes": list(dataset.notes),
    }
    if format is OutputFormat.json:
        print(json.dumps(facts))
    else:
        counts = ", ".join(f"{count:,} {split}" for split, count in sizes.items())
        kind = [f"{dataset.num_classes} classes"] if dataset.num_classes else []
        kind += [" x ".join(map(str, dataset.input_shape))] if dataset.input_shape else []
        kind += [f"{fact} {value}" for fact, value in dataset.spec.items()]
        print(f"{name}: {dataset.source}, {', '.join([counts, *kind])}; ready")
        for note in dataset.notes:
            print(f"note: {note}")


def _fetched(name: str, directory: Path, options: Mapping[str, Any], fault: Exception) -> Dataset:
    """The data set after its originals were fetched. A downloader may take what is there for the
    whole, and fetch nothing: then what is wrong with it is said again, with what to remove."""
    from trainables.data import DataError, load
    from trainables.data.base import about
    from trainables.data.prepare import catalog

    catalog.download(name, directory)
    try:
        return load(name, directory, **options)
    except DataError as error:
        places = [directory / place for place in about[name].originals]
        there = next((place for place in places if place.exists()), None)
        if str(error) != str(fault) or there is None:
            raise
        raise DataError(
            f"{error} (the download took {there} for whole: remove it, then download again)"
        ) from None


@app.command("verify")
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Data sets [default: all].")] = None,
    data: DataDir = None,
    format: Format = OutputFormat.text,  # noqa: A002
) -> None:
    """Compare prepared files with their checksums; originals too, if their publisher gives some.

    Example: sweep data verify cifar10
    """
    from trainables.data import data_directory, registry
    from trainables.data.prepare import catalog

    directory = data_directory(data)
    findings = []
    for name in names or []:
        registry.get(name)
    for name, what, check in _checks(directory, names or registry.names()):
        findings.append({"name": name, "checked": str(what), "fault": _fault(check)})
        if format is OutputFormat.text:
            print(f"{'DAMAGED' if findings[-1]['fault'] else 'ok':<8} {what}")
    checked = {finding["name"] for finding in findings}
    for name in names or []:
        built_in = catalog.status(name, directory).state is catalog.Availability.BUILT_IN
        if name not in checked and not built_in:
            fault = f"{name!r} is not in {directory}: {catalog.status(name, directory).get}"
            findings.append({"name": name, "checked": None, "fault": fault})
    if format is OutputFormat.json:
        print(json.dumps({"directory": str(directory), "findings": findings}))
    elif not findings:
        print(f"nothing to verify in {directory}")
    faults = [finding["fault"] for finding in findings if finding["fault"]]
    for fault in faults:
        print(f"sweep: {fault}", file=sys.stderr)
    if faults:
        raise typer.Exit(1)


def _checks(directory: Path, names: list[str]) -> Iterator[tuple[str, Path, Callable[[], Any]]]:
    """(data set, file or folder, check) of everything that has a checksum."""
    from trainables.data.base import about
    from trainables.data.prepare import catalog

    belongs = {path: name for name in names for path in catalog.folders(directory, name)}
    known = {p for n in about for p in catalog.folders(directory, n)}
    for path in catalog.folders(directory):
        if path in belongs or path not in known:  # one that no set knows has a broken manifest
            yield belongs.get(path, path.name), path, lambda path=path: _verify(path, directory)  # type: ignore[misc]
    for name in names:
        check = about[name].check
        found = [directory / original for original in about[name].originals]
        there = next((path for path in found if path.exists()), None)
        if check is not None and there is not None:
            yield name, there, lambda check=check: check(directory)  # type: ignore[misc]


def _verify(path: Path, directory: Path) -> None:
    """Raise DataError if a prepared folder is damaged, or its originals are others by now."""
    from trainables.data import DataError
    from trainables.data.prepare.manifest import verify
    from trainables.data.prepare.store import changes

    verify(path)
    if changed := changes(path, directory):
        raise DataError(
            f"{path} is of originals of before ({changed}): `sweep data prepare`, or the next "
            "trial, prepares it anew"
        )


def _fault(check: Callable[[], Any]) -> str | None:
    from trainables.data import DataError

    try:
        check()
    except DataError as error:
        return str(error)
    return None


def _as_dict(status: CatalogEntry) -> dict[str, Any]:
    return {
        "name": status.name,
        "title": status.title,
        "state": status.state.value,
        "prepared": [str(path) for path in status.prepared],
        "get": status.get,
        "downloads": status.downloads,
    }


@contextmanager
def _progress(name: str) -> Iterator[Callable[[str, int, int], None]]:
    """Within it, progress is shown: by a bar on a terminal, else by a line for every tenth.

    The value is called with the split, how many images are done, and how many there are. Both are
    on standard error.
    """
    if not sys.stderr.isatty():
        yield _lines(name)
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def report(split: str, done: int, total: int) -> None:
            if split not in tasks:
                tasks[split] = bar.add_task(f"{name} {split}", total=total)
            bar.update(tasks[split], completed=done)

        yield report


def _lines(name: str) -> Callable[[str, int, int], None]:
    said: dict[str, int] = {}

    def report(split: str, done: int, total: int) -> None:
        tenth = 10 * done // total
        if tenth > said.get(split, 0):
            said[split] = tenth
            print(f"{name} {split}: {done:,} of {total:,}", file=sys.stderr, flush=True)

    return report
