"""examples/kuberay: KubeRay knows every field of the manifests, and they say what is promised."""

from __future__ import annotations

import copy
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "examples" / "kuberay"
KNOWN: dict[str, Any] = yaml.safe_load((ROOT / "tests" / "facts" / "kuberay.yaml").read_text())


def manifest(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())
    return found


CLUSTER, JOB = manifest("raycluster.yaml"), manifest("rayjob.yaml")
CLAIM, POLICY = yaml.safe_load_all((FOLDER / "shared.yaml").read_text())
SPEC = CLUSTER["spec"]
GROUPS = [SPEC["headGroupSpec"], *SPEC["workerGroupSpecs"]]


def check(found: dict[str, Any]) -> None:
    """Raise jsonschema.ValidationError for a field that KubeRay does not know."""
    kinds = {"RayCluster": "RayClusterSpec", "RayJob": "RayJobSpec"}
    top = {"apiVersion": "ray.io/v1", "kind": found["kind"], "metadata": {"name": "flatsweep"}}
    assert {**found, "spec": None} == {**top, "spec": None}
    jsonschema.validate(found["spec"], {**KNOWN, "$ref": f"#/$defs/{kinds[found['kind']]}"})


@pytest.mark.parametrize("found", [CLUSTER, JOB], ids=["cluster", "job"])
def test_kuberay_knows_every_field(found: dict[str, Any]) -> None:
    check(found)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("replica", 1),
        ("authOptions.mode", "secret"),
        ("headGroupSpec.rayStartParams.num-cpus", 0),
        ("headGroupSpec.template.spec.nodeSelektor", {}),
        ("headGroupSpec.template.spec.containers.0.resources.limits.cpu", 1.5),
        ("workerGroupSpecs.0.maxReplicas", "8"),
        ("workerGroupSpecs.0.groupName", None),
    ],
)
def test_what_kuberay_does_not_know_is_found(path: str, value: Any) -> None:
    """So that the test above means something."""
    wrong = copy.deepcopy(CLUSTER)
    node: Any = wrong["spec"]
    *steps, last = path.split(".")
    for step in steps:
        node = node[int(step) if step.isdecimal() else step]
    node[last] = value
    with pytest.raises(jsonschema.ValidationError):
        check(wrong)


def test_the_job_makes_the_same_cluster_and_takes_it_down() -> None:
    assert JOB["spec"]["rayClusterSpec"] == SPEC
    assert JOB["spec"]["shutdownAfterJobFinishes"] is True


def test_the_head_runs_no_trials_and_the_workers_come_and_go() -> None:
    assert SPEC["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert SPEC["enableInTreeAutoscaling"] is True
    (workers,) = SPEC["workerGroupSpecs"]
    assert workers["minReplicas"] == workers["replicas"] == 0 < workers["maxReplicas"]


def test_a_trial_of_the_job_fits_a_worker() -> None:
    (workers,) = SPEC["workerGroupSpecs"]
    limits = workers["template"]["spec"]["containers"][0]["resources"]["limits"]
    words = JOB["spec"]["entrypoint"].split()
    assert float(words[words.index("--cpus") + 1]) <= float(limits["cpu"])
    assert float(words[words.index("--gpus") + 1]) <= float(limits["nvidia.com/gpu"])


def test_rays_version_is_the_locked_one() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    assert re.search(rf"^ray==({re.escape(SPEC['rayVersion'])})$", lock, re.M)


def test_ports_are_closed_and_a_token_is_asked_for() -> None:
    assert SPEC["authOptions"] == {"mode": "token"}
    ours = {"podSelector": {"matchLabels": {"app": "flatsweep"}}}
    assert POLICY["spec"]["podSelector"] == ours["podSelector"]
    assert POLICY["spec"]["policyTypes"] == ["Ingress"]
    nodes, operator = POLICY["spec"]["ingress"]
    assert nodes == {"from": [ours]}
    assert operator["ports"] == [{"port": 8265}]
    for group in GROUPS:
        assert group["template"]["metadata"]["labels"] == {"app": "flatsweep"}


def test_every_node_has_the_image_the_shared_volume_and_the_sweep() -> None:
    images = set()
    for group in GROUPS:
        pod = group["template"]["spec"]
        (container,) = pod["containers"]
        images.add(container["image"])
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert mounts == {"shared": "/shared", "sweep": "/sweep"}
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        claim = volumes["shared"]["persistentVolumeClaim"]["claimName"]
        assert claim == CLAIM["metadata"]["name"]
        assert volumes["sweep"]["configMap"] == {"name": "sweep"}
    assert len(images) == 1
    assert "ReadWriteMany" in CLAIM["spec"]["accessModes"]
    image = (FOLDER / "Dockerfile").read_text()
    assert "FLATSWEEP_STORAGE=/shared/" in image
    assert "FLATSWEEP_DATA=/shared/" in image


def test_the_image_is_made_of_what_there_is() -> None:
    lines = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    sent = [line[1:] for line in lines if line.startswith("!")]
    assert all((ROOT / path).exists() for path in sent)
    assert {"requirements.lock", "pyproject.toml", "sweep", "trainables", "search_spaces"} <= {
        *sent
    }
