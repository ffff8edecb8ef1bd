"""Command lines, values of options, URIs and environment variables."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import typer
from hypothesis import strategies as st

from tests.bad_input.engine import Kind, command, copied
from tests.bad_input.odd import words

SWEEP = """
base: {model: mlp_tiny, epochs: 1, batch_size: 64, data: {source: digits, subset: 200}}
grid: {method: [erm, sam]}
seeds: 1
"""
ARTIFACTS = ("nrs/table1", "amp/table1", "compare/methods", "infomcr/claim_time", "sweep.yaml")
STARTS = {"ui", "doctor", "completion"}
"""Commands that start servers, Ray or a shell."""
NETWORK = {"--follow", "--download", "--help", "--schema"}
RUNS = {"run", "reproduce", "search", "measure", "grid"}


@functools.cache
def template() -> Path:
    """A folder with a sweep's file, its results and their record."""
    made = Path(tempfile.mkdtemp(prefix="bad-input-template-"))
    file = made / "sweep.yaml"
    file.write_text(SWEEP, encoding="utf-8")
    ran = command(
        "run", str(file), "--storage", str(made / "results"), "--executor", "serial",
        "--keep-weights", "last",
    )  # fmt: skip
    assert ran.code == 0, ran
    return made


@functools.cache
def parameters() -> dict[tuple[str, ...], list[Any]]:
    """Of every command, by its words: click's parameters."""
    from sweep.cli.commands import app

    found: dict[tuple[str, ...], list[Any]] = {}

    def look(group: Any, at: tuple[str, ...]) -> None:
        for name, each in group.commands.items():
            if hasattr(each, "commands"):
                look(each, (*at, name))
            elif name not in STARTS:
                found[*at, name] = [p for p in each.params if not {*p.opts} & NETWORK]

    look(typer.main.get_command(app), ())
    return found


@st.composite
def command_lines(draw: st.DrawFn) -> tuple[str, ...]:
    line = draw(st.sampled_from(sorted(parameters())))
    known = parameters()[line]
    given: list[str] = []
    for parameter in known:
        if parameter.param_type_name == "argument" and draw(st.integers(0, 9)):
            likely = st.sampled_from([*ARTIFACTS, "tiny.yaml", "method=sam", "digits", "out.csv"])
            given.append(draw(st.one_of(likely, likely, words)))
    options = [p for p in known if p.param_type_name == "option"]
    for parameter in draw(st.lists(st.sampled_from(options), max_size=3)) if options else ():
        flag = draw(st.sampled_from(parameter.opts))
        given += [flag] if parameter.is_flag else [flag, draw(words)]
    return (*line, *given, *draw(st.lists(words, max_size=1)))


def _try(line: tuple[str, ...], folder: Path) -> str:
    copied(template(), folder)
    if line[0] in RUNS:
        line = (*line, "--executor", "serial")
    with _nothing_is_trained():
        return command(*line).sentence


def _nothing_is_trained() -> Any:
    from unittest import mock

    return mock.patch("sweep.run.serial.SerialExecutor.run", return_value=None)


def _option(flag: str, line: tuple[str, ...]) -> Any:
    """Tries the value of one option of a command."""

    def try_(value: str, folder: Path) -> str:
        return _try((*line, flag, value), folder)

    return try_


def _pairs(names: str, likely: str) -> st.SearchStrategy[str]:
    """NAME=VALUE, half of them with a name that there is, some with a value that there may be."""
    name = st.one_of(st.sampled_from(names.split()), st.sampled_from(names.split()), words)
    value = st.one_of(st.sampled_from(likely.split()), words)
    return st.one_of(st.builds("{}={}".format, name, value), words)


FIELDS = (
    "epochs batch_size method method.rho method.name model model.widths data data.source seed loss "
    "data.subset data.validation data.augmentation optimizer.lr optimizer.betas workers precision "
    "workers.count schedule.name schedule.milestones batchnorm batchnorm_parts regularizers"
)
VALUES = "1 2 0.5 sgd erm sam mlp digits cosine step [1] [0.5] true null text 64 float32 adam"


