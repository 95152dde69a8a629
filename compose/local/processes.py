"""Server processes: started in a session of their own, recognised later, and ended without hurting others.

A pid alone names nobody, since the kernel hands it out again. So a record also keeps the process's start time,
and whoever has the pid but another start time is a stranger that is never touched.
"""

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

_START_TIME_TOLERANCE_S = 2.0  # psutil derives it from the boot time, which a clock step moves a little


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """A process as it is remembered between commands.

    Attributes:
        pid: its process id, which is also the id of its group and session.
        started_at_s: its start, seconds since the epoch.
        start_ticks: its start in clock ticks since boot, which no clock step moves; None where /proc does not tell.
    """

    pid: int
    started_at_s: float
    start_ticks: int | None = None

    @classmethod
    def of(cls, pid: int) -> "ProcessRecord":
        """The record of a process that runs now."""
        return cls(pid=pid, started_at_s=psutil.Process(pid).create_time(), start_ticks=_start_ticks(pid))

    def process(self) -> psutil.Process | None:
        """The very process that was recorded, or None when it is gone, a zombie, or the pid is somebody else's."""
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            ticks = _start_ticks(self.pid)
            if ticks is not None and self.start_ticks is not None:
                return process if ticks == self.start_ticks else None
            is_same = abs(process.create_time() - self.started_at_s) <= _START_TIME_TOLERANCE_S
            return process if is_same else None
        except psutil.NoSuchProcess:
            return None

    def is_alive(self) -> bool:
        """True while the recorded process runs."""
        return self.process() is not None

    def rss_bytes(self) -> int:
        """Resident memory of the process and its children; 0 when it is gone."""
        total = 0
        process = self.process()
        if process is None:
            return 0
        with contextlib.suppress(psutil.NoSuchProcess):
            for member in [process, *process.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    total += member.memory_info().rss
        return total

    def stop(self, stop_signal: signal.Signals, timeout_s: float) -> bool:
        """Asks the process to end, and kills its whole session when it has not within `timeout_s`.

        Returns:
            True if it ended by itself (or was gone already), False if it had to be killed.
        """
        process = self.process()
        if process is None:
            return True
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(stop_signal)
        if self._wait_gone(timeout_s):
            return True
        self.kill()
        return False

    def kill(self) -> None:
        """SIGKILL for the process and all of its group (it was started as a group leader), and waits for its end."""
        if self.process() is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._wait_gone(10.0)

    def _wait_gone(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while self.is_alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True


def _start_ticks(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat (proc(5)); the name in field 2 may hold spaces and parentheses."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, IndexError):
        return None


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start one server.

    Attributes:
        argv: program and arguments.
        environment: variables on top of the caller's.
        user: name of the user that it runs as; None for the caller's own.
    """

    argv: list[str]
    environment: dict[str, str]
    user: str | None = None


def spawn(launch: Launch, *, log_path: Path, cwd: Path) -> subprocess.Popen[bytes]:
    """Starts a server in a new session, so that Ctrl-C in the caller's terminal does not reach it.

    Its output goes to `log_path`; the log of the previous start is kept beside it as `.1`.
    """
    if log_path.exists():
        log_path.replace(log_path.with_name(log_path.name + ".1"))
    with log_path.open("wb") as log:
        return subprocess.Popen(
            launch.argv,
            cwd=cwd,
            env={**os.environ, **launch.environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=launch.user,
            group=None if launch.user is None else _group_of(launch.user),
            extra_groups=None if launch.user is None else [],
        )


def _group_of(user: str) -> int:
    """The primary group of `user`, for leaving root's groups behind."""
    import pwd  # noqa: PLC0415  (absent on platforms without users, which never get here)

    return pwd.getpwnam(user).pw_gid


def last_lines(path: Path, count: int = 15) -> str:
    """The last lines of a log, indented for a message; says so where there are none."""
    try:
        lines = path.read_text(errors="replace").strip().splitlines()[-count:]
    except FileNotFoundError:
        lines = []
    return "\n".join(f"    {line}" for line in lines) or "    (its log is empty)"
