"""examples/slurm: on two nodes of a SLURM that the test starts, and with stand-ins for programs."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.needs import needs_program
from trainables.ports import LOOPBACK, free_ports

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / "examples" / "slurm" / "sweep.sbatch"
SWEEP = """\
name: tiny
import: my_parts.py
base: {data.source: digits, data.subset: 200, model: mlp_tiny, epochs: 1}
compare: {ERM: erm, mine: my_method}
seeds: 2
"""
CONFIGURATION = """\
ClusterName=tests
SlurmctldHost={host}({loopback})
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
KillWait=5
NodeName=one NodeHostname={host} NodeAddr={loopback} Port={ports[1]} CPUs=1
NodeName=two NodeHostname={host} NodeAddr={loopback} Port={ports[2]} CPUs=1
PartitionName=all Nodes=one,two Default=YES MaxTime=INFINITE State=UP
"""


def wait(until: Callable[[], bool], seconds: int) -> None:
    for _ in range(10 * seconds):
        if until():
            return
        time.sleep(0.1)
    raise TimeoutError


class Slurm:
    """A controller and two nodes of one CPU, on loopback; jobs are submitted in ``home``."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        (folder / "state").mkdir()
        (self.home / "s.yaml").write_text(SWEEP)
        shutil.copy(ROOT / "examples" / "my_parts.py", self.home)
        configuration = folder / "slurm.conf"
        configuration.write_text(
            CONFIGURATION.format(
                folder=folder, user=getpass.getuser(), loopback=LOOPBACK,
                host=socket.gethostname().partition(".")[0], ports=free_ports(3),
            )
        )  # fmt: skip
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "MLFLOW_"))},
            "SLURM_CONF": str(configuration),
            "FLATSWEEP_VENV": sys.prefix,
            "PYTHONPATH": str(ROOT),
            "RAY_raylet_start_wait_time_s": "120",
        }
        daemons = (["slurmctld", "-c"], ["slurmd", "-N", "one"], ["slurmd", "-N", "two"])
        self.daemons = [
            subprocess.Popen(
                [*daemon, "-D", "-f", str(configuration)], env=self.environment,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            ) for daemon in daemons
        ]  # fmt: skip
        wait(lambda: self.command("sinfo", "--noheader", "-o", "%t").stdout == "idle\n", 60)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, env=self.environment, cwd=self.home, text=True, capture_output=True, timeout=550
        )

    def submit(self, *options: str) -> subprocess.CompletedProcess[str]:
        words = ("--cpus-per-task=1", "--output=out", *options, str(SCRIPT), "run", "s.yaml")
        return self.command("sbatch", *words)

    @property
    def results(self) -> list[Path]:
        return list((self.home / "results" / "trials").glob("*/result.json"))

    def close(self) -> None:
        self.command("scancel", f"--user={getpass.getuser()}")
        with contextlib.suppress(TimeoutError):
            wait(lambda: not self.command("squeue", "--noheader").stdout, 30)
        for daemon in reversed(self.daemons):
            daemon.terminate()
            daemon.wait(timeout=30)


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[Slurm]:
    started = Slurm(tmp_path)
    try:
        yield started
    finally:
        started.close()


def ray_processes(job: str) -> list[int]:
    """Those of the Ray that a job has started."""
    found = psutil.process_iter(["cmdline"])
    return [p.pid for p in found if f"/tmp/ray-{job}/" in " ".join(p.info["cmdline"] or ())]


@needs_program("slurmctld")
@needs_program("slurmd")
@needs_program("sbatch")
@pytest.mark.ray
@pytest.mark.slow  # below, the script itself is run with stand-ins for Slurm's programs
def test_a_sweep_fills_the_nodes_of_an_allocation(slurm: Slurm) -> None:
    done = slurm.submit("--wait")
    out = (slurm.home / "out").read_text()
    assert done.returncode == 0, out
    assert "4 to run, 2 at once" in out  # of one CPU on each node
    assert "4 trials recorded" in out
    assert {json.loads(path.read_text())["status"] for path in slurm.results} == {"done"}
    job = done.stdout.split()[-1]
    assert ray_processes(job) == []
    assert not Path(f"/tmp/ray-{job}").exists()
    assert len(list(slurm.home.glob(f"ray-{job}.*.out"))) == 2


