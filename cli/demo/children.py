"""The platform's own processes of a demo: started as a user starts them, remembered on disk, ended by their ids."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import httpx

from cli.errors import CommandError
from compose.local.processes import Launch, ProcessRecord, last_lines, spawn

BIN = Path(sys.executable).parent
STOP_TIMEOUT_S = 45.0


class Children:
    """Processes of one demo, in the order in which they were started.

    Args:
        folder: where their records and logs are kept.
        environment: ALPR_* settings that all of them get.
    """

    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.environment = environment or {}
        self._path = folder / "children.json"

    def start(self, name: str, argv: list[str], **environment: str) -> ProcessRecord:
        """Start a process; its output goes to ``<name>.log``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        launch = Launch(argv=argv, environment={**self.environment, "ALPR_LOG_FORMAT": "json", **environment})
        process = spawn(launch, log_path=self.log(name), cwd=Path.cwd())
        record = ProcessRecord.of(process.pid)
        self._save({**self._load(), name: record})
        return record

    def log(self, name: str) -> Path:
        """The log of a process."""
        return self.folder / f"{name}.log"

    def wait_http(self, name: str, record: ProcessRecord, url: str, timeout_s: float) -> None:
        """Wait until the process answers 200 at `url`.

        Raises:
            CommandError: it ended, or did not get there in time; with its last log lines.
        """

        def answers() -> bool:
            try:
                return httpx.get(url, timeout=2.0).status_code == 200
            except httpx.HTTPError:
                return False

        self.wait(name, record, answers, timeout_s, f"{url} did not answer 200")

    def wait(
        self, name: str, record: ProcessRecord, done: Callable[[], bool], timeout_s: float, otherwise: str
    ) -> None:
        """Wait for something that a running process is to bring about.

        Raises:
            CommandError: the process ended first, or time was up.
        """
        end = time.monotonic() + timeout_s
        while not done():
            if not record.is_alive():
                raise CommandError(
                    f"{name} ended by itself. The end of {self.log(name)}:\n{last_lines(self.log(name))}"
                )
            if time.monotonic() > end:
                raise CommandError(
                    f"{name}: {otherwise} within {timeout_s:.0f} s. The end of {self.log(name)}:\n"
                    f"{last_lines(self.log(name))}"
                )
            time.sleep(0.25)

    def stop(self) -> list[str]:
        """End all of them, the last started first. Returns the names of those that had to be killed."""
        killed = []
        for name, record in reversed(self._load().items()):
            if not record.stop(signal.SIGTERM, STOP_TIMEOUT_S):
                killed.append(name)
            exit_status(record)
        self._path.unlink(missing_ok=True)
        return killed

    def running(self) -> list[str]:
        """Names of those that run now."""
        return [name for name, record in self._load().items() if record.is_alive()]

    def _load(self) -> dict[str, ProcessRecord]:
        try:
            raw = json.loads(self._path.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return {name: ProcessRecord(**fields) for name, fields in raw.items()}

    def _save(self, records: dict[str, ProcessRecord]) -> None:
        self._path.write_text(json.dumps({name: asdict(record) for name, record in records.items()}))


def exit_status(record: ProcessRecord) -> int | None:
    """Exit code of an ended child of this process (negative: signal); None for a process that somebody else started."""
    try:
        return os.waitstatus_to_exitcode(os.waitpid(record.pid, 0)[1])
    except ChildProcessError:
        return None
