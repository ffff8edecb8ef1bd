"""The wheel has all that the program needs: examples/from_nothing.sh comes to a table with it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.nodes import Nodes

ROOT = Path(__file__).parents[1]
PACKAGES = ("sweep", "trainables", "search_spaces")
SENT = (*PACKAGES, "pyproject.toml", "README.md", "LICENSE")
"""What an image is built from, too (examples/kuberay)."""

BUILD = """
import sys
from setuptools import build_meta
print(getattr(build_meta, f"build_{sys.argv[1]}")(sys.argv[2]))
"""


def build(kind: str, source: Path, folder: Path) -> Path:
    """A ``wheel`` or an ``sdist`` of a source tree, in ``folder``."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD, kind, str(folder)], cwd=source, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("source")
    for name in SENT:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source)
    return source


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the package from its wheel, and what it needs from ours."""
    prefix = tmp_path_factory.mktemp("elsewhere") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(prefix)], check=True)
    paths = sysconfig.get_paths(vars={"base": str(prefix), "platbase": str(prefix)})
    packages = Path(paths["purelib"])
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    # A line of a .pth file is a folder to import from; the .pth files there (that of a source tree
    # among them) are not read.
    (packages / "needed.pth").write_text(sysconfig.get_paths()["purelib"])
    (command,) = re.findall(
        r"^sweep = (.*):(.*)$", (packages / _metadata(wheel) / "entry_points.txt").read_text(), re.M
    )
    program = prefix / "bin" / "sweep"
    program.write_text(
        f"#!{prefix}/bin/python\nfrom {command[0]} import {command[1]}\n{command[1]}()\n"
    )
    program.chmod(0o755)
    return prefix


def _metadata(wheel: Path) -> str:
    name, version, *_ = wheel.name.split("-")
    return f"{name}-{version}.dist-info"


def environment(prefix: Path, **changes: str) -> dict[str, str]:
    """That of a person who has activated the environment, and set nothing of ours or Ray's."""
    others = ("RAY_", "MLFLOW_", "FLATSWEEP_", "PYTHONPATH", "VIRTUAL_ENV")
    ours = {k: v for k, v in os.environ.items() if not k.startswith(others)}
    ours["FLATSWEEP_CACHE"] = os.environ["FLATSWEEP_CACHE"]
    return {**ours, "PATH": f"{prefix / 'bin'}:{os.environ['PATH']}", **changes}


def walk(folder: Path, prefix: Path, *options: str, **changes: str) -> str:
    """What the script prints in an empty folder, errors and progress among it."""
    done = subprocess.run(
        ["bash", str(ROOT / "examples" / "from_nothing.sh"), *options], cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=1000,
        env=environment(prefix, **changes),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def check(folder: Path, printed: str) -> None:
    """The table has every row, and each trial was trained by code that is in no checkout."""
    (before,) = re.findall(r"^killed with (\d+) trials done$", printed, re.M)
    results = list((folder / "results" / "trials").glob("*/result.json"))
    assert 1 <= int(before) < len(results) == 20
    found = [json.loads(path.read_text()) for path in results]
    assert {result["status"] for result in found} == {"done"}
    assert {result["provenance"]["commit"] for result in found} == {"unknown"}
    for row in ("ERM", "SAM", "mine"):
        assert re.search(rf"\b{row}\b.*\d\.\d\d ± \d+\.\d\d\*? \(2\)", printed), printed
    assert "winner" in printed
    assert (folder / "grid.png").read_bytes().startswith(b"\x89PNG")


def test_the_wheel_has_every_file_of_the_packages(wheel: Path) -> None:
    """Those that are no code, too: schema, step times, templates, marks of types."""
    there = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix not in {".pyc", ".pyo"}
    }
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert packed == there
    assert {"sweep/files/sweep.schema.json", "search_spaces/compare_times.json"} <= packed
    assert {f"{package}/py.typed" for package in PACKAGES} <= packed


def test_a_wheel_of_the_source_distribution_has_the_same(
    source: Path, wheel: Path, tmp_path: Path
) -> None:
    with tarfile.open(build("sdist", source, tmp_path)) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = (path for path in tmp_path.iterdir() if path.is_dir())
    again = build("wheel", unpacked, tmp_path)
    assert zipfile.ZipFile(again).namelist() == zipfile.ZipFile(wheel).namelist()


def test_it_is_the_wheel_that_is_imported(installed: Path, tmp_path: Path) -> None:
    code = f"import {', '.join(PACKAGES)}; print(*[p.__file__ for p in ({', '.join(PACKAGES)})])"
    done = subprocess.run(
        [str(installed / "bin" / "python"), "-c", code], cwd=tmp_path, text=True,
        capture_output=True, env=environment(installed), check=True,
    )  # fmt: skip
    assert all(Path(file).is_relative_to(installed) for file in done.stdout.split())


def test_from_an_empty_folder_to_a_table(installed: Path, tmp_path: Path) -> None:
    printed = walk(tmp_path, installed, "--executor", "serial")
    check(tmp_path, printed)


TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "c" * 64}


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(1200)  # on a busy machine Ray alone takes minutes to start
def test_the_same_on_a_ray_of_this_machine(installed: Path, tmp_path: Path) -> None:
    check(tmp_path, walk(tmp_path, installed))


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.timeout(1200)  # on a busy machine Ray alone takes minutes to start
def test_the_same_on_a_head_and_two_more_nodes(installed: Path, tmp_path: Path) -> None:
    """They have the wheel, too; the file with the method comes to them from the driver's folder.

    The head has no CPUs, as in cluster.yaml: every trial runs on another node.
    """
    walking, elsewhere = tmp_path / "walk", {**TOKEN, "PYTHONPATH": ""}
    walking.mkdir()
    with Nodes(cpus=0, environment=elsewhere, prefix=str(installed)) as nodes:
        nodes.join()
        nodes.join()
        printed = walk(walking, installed, "--address", nodes.address, **TOKEN)
    check(walking, printed)
    assert "2 at once" in printed
