"""Server processes: recognised by more than a pid, and ended without touching strangers."""

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from compose.local.processes import Launch, ProcessRecord, last_lines, spawn

pytestmark = pytest.mark.thorough

_SLEEPER = "print('up', flush=True)\nimport time\ntime.sleep(60)"
_STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + _SLEEPER


@pytest.fixture
def start(tmp_path: Path) -> Iterator[object]:
    """Starts Python code as a server, waits for its first output, and ends it after the test."""
    children: list[subprocess.Popen[bytes]] = []

    def run(code: str) -> subprocess.Popen[bytes]:
        log = tmp_path / f"log{len(children)}"
        launch = Launch([sys.executable, "-c", code], {"GREETING": "hello"})
        children.append(spawn(launch, log_path=log, cwd=tmp_path))
        while not log.read_text():
            assert children[-1].poll() is None
        return children[-1]

    yield run
    for child in children:
        if child.poll() is None:
            child.kill()
        child.wait()


def test_stops_cleanly(start) -> None:  # type: ignore[no-untyped-def]
    """A server that heeds the signal is not killed."""
    child = start(_SLEEPER)
    record = ProcessRecord.of(child.pid)
    assert record.is_alive()
    assert record.rss_bytes() > 2**20
    assert record.stop(signal.SIGTERM, timeout_s=10) is True
    assert not record.is_alive()
    assert child.wait() == -signal.SIGTERM


def test_stubborn_server_is_killed(start) -> None:  # type: ignore[no-untyped-def]
    """One that ignores the signal is killed after its time."""
    child = start(_STUBBORN)
    assert ProcessRecord.of(child.pid).stop(signal.SIGTERM, timeout_s=0.2) is False
    assert child.wait() == -signal.SIGKILL


def test_stranger_with_the_same_pid_is_left_alone(start) -> None:  # type: ignore[no-untyped-def]
    """A recycled pid (another start time) is not ours: neither stopped nor killed."""
    child = start(_SLEEPER)
    ours = ProcessRecord.of(child.pid)
    assert ours.start_ticks is not None
    for stale in (
        dataclasses.replace(ours, start_ticks=ours.start_ticks - 1),
        ProcessRecord(pid=child.pid, started_at_s=ours.started_at_s - 3600),
    ):
        assert not stale.is_alive()
        assert stale.stop(signal.SIGTERM, timeout_s=1) is True
        stale.kill()
    assert child.poll() is None


def test_clock_step_does_not_hide_a_server(start) -> None:  # type: ignore[no-untyped-def]
    """A process is recognised by its ticks since boot, whatever the wall clock has done meanwhile."""
    child = start(_SLEEPER)
    stepped = dataclasses.replace(ProcessRecord.of(child.pid), started_at_s=0.0)
    assert stepped.is_alive()


def test_zombie_counts_as_dead(start) -> None:  # type: ignore[no-untyped-def]
    """An ended child that nobody has waited for is not alive."""
    child = start(_SLEEPER)
    record = ProcessRecord.of(child.pid)
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not record.is_alive()


def test_runs_in_a_session_of_its_own_with_its_environment(start, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Ctrl-C in the caller's terminal does not reach it, and it sees the variables that it was given."""
    child = start("import os\nprint(os.environ['GREETING'], flush=True)\n" + _SLEEPER)
    assert os.getsid(child.pid) == child.pid != os.getsid(0)
    assert (tmp_path / "log0").read_text().startswith("hello")


def test_log_of_the_previous_start_is_kept(tmp_path: Path) -> None:
    """The old log is there as `.1` after a restart."""
    for word in ("first", "second"):
        launch = Launch([sys.executable, "-c", f"print('{word}')"], {})
        spawn(launch, log_path=tmp_path / "log", cwd=tmp_path).wait()
    assert (tmp_path / "log").read_text() == "second\n"
    assert (tmp_path / "log.1").read_text() == "first\n"


def test_last_lines_of_a_log(tmp_path: Path) -> None:
    """The end of a log is quoted, and an absent one is said to be so."""
    log = tmp_path / "log"
    assert "empty" in last_lines(log)
    log.write_bytes(b"one\ntwo\nthr\xffee\n")
    assert last_lines(log, count=2) == "    two\n    thr�ee"
