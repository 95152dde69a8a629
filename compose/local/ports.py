"""Ports: which are free, and who holds those that are not."""

import contextlib
import random
import socket
from pathlib import Path

import psutil

HOST = "127.0.0.1"
_LOWEST, _HIGHEST = 20_000, 32_000  # below Linux's ephemeral range, so no outgoing connection takes one
_handed_out: set[int] = set()


def is_free(port: int) -> bool:
    """True if a server could listen on loopback port `port` now.

    SO_REUSEADDR as the servers themselves set it: connections in TIME_WAIT do not count as taken.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A free port below the ephemeral range that this process has not handed out before.

    Raises:
        OSError: no port in the range is free.
    """
    candidates = list(range(_LOWEST, _HIGHEST))
    random.shuffle(candidates)
    for port in candidates:
        if port not in _handed_out and is_free(port):
            _handed_out.add(port)
            return port
    raise OSError(f"no free port between {_LOWEST} and {_HIGHEST}")


def holder(port: int) -> str:
    """Who listens on `port`, for a message: `pid 4711 (java, /usr/bin/java -Xmx1g ...)` or `an unknown process`.

    Another user's process is visible to root only, hence the vague answer.
    """
    with contextlib.suppress(psutil.AccessDenied):
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status != psutil.CONN_LISTEN or not connection.laddr or connection.pid is None:
                continue
            if connection.laddr.port == port:
                with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                    process = psutil.Process(connection.pid)
                    command = " ".join([Path(process.cmdline()[0]).name, *process.cmdline()[1:]])
                    return f"pid {process.pid} ({process.name()}: {command[:80]})"
    return "an unknown process (another user's, or outside this container)"
