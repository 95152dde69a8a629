"""What a service of the local stack is: a port with one implementation per server.

A service says what it downloads, how its configuration and data folder are made, how it starts, what "healthy"
means by really asking the server, and which settings its clients need. Everything else (processes, ports,
state, time limits) is the stack's business.
"""

import signal
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from compose.local.artifacts import Artifact
from compose.local.ports import HOST
from compose.local.processes import Launch
from compose.local.tools import Tool


@dataclass(frozen=True, slots=True)
class Place:
    """Where one service of one stack lives.

    Attributes:
        folder: its configuration and data; kept over restarts, wiped by `--fresh`.
        ports: port name to number, with the keys of `Service.usual_ports`.
    """

    folder: Path
    ports: dict[str, int]

    @property
    def data(self) -> Path:
        """The server's own files."""
        return self.folder / "data"

    def address(self, port_name: str) -> str:
        """`host:port` on loopback."""
        return f"{HOST}:{self.ports[port_name]}"


class Service(ABC):
    """One server of the stack.

    Subclasses set the class attributes and stay stateless: the same object serves every stack.

    Attributes:
        name: name in commands, in `compose.yaml` and in the state file.
        version: what is downloaded, shown by `status`.
        usual_ports: port name to the number that people expect, the first being the one that is shown first.
        internal_ports: those of `usual_ports` that no client uses, so that any free number does.
        by_default: started when nobody chooses services.
        tools: programs that it needs to run (downloads name their own).
        stop_signal: asks the server for a clean end.
        stop_timeout_s: how long it may take to end before it is killed.
        start_timeout_s: how long it may take to become healthy.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    usual_ports: ClassVar[dict[str, int]]
    internal_ports: ClassVar[frozenset[str]] = frozenset()
    by_default: ClassVar[bool] = True
    tools: ClassVar[tuple[Tool, ...]] = ()
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    stop_timeout_s: ClassVar[float] = 15.0
    start_timeout_s: ClassVar[float] = 90.0

    def artifacts(self) -> tuple[Artifact, ...]:
        """What must be downloaded or built before it can start, in order."""
        return ()

    def folder(self, stack_folder: Path) -> Path:
        """Where its data goes inside a stack's folder."""
        return stack_folder / self.name

    @abstractmethod
    def prepare(self, place: Place) -> None:
        """Writes configuration and, the first time, formats the data folder. Runs before every start."""

    @abstractmethod
    def launch(self, place: Place) -> Launch:
        """The command that starts the server in the foreground."""

    @abstractmethod
    def check(self, place: Place) -> None:
        """Asks the server whether it is usable, as a client would.

        Raises:
            NotReady: it is not; the text is the reason.
        """

    @abstractmethod
    def environment(self, place: Place) -> dict[str, str]:
        """The `ALPR_*` settings that its clients need."""

    def after_start(self, place: Place) -> None:  # noqa: B027  (most servers need nothing here)
        """Creates what clients expect to exist. Idempotent; runs once the server is healthy."""
