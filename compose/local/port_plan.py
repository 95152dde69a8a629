"""Which ports the services of a stack get, and the refusal when a wanted one is taken."""

import time
from collections.abc import Mapping, Sequence

from compose.local.errors import PortTaken
from compose.local.ports import free_port, holder, is_free
from compose.local.service import Service

_POLL_S = 0.1


def assign_ports(
    services: Sequence[Service], remembered: Mapping[str, dict[str, int]], *, free_ports: bool
) -> dict[str, dict[str, int]]:
    """Ports of the services to start: the usual ones, or free ones.

    Args:
        services: what is to be started.
        remembered: ports of the last time by service, taken again where they are free.
        free_ports: whether to take free ports instead of the usual ones.

    Returns:
        By service, port name to number.

    Raises:
        PortTaken: naming every taken port at once, its holder, and the ways out.
    """
    assigned: dict[str, dict[str, int]] = {}
    taken: list[str] = []
    for service in services:
        ports = {}
        for key, usual in service.usual_ports.items():
            if free_ports:
                last = remembered.get(service.name, {}).get(key, 0)
                ports[key] = last if last and last != usual and is_free(last) else free_port()
            elif is_free(usual):
                ports[key] = usual
            elif key in service.internal_ports:
                ports[key] = free_port()
            else:
                taken.append(_taken_text(service, key, usual))
        assigned[service.name] = ports
    if taken:
        raise PortTaken(
            "\n".join(taken)
            + "\nEnd what holds the ports, or take free ports: alpr stack up --free-ports"
            + "\n(servers of another stack of ours end with: alpr stack down --name NAME)"
        )
    return assigned


def await_free(service: Service, ports: dict[str, int], patience_s: float = 5.0) -> None:
    """Waits for ports that a server killed a moment ago still holds: the kernel frees them thread by thread.

    Raises:
        PortTaken: somebody else holds one.
    """
    deadline = time.monotonic() + patience_s
    while taken := [_taken_text(service, key, port) for key, port in ports.items() if not is_free(port)]:
        if time.monotonic() > deadline:
            raise PortTaken("\n".join(taken))
        time.sleep(_POLL_S)


def _taken_text(service: Service, key: str, port: int) -> str:
    return f"{service.name}: port {port} ({key}) is held by {holder(port)}"