@needs_program("slurmctld")
@needs_program("slurmd")
@needs_program("sbatch")
@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(1200)  # on a busy machine Ray alone takes minutes to start
def test_the_same_script_continues_what_was_cancelled(slurm: Slurm) -> None:
    (slurm.home / "s.yaml").write_text(
        SWEEP.replace("seeds: 2", "seeds: 30").replace("epochs: 1", "epochs: 30")
    )
    job = slurm.submit().stdout.split()[-1]
    wait(lambda: len(slurm.results) >= 2, 300)
    slurm.command("scancel", job)
    wait(lambda: not slurm.command("squeue", "--noheader").stdout, 60)
    wait(lambda: not ray_processes(job), 60)
    before = {path: path.read_bytes() for path in slurm.results}
    assert 2 <= len(before) < 60
    done = slurm.submit("--wait")
    assert done.returncode == 0, (slurm.home / "out").read_text()
    assert len(slurm.results) == 60
    assert all(path.read_bytes() == found for path, found in before.items())


# -- with stand-ins for srun, ray's nodes and the sweep --------------------------------------------

STAND_INS = {
    "srun": """\
printf 'srun %s\\n' "${*//$'\\n'/ }" >> calls
[[ $* == *--head* ]] && exec python -m http.server --bind 127.0.0.1 "$PORT" 2> /dev/null
[[ $* == *--address* ]] && exec sleep 1000
true""",
    "timeout": "true",  # the wait for nodes
    "sweep": """printf 'sweep %s\\n%s\\n' "$*" "$RAY_AUTH_MODE $RAY_AUTH_TOKEN" >> calls; exit 3""",
}


def run_with(folder: Path, nodes: int, **stand_ins: str) -> tuple[int, list[str], str]:
    """Exit code, the calls of stand-ins, and what was printed."""
    programs = folder / "bin"
    programs.mkdir()
    (programs / "python").symlink_to(sys.executable)
    for name, text in (STAND_INS | stand_ins).items():
        (programs / name).write_text(f"#!/bin/bash\n{text}\n")
        (programs / name).chmod(0o755)
    job = 7
    done = subprocess.run(
        ["bash", str(SCRIPT), "run", "my sweep.yaml"], cwd=folder, text=True, capture_output=True,
        timeout=60, env={
            **os.environ, "FLATSWEEP_VENV": str(folder), "FLATSWEEP_HEAD": LOOPBACK,
            "SLURM_JOB_ID": str(job), "SLURM_JOB_NUM_NODES": str(nodes), "SLURMD_NODENAME": "one",
            "PORT": str(20000 + 2 * job),
        },
    )  # fmt: skip
    calls = folder / "calls"
    lines = calls.read_text().splitlines() if calls.exists() else []
    return done.returncode, lines, done.stdout + done.stderr


def test_the_sweep_has_a_token_and_its_exit_code_is_the_jobs(tmp_path: Path) -> None:
    code, calls, printed = run_with(tmp_path, nodes=3)
    assert code == 3, printed
    head, others, run, secret, clean = calls
    assert "--nodelist=one" in head
    assert "--nodes=1 " in head
    assert "--nodes=2 " in others
    assert "--exclude=one" in others
    assert others.endswith("--address=127.0.0.1:20014")
    assert run == "sweep run my sweep.yaml --address 127.0.0.1:20014"
    mode, token = secret.split()
    assert mode == "token"
    assert len(token) == 64
    assert not any(token in line for line in (head, others, run, printed))
    assert clean.endswith("rm -rf /tmp/ray-7")


def test_a_head_that_does_not_start_ends_the_job(tmp_path: Path) -> None:
    code, calls, printed = run_with(tmp_path, nodes=1, srun="echo srun >> calls; exit 9")
    assert code == 1
    assert "the head has ended: ray-7.*.out says why" in printed
    assert not any(line.startswith("sweep") for line in calls)


def test_one_node_needs_no_others(tmp_path: Path) -> None:
    code, calls, printed = run_with(tmp_path, nodes=1, sweep="exit 0")
    assert code == 0, printed
    assert [line for line in calls if "--address" in line] == []
