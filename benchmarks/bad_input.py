"""Ten thousand cases of bad input: ``python -m benchmarks.bad_input [KIND ...]``.

`tests/bad_input` makes and judges them: whatever is given, it is taken, or refused in one sentence;
no traceback, no hang, nothing written elsewhere, no record lost. Each kind is tried in a process of
its own, so that one that crashes it is a finding, too. What is found is printed and counted.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

from benchmarks.report import publish

CASES = 400
QUIET = {
    "OMP_NUM_THREADS": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
}


def one(name: str, cases: int, seed: int) -> dict[str, Any]:
    """What comes of the cases of a kind, in this process."""
    from tests.bad_input.trying import KINDS, tried

    began = time.monotonic()
    came = tried(KINDS[name], cases, seed)
    for place, said in came.faults.items():
        print(f"{name}: {place}\n    {said}", file=sys.stderr)
    return {
        "kind": name,
        "cases": came.cases,
        "taken": came.taken,
        "refused": came.refused,
        "faults": came.found,
        "seconds": round(time.monotonic() - began),
    }


def apart(name: str, cases: int, seed: int) -> dict[str, Any]:
    """`one` in a process of its own."""
    words = [sys.executable, "-m", "benchmarks.bad_input", name, "--alone"]
    words += ["--cases", str(cases), "--seed", str(seed)]
    with tempfile.TemporaryDirectory(prefix="flatsweep-cache-") as cache:
        kept = os.environ.get("FLATSWEEP_CACHE", cache)
        environment = {**os.environ, **QUIET, "FLATSWEEP_CACHE": kept}
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, env=environment)
    if done.returncode:
        return {"kind": name, "cases": 0, "faults": 1, "crashed": done.returncode}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", help="of tests/bad_input [all]")
    parser.add_argument("--cases", type=int, default=CASES, help="of a kind of weight 1")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--alone", action="store_true", help="one kind, in this process")
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    if options.alone:
        print(json.dumps(one(options.kinds[0], options.cases, options.seed)))
        return
    from tests.bad_input.trying import KINDS

    rows = []
    for name in options.kinds or KINDS:
        rows.append(apart(name, round(options.cases * KINDS[name].weight), options.seed))
        print(rows[-1], flush=True)
    total = sum(row["cases"] for row in rows)
    faults = sum(row["faults"] for row in rows)
    publish(
        "bad_input",
        f"Bad input: {total:,} cases of {len(rows)} kinds, {faults} faults",
        rows,
        "hypothesis",
        notes=[f"seed {options.seed}; taken: read or run; refused: one sentence of ours"],
        save=options.save,
    )


if __name__ == "__main__":
    main()
