"""``python -m trainables.ray_private start ...``: the command ``ray start``, on loopback."""

from __future__ import annotations

import sys

from ray.scripts.scripts import main

from trainables.ports import LOOPBACK
from trainables.ray_private.start import loopback, watched

if __name__ == "__main__":
    sys.argv.append(f"--node-ip-address={LOOPBACK}")
    with loopback(), watched():
        main()
