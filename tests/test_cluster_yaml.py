"""Both cluster.yaml hold what Ray's own schema asks, and what it does not look at."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).parents[1]
AWS: dict[str, Any] = yaml.safe_load((ROOT / "cluster.yaml").read_text())
LOCAL: dict[str, Any] = yaml.safe_load((ROOT / "examples/on_premise/cluster.yaml").read_text())
BOTH = pytest.mark.parametrize("config", [AWS, LOCAL], ids=["aws", "on_premise"])


def commands(config: dict[str, Any]) -> str:
    return "\n".join(
        command for key, value in config.items() if key.endswith("_commands") for command in value
    )


@BOTH
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


def test_every_machine_of_ones_own_is_a_node() -> None:
    addresses = LOCAL["provider"]["worker_ips"]
    assert LOCAL["min_workers"] == LOCAL["max_workers"] == len(addresses)
    assert LOCAL["provider"]["head_ip"] not in addresses


@BOTH
def test_the_head_itself_has_no_cpu_for_trials(config: dict[str, Any]) -> None:
    assert "ray start --head --port=6379 --num-cpus=0 --num-gpus=0" in commands(config)


def test_what_is_not_about_amazon_is_the_same_on_premise() -> None:
    for key in AWS.keys() & LOCAL.keys() - {"max_workers", "provider", "auth", "setup_commands"}:
        assert AWS[key] == LOCAL[key], key
    assert AWS["setup_commands"][-5:] == LOCAL["setup_commands"][1:]


@BOTH
def test_nodes_are_set_up_from_the_lock_file_alone(config: dict[str, Any]) -> None:
    assert "-r ~/flatsweep/requirements.lock" in commands(config)
    assert "--no-deps --editable ~/flatsweep" in commands(config)
    assert (ROOT / "requirements.lock").is_file()
    assert config["file_mounts"] == {"/home/ubuntu/flatsweep": "."}


@BOTH
def test_every_ray_command_says_how_it_authenticates(config: dict[str, Any]) -> None:
    """With RAY_AUTH_MODE unset, Ray decides by whether a token file happens to be there."""
    for command in re.split(r"[;\n|]+", commands(config)):
        if re.search(r"bin/ray (start|stop|get-auth-token)", command):
            assert "RAY_AUTH_MODE=token" in command, command


@BOTH
def test_nothing_listens_beyond_the_head_but_ray_itself(config: dict[str, Any]) -> None:
    assert "--dashboard-host=127.0.0.1" in commands(config)
    assert "mlflow server --host 127.0.0.1 --port 5000" in commands(config)
