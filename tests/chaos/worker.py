"""A worker process that can be hurt: killed, frozen, stopped, started again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.chaos.waiting import free_port

REPOSITORY = Path(__file__).parents[2]


class Worker:
    """``faust -A APP worker`` as a process of its own, with a state folder and a port of its own.

    Args:
        folder: for state and log.
        app: what Faust starts.
        env: added to the environment of the test.

    Attributes:
        datadir: its RocksDB files.
        log: what it wrote.
        starts: how often it has been started.
    """

    def __init__(self, folder: Path, env: dict[str, str], app: str = "tests.connected.streams.job") -> None:
        self.datadir = Path(env.get("ALPR_DATADIR", folder / "state"))
        self.port = free_port()
        self.log = folder / "worker.log"
        self.starts = 0
        self._app = app
        self._env = {
            **os.environ,
            "ALPR_DATADIR": str(self.datadir),
            "ALPR_WEB_PORT": str(self.port),
            "ALPR_SESSION_TIMEOUT_S": "6",
            "ALPR_REBALANCE_TIMEOUT_S": "10",
            "ALPR_REBALANCE_SETTLE_S": "4",
            "ALPR_STOP_SETTLE_S": "3",
            "ALPR_LAG_INTERVAL_S": "0.5",
            "ALPR_RECOVERY_DELAY_S": "0.1",
            **env,
        }
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        self.starts += 1
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "faust", "-A", self._app, "worker", "-l", "info"],
                cwd=REPOSITORY,
                env=self._env,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def restart(self) -> None:
        """Start again, as a supervisor would."""
        self.process = self._start()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(10)

    def freeze(self) -> None:
        """SIGSTOP: the machine stands still, sessions and all."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self.process.send_signal(signal.SIGCONT)

    def stop(self, timeout_s: float = 20.0) -> int:
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def wait(self, timeout_s: float) -> int:
        """Wait for the end; the exit status."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the worker did not end within {timeout_s} s:\n{self.tail()}")

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self.process.poll() is None

    def must_live(self) -> None:
        """Fail the test, with the end of the log, if the process has ended."""
        if not self.is_alive:
            pytest.fail(f"the worker ended with {self.process.returncode}:\n{self.tail()}")

    def get(self, path: str) -> httpx.Response | None:
        """A page; None while nobody answers."""
        self.must_live()
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=5)
        except httpx.TransportError:
            return None

    def is_ready(self) -> bool:
        """Whether /ready says so."""
        answer = self.get("/ready")
        return answer is not None and answer.status_code == 200

    def wait_until_ready(self, timeout_s: float = 60.0) -> None:
        """Wait for /ready; fail with what it says."""
        deadline = time.monotonic() + timeout_s
        while not self.is_ready():
            if time.monotonic() > deadline:
                answer = self.get("/ready")
                pytest.fail(f"not ready within {timeout_s} s: {answer.text if answer is not None else 'no answer'}")
            time.sleep(0.1)

    def is_ready_for_partitions(self) -> bool:
        """Whether the worker has partitions of the first role and has recovered them."""
        return self.partitions() > 0

    def partitions(self) -> int:
        """How many partitions of its source topics the first role has; 0 until it has recovered them."""
        answer = self.get("/ready")
        if answer is None:
            return 0
        role = next(iter(answer.json()["roles"].values()))
        return int(role["partitions"]) if role["lag_records"] is not None else 0

    def tail(self, lines: int = 30) -> str:
        """End of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
