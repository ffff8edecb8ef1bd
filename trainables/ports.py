"""Ports and interfaces: servers that this package starts listen on 127.0.0.1."""

from __future__ import annotations

import contextlib
import os
import socket

import psutil

from trainables.deadline import ANSWER_SECONDS, in_time

LOOPBACK = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """``count`` different free ports of 127.0.0.1; all are held until the last one is found."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def check_listening(host: str, port: int) -> None:
    """Raise OSError or UnicodeError unless something takes a connection there.

    Libraries go on asking for minutes; here it is known in `ANSWER_SECONDS`, the time in which the
    host's name is looked up included.
    """

    def connect() -> None:
        socket.create_connection((host, port), ANSWER_SECONDS).close()

    in_time(connect, ANSWER_SECONDS)


def use_loopback() -> None:
    """Let this process's ``torch.distributed`` groups use the loopback interface.

    By default gloo takes the interface of the machine's name, and NCCL the first that is not
    loopback. The rendezvous should be a file: one at an address opens a port on all interfaces.
    """
    interfaces = psutil.net_if_addrs().items()
    inside = next(n for n, found in interfaces if any(a.address == LOOPBACK for a in found))
    os.environ |= {"GLOO_SOCKET_IFNAME": inside, "NCCL_SOCKET_IFNAME": inside}
