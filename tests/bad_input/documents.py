"""Sweeps' files, configurations, tables of labels: texts that people write by hand."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any
from unittest import mock

import yaml
from hypothesis import strategies as st

from tests.bad_input.commands import template
from tests.bad_input.engine import FaultError, Kind, command, copied
from tests.bad_input.odd import byte_changes, changed_bytes, changed_tree, tree_changes

SWEEP: dict[str, Any] = {
    "name": "x",
    "base": {
        "data.source": "digits",
        "model": "mlp_tiny",
        "epochs": 2,
        "optimizer.lr": 0.1,
        "schedule.name": "step",
        "schedule.milestones": [0.5],
    },
    "compare": {
        "ERM": {"method": "erm"},
        "SAM": {"method": "sam", "grid": {"method.rho": [0.01, 0.05]}},
    },
    "grid": {"optimizer.weight_decay": [0, 0.0005]},
    "seeds": 2,
    "select": {"on": "validation_error", "epoch": "last"},
    "measures": [{"name": "hessian_trace", "samples": 50}],
    "metrics": ["test_error", "test_nll", "hessian_trace"],
    "presets": {"small": {"epochs": 4, "seeds": 1}},
}
COMMANDS = ("plan", "show", "table", "plot")


@functools.cache
def text_of_a_sweep() -> bytes:
    return yaml.safe_dump(SWEEP, sort_keys=False).encode()


yaml_trees = st.tuples(
    st.sampled_from(COMMANDS),
    tree_changes.map(lambda made: _yaml(changed_tree(SWEEP, made))),
)
yaml_texts = st.tuples(
    st.sampled_from(COMMANDS),
    byte_changes.map(lambda made: changed_bytes(text_of_a_sweep(), made)),
)


def _yaml(tree: Any) -> bytes:
    return yaml.safe_dump(tree, sort_keys=False).encode("utf-8", "surrogatepass")


def _try_sweep(case: tuple[str, bytes], folder: Path) -> str:
    name, content = case
    copied(template(), folder)
    (folder / "mine.yaml").write_bytes(content)
    more = ("--preset", "small") if name == "show" else ()
    return command(name, "mine.yaml", *more).sentence


@functools.cache
def configuration() -> dict[str, Any]:
    from trainables.config import TrialConfig

    return TrialConfig(
        data={"source": "digits", "augmentation": ["flip"], "subset": 300},
        model={"name": "mlp", "widths": [8]},
        method={"name": "sam", "rho": 0.1},
        regularizers=["label_smoothing"],
        schedule={"name": "step", "milestones": [1]},
        epochs=2,
    ).model_dump(mode="json")


config_trees = st.deferred(
    lambda: tree_changes.map(lambda made: _json(changed_tree(configuration(), made)))
)
config_texts = st.deferred(
    lambda: byte_changes.map(lambda made: changed_bytes(_json(configuration()), made))
)
deep = st.integers(1, 5).map(lambda n: b"[" * 10**n)


def _json(tree: Any) -> bytes:
    return json.dumps(tree, indent=1).encode()


def _try_config(content: bytes, folder: Path) -> str:
    import contextlib
    import io

    from trainables.__main__ import main

    (folder / "c.json").write_bytes(content)
    said = io.StringIO()
    with (
        mock.patch("trainables.train.fit"),
        contextlib.redirect_stderr(said),
        _no_output(),
    ):
        code = main(["c.json", "--device", "cpu"])
    if code not in (0, 2):
        raise FaultError(f"exit code {code}: {said.getvalue()}")
    return said.getvalue().strip() if code else ""


def _no_output() -> Any:
    return mock.patch("builtins.print", side_effect=_printed)


_print = print


def _printed(*words: Any, **options: Any) -> None:
    if not isinstance(words[0], mock.Mock):
        _print(*words, **options)


def _named(name: str) -> Any:
    return lambda _: [name]


def _of_the_file(case: tuple[str, bytes]) -> list[str]:
    """A file that is read may still have nothing to draw: then it is the sweep that is named."""
    return [] if case[0] == "plot" else ["mine.yaml"]


KINDS = (
    Kind("sweeps' files, changed values", yaml_trees, _try_sweep, _of_the_file, 0.5),
    Kind("sweeps' files, changed bytes", yaml_texts, _try_sweep, _of_the_file, 0.5),
    Kind("configurations, changed values", config_trees, _try_config, _named("c.json"), 2.5),
    Kind(
        "configurations, changed bytes",
        st.one_of(config_texts, config_texts, config_texts, deep),
        _try_config,
        _named("c.json"),
        2.5,
    ),
)

__all__ = ["KINDS"]
