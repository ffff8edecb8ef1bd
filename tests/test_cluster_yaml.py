"""cluster.yaml holds what Ray's own schema asks, and what it does not look at."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "cluster.yaml").read_text()
AWS: dict[str, Any] = yaml.safe_load(TEXT)
SECTIONS = TEXT[TEXT.index("# This checkout goes") : TEXT.index("# Machines of your own.")]


def local() -> dict[str, Any]:
    """The variant in the comments, put together as the comment says."""
    commented = TEXT[TEXT.index("# BEGIN local") : TEXT.index("# END local")].splitlines()[1:]
    head = "\n".join(line.removeprefix("# ").removeprefix("#") for line in commented)
    config: dict[str, Any] = yaml.safe_load(head + "\n" + SECTIONS)
    return config


def commands(config: dict[str, Any]) -> str:
    return "\n".join(
        command for key, value in config.items() if key.endswith("_commands") for command in value
    )


@pytest.mark.parametrize("config", [AWS, local()], ids=["aws", "local"])
def test_rays_schema_accepts_it(config: dict[str, Any]) -> None:
    full = prepare_config(copy.deepcopy(config))
    validate_config(full)
    assert full["cluster_name"] == "flatsweep"


@pytest.mark.parametrize("wrong", [{"nodes": 3}, {"head_node_type": "absent"}])
def test_rays_schema_refuses_what_is_wrong(wrong: dict[str, Any]) -> None:
    """So that the test above means something."""
    with pytest.raises(Exception, match=r"nodes|head_node_type"):
        validate_config(prepare_config(copy.deepcopy({**AWS, **wrong})))


def test_the_head_runs_no_trials_and_the_workers_are_spot_instances_with_gpus() -> None:
    types = AWS["available_node_types"]
    assert types["head"]["resources"] == {"CPU": 0}
    worker = types["gpu_worker"]
    assert worker["resources"]["GPU"] >= 1
    assert worker["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    assert worker["min_workers"] == 0
    assert worker["max_workers"] <= AWS["max_workers"]  # the schema does not compare them
    assert AWS["idle_timeout_minutes"] > 0


def test_nodes_are_set_up_from_the_lock_file_alone() -> None:
    assert "-r ~/flatsweep/requirements.lock" in commands(AWS)
    assert "--no-deps --editable ~/flatsweep" in commands(AWS)
    assert (ROOT / "requirements.lock").is_file()
    assert AWS["file_mounts"] == {"/home/ubuntu/flatsweep": "."}


def test_every_ray_command_says_how_it_authenticates() -> None:
    """With RAY_AUTH_MODE unset, Ray decides by whether a token file happens to be there."""
    for command in re.split(r"[;\n|]+", commands(AWS)):
        if re.search(r"bin/ray (start|stop|get-auth-token)", command):
            assert "RAY_AUTH_MODE=token" in command, command


def test_nothing_listens_beyond_the_head_but_ray_itself() -> None:
    assert "--dashboard-host=127.0.0.1" in commands(AWS)
    assert "mlflow server --host 127.0.0.1 --port 5000" in commands(AWS)
