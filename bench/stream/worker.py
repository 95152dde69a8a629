"""A worker process, measured from outside: CPU time of all its threads and memory, as the kernel counts them."""

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from bench.stream.engines import Engine, RunPlace
from compose.local.artifacts import Report

REPOSITORY = Path(__file__).parents[2]
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class BenchFailed(Exception):
    """What a worker made is wrong, or there is nothing: no result to show."""


class WorkerFailed(BenchFailed):
    """A worker ended by itself or got stuck."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Clock and CPU time of a process at a moment, seconds."""

    wall_s: float
    cpu_s: float


def cpu_s(pid: int) -> float:
    """CPU seconds of a process so far, all threads, by user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S  # utime and stime, proc(5)


class Worker:
    """One engine's process.

    Args:
        engine: what to start.
        place: what it is told.
        report: receives progress of what must be built first.
    """

    def __init__(self, engine: Engine, place: RunPlace, report: Report) -> None:
        self.engine = engine
        self.place = place
        self.log = place.folder / "worker.log"
        (place.folder / "state").mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                engine.command(report),
                cwd=REPOSITORY,
                env=place.environment(engine),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait_first_record(self, timeout_s: float = 120.0) -> Usage:
        """The moment of the first record, as the worker noted it.

        Raises:
            WorkerFailed: there was none in time.
        """
        mark = self.place.folder / "first-record.json"
        deadline = time.monotonic() + timeout_s
        while not mark.exists():
            self.check_alive()
            if time.monotonic() > deadline:
                raise WorkerFailed(f"{self.engine.name}: no record within {timeout_s:.0f} s:\n{self.tail()}")
            time.sleep(0.02)
        return Usage(**json.loads(mark.read_text()))

    def usage(self) -> Usage:
        """Now."""
        return Usage(time.monotonic(), cpu_s(self._process.pid))

    def peak_rss_mb(self) -> float:
        """Largest resident memory so far, MB."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6

    def check_alive(self) -> None:
        """Notice the worker's death.

        Raises:
            WorkerFailed: it has ended.
        """
        if self._process.poll() is not None:
            raise WorkerFailed(f"{self.engine.name} ended with {self._process.returncode}:\n{self.tail()}")

    def stop(self) -> None:
        """End it; what it knows is in Kafka."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)

    def tail(self, lines: int = 30) -> str:
        """End of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
