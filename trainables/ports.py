"""Where what this package starts listens: on this machine, for this machine."""

from __future__ import annotations

import contextlib
import os
import socket

import psutil

LOOPBACK = "127.0.0.1"

CONNECT_TIMEOUT = 10.0
"""Seconds in which a server must take a connection: a cluster's head, a database."""


def free_ports(count: int) -> list[int]:
    """Distinct free ports of 127.0.0.1: all are held while they are looked for."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def use_loopback() -> None:
    """Let this process's ``torch.distributed`` groups use the loopback interface.

    gloo would take the interface of the machine's name, NCCL the first that is not loopback. The
    processes should meet at a file: a meeting at an address opens a port on all interfaces.
    """
    interfaces = psutil.net_if_addrs().items()
    inside = next(n for n, found in interfaces if any(a.address == LOOPBACK for a in found))
    os.environ |= {"GLOO_SOCKET_IFNAME": inside, "NCCL_SOCKET_IFNAME": inside}
