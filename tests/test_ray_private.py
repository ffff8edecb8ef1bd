"""Ray's private names: where they are used, and that they still are what they were.

These tests run before all others: when Ray moves such a name, this is what fails first.
"""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
MOVED = (
    "Ray {ray} is not the Ray that trainables/ray_private is written for: {what}. "
    "Mend that folder, or bound Ray's version in pyproject.toml."
)
PLACE = "trainables/ray_private/"
ELSEWHERE = {"tests/test_cluster_yaml.py"}
"""It asks Ray's own schema of cluster.yaml."""


def moved(what: str) -> str:
    return MOVED.format(ray=metadata.version("ray"), what=what)


def test_the_names_are_there() -> None:
    try:
        from ray._private import parameter, services

        from trainables.ray_private import start, train
    except (ImportError, AttributeError) as error:
        pytest.fail(moved(str(error)))
    asked: dict[Any, set[str]] = {
        services.resolve_ip_for_localhost: {"host"},
        services.canonicalize_bootstrap_address: {"addr"},
        services.start_ray_process: {"command", "process_type"},
        services.get_node: {"gcs_address", "node_id"},
        parameter.RayParams: {*start.AGENTS, *start.ALONE},
        train.join_process_group: {
            "backend", "world_rank", "world_size", "init_method", "timeout_s"
        },
        train.TorchBackend.on_start: {"worker_group", "backend_config"},
    }  # fmt: skip
    for function, names in asked.items():
        lacking = names - set(inspect.signature(function).parameters)
        assert not lacking, moved(f"{function.__qualname__} takes no {', '.join(sorted(lacking))}")
    for base, name in (
        (train.WorkerGroup, "_create_placement_group"),
        (train.FixedScalingPolicy, "_maybe_send_resource_request"),
        (train.FixedScalingPolicy, "after_controller_start"),
        (train.DefaultPlacementGroupHandle, "shutdown"),
        (train.TrainController, "worker_group_cls"),
    ):
        assert hasattr(base, name), moved(f"{base.__name__} has no {name}")


def test_a_start_goes_through_what_is_watched() -> None:
    from ray._private import node, services, worker
    from ray.tune.execution.tune_controller import TuneController

    from trainables.ray_private import tune

    watched: tuple[tuple[Any, str], ...] = (
        (services.start_raylet, r"\bstart_ray_process\("),
        (services.start_gcs_server, r"\bstart_ray_process\("),
        (node.Node.__init__, r"services\.get_node\("),
        (worker.init, r"services\.resolve_ip_for_localhost\(_node_ip_address\)"),
        (worker.init, r"_private\.parameter\.RayParams\("),
        (TuneController.__init__, rf"self\.{tune.NAME}\b.* = "),
        (TuneController, rf"< self\.{tune.NAME}\b"),
    )
    for function, call in watched:
        text = inspect.getsource(inspect.unwrap(function))
        assert re.search(call, text), moved(f"{function.__qualname__} no longer has {call}")


def test_private_names_are_used_in_one_folder() -> None:
    private = re.compile(r"^ray\.(.*\.)?_|^ray\._")
    found = set()
    for name in ("sweep", "trainables", "search_spaces", "benchmarks", "tests"):
        for path in (ROOT / name).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                modules = []
                if isinstance(node, ast.ImportFrom):
                    modules = [f"{node.module}.{alias.name}" for alias in node.names]
                elif isinstance(node, ast.Import):
                    modules = [alias.name for alias in node.names]
                if any(private.match(module) for module in modules):
                    found.add(path.relative_to(ROOT).as_posix())
    inside = {path for path in found if path.startswith(PLACE)}
    assert inside == {f"{PLACE}start.py", f"{PLACE}train.py"}
    assert found - inside - ELSEWHERE == {"tests/test_ray_private.py"}


def test_rays_version_is_bounded_and_the_locked_one_is_within() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (asked,) = [word for word in project["dependencies"] if word.startswith("ray")]
    bounds = re.fullmatch(r"ray\[[a-z,]+\]>=(\d+)\.(\d+),<(\d+)\.(\d+)", asked)
    assert bounds, asked
    lowest, above = tuple(map(int, bounds.groups()[:2])), tuple(map(int, bounds.groups()[2:]))
    locked = re.search(r"^ray==(\d+)\.(\d+)", (ROOT / "requirements.lock").read_text(), re.M)
    assert locked
    assert lowest <= tuple(map(int, locked.groups())) < above
