"""How the services of a stack are doing, found out by asking them."""

import time
from dataclasses import dataclass
from pathlib import Path

from compose.local.errors import NotReady
from compose.local.service import Place
from compose.local.services import CATALOGUE
from compose.local.state import ServiceState


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """How one service that should run is doing.

    Attributes:
        name: its name.
        version: what was started.
        ports: port name to number.
        pid: its process, dead or alive.
        is_alive: its process runs.
        problem: why it is not usable; empty when it is healthy.
        rss_bytes: resident memory with children.
        uptime_s: seconds since its start; 0 when it is dead.
        log: its log file.
    """

    name: str
    version: str
    ports: dict[str, int]
    pid: int
    is_alive: bool
    problem: str
    rss_bytes: int
    uptime_s: float
    log: Path


def place_of(entry: ServiceState) -> Place:
    """Where a started service lives."""
    return Place(folder=Path(entry.folder), ports=entry.ports)


def status_of(name: str, entry: ServiceState) -> ServiceStatus:
    """Looks at the process and, if it lives, runs the service's own health check."""
    process = entry.process.process()
    problem = ""
    if process is None:
        problem = "its process has ended"
    else:
        try:
            CATALOGUE[name].check(place_of(entry))
        except NotReady as error:
            problem = str(error)
    return ServiceStatus(
        name=name,
        version=entry.version,
        ports=entry.ports,
        pid=entry.process.pid,
        is_alive=process is not None,
        problem=problem,
        rss_bytes=entry.process.rss_bytes(),
        uptime_s=0.0 if process is None else max(0.0, time.time() - entry.process.started_at_s),
        log=Path(entry.log),
    )