MEASURES = ("hessian_trace", "robustness", "fisher_log_det", "loss", "absent", "landscape_1d")
measure_options = st.tuples(
    st.one_of(st.sampled_from(MEASURES), words),
    _pairs("num_samples rho samples steps tolerance batches radius", "1 10 0.5 null"),
)


def _try_measure(case: tuple[str, str], folder: Path) -> str:
    name, option = case
    return _try(("measure", "sweep.yaml", "--measure", name, "-o", option), folder)


SCHEMES = ("sqlite:///", "file://", "memory://", "s3://", "http://127.0.0.1:1/", "postgresql://",
           "mysql+pymysql://127.0.0.1:1/", "mssql://", "gs://", "abfs://", "local://", "databricks",
           "zip://", "simplecache::", "postgresql+psycopg://a:b@127.0.0.1:1/", "sqlite://", "://",
           "reference://", "github://", "tar://", "dir::", "redis://", "file:", "")  # fmt: skip
uris = st.builds(str.__add__, st.sampled_from(SCHEMES), words.map(lambda word: word[:300]))


def _try_storage(uri: str, folder: Path) -> str:
    """Where a run finds out that it cannot write."""
    from trainables.storage.files import Storage

    copied(template(), folder)
    storage = Storage(uri)
    storage.check_writable()
    storage.names("trials/*/result.json")
    storage.below("trials/x").exists("result.json")
    return command("status", "--storage", uri).sentence


def _try_tracking(uri: str, folder: Path) -> str:
    copied(template(), folder)
    return command("status", "--tracking-uri", uri).sentence


VARIABLES = ("FLATSWEEP_WORKERS", "FLATSWEEP_STORAGE", "FLATSWEEP_DATA", "FLATSWEEP_CACHE",
             "FLATSWEEP_DECODE_THREADS", "MLFLOW_TRACKING_URI", "RAY_ADDRESS", "OMP_NUM_THREADS",
             "COLUMNS", "LINES", "NO_COLOR", "TERM", "XDG_CACHE_HOME", "LANG", "TZ")  # fmt: skip
LINES = (("plan", "sweep.yaml"), ("status",), ("table", "sweep.yaml"), ("data", "list"),
         ("list",), ("run", "sweep.yaml"))  # fmt: skip
variables = st.tuples(
    st.dictionaries(st.sampled_from(VARIABLES), words, min_size=1, max_size=2),
    st.sampled_from(LINES),
)


def _try_variables(case: tuple[dict[str, str], tuple[str, ...]], folder: Path) -> str:
    given, line = case
    copied(template(), folder)
    more = ("--executor", "serial") if line[0] == "run" else ()
    with _nothing_is_trained():
        return command(*line, *more, variables=given).sentence


def _try_reading(value: str, folder: Path) -> str:
    found = _try(("plan", "nso/table2", "--read", value), folder)
    return found or _try(("table", "nso/table2", "--read", "code", "--against", value), folder)


PLAN = ("plan", "compare/methods")
entries = _pairs("method data model", "ERM SAM NRS AMP 10")
readings = _pairs("common optimizer lr-drop augmentation", "searched code middle sgd adam none")
NEW = ("new", "my.yaml", "--from", "compare/methods")
KINDS = (
    Kind("command lines", command_lines(), _try, weight=0.5),
    Kind("values of --where", entries, _option("--where", NEW), weight=0.5),
    Kind("values of --read", readings, _try_reading, weight=0.5),
    Kind("values of --set", _pairs(FIELDS, VALUES), _option("--set", PLAN), weight=0.5),
    Kind("options of measures", measure_options, _try_measure, weight=0.5),
    Kind("storage URIs", uris, _try_storage, weight=0.15),
    Kind("tracking URIs", uris, _try_tracking, weight=0.15),
    Kind("environment variables", variables, _try_variables, weight=0.15),
)  # fmt: skip
"""Without words of their own: a sentence here may speak of any part of the line."""

__all__ = ["KINDS", "SWEEP", "template"]
