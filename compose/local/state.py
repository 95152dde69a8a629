"""What is remembered about a stack between commands, in one JSON file that is replaced as a whole."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from compose.local.errors import StackError
from compose.local.processes import ProcessRecord


@dataclass(frozen=True, slots=True)
class ServiceState:
    """One service that was started and not stopped on purpose.

    Attributes:
        version: what was started.
        ports: port name to number.
        process: its process; it may have died since.
        folder: its data.
        log: its log file.
    """

    version: str
    ports: dict[str, int]
    process: ProcessRecord
    folder: str
    log: str


@dataclass(frozen=True, slots=True)
class StackState:
    """Every service that should be running.

    Attributes:
        services: by name.
        ports: the last ports of every service, running or not, so that a restart gets the same.
    """

    services: Mapping[str, ServiceState] = field(default_factory=dict)
    ports: Mapping[str, dict[str, int]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> "StackState":
        """The state in `path`; an empty one where there is no file.

        Raises:
            StackError: the file is not one of ours.
        """
        try:
            raw = json.loads(path.read_text())
            services = {
                name: ServiceState(**{**entry, "process": ProcessRecord(**entry["process"])})
                for name, entry in raw["services"].items()
            }
            return cls(services=services, ports=raw["ports"])
        except FileNotFoundError:
            return cls()
        except (ValueError, KeyError, TypeError) as error:
            raise StackError(f"{path} is damaged ({error}); end its servers by hand, then remove the file") from error

    def save(self, path: Path) -> None:
        """Writes the state; a crash in between leaves the old one."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{os.getpid()}")
        document = {
            "services": {name: asdict(entry) for name, entry in self.services.items()},
            "ports": dict(self.ports),
        }
        partial.write_text(json.dumps(document, indent=2) + "\n")
        partial.replace(path)

    def with_service(self, name: str, entry: ServiceState) -> "StackState":
        """This state and one more running service."""
        return StackState({**self.services, name: entry}, {**self.ports, name: entry.ports})

    def without(self, name: str) -> "StackState":
        """This state without a service that was stopped on purpose; its ports stay remembered."""
        return StackState({key: entry for key, entry in self.services.items() if key != name}, self.ports)
