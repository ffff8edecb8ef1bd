"""Ports and interfaces: servers that this package starts listen on 127.0.0.1."""

from __future__ import annotations

import contextlib
import os
import socket

import psutil

LOOPBACK = "127.0.0.1"

CONNECT_TIMEOUT = 10.0
"""Seconds in which a server must take a connection: a cluster's head, a database."""


def free_ports(count: int) -> list[int]:
    """``count`` different free ports of 127.0.0.1; all are held until the last one is found."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def use_loopback() -> None:
    """Let this process's ``torch.distributed`` groups use the loopback interface.

    By default gloo takes the interface of the machine's name, and NCCL the first that is not
    loopback. The rendezvous should be a file: one at an address opens a port on all interfaces.
    """
    interfaces = psutil.net_if_addrs().items()
    inside = next(n for n, found in interfaces if any(a.address == LOOPBACK for a in found))
    os.environ |= {"GLOO_SOCKET_IFNAME": inside, "NCCL_SOCKET_IFNAME": inside}
