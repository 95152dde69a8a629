"""A test run whose server dies must end, name the server, and leave nothing behind; proved on runs of their own."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

_ROOT = Path(__file__).parents[2]
_TEST = textwrap.dedent("""
    import os, pathlib, time
    from compose.local.state import StackState

    def test_waits(stack):
        '''Tells the servers' pids, then waits to be ended.'''
        state = StackState.load(next(pathlib.Path(os.environ["XDG_STATE_HOME"]).glob("alpr/stacks/test-*/stack.json")))
        lines = [f"{name} {entry.process.pid}" for name, entry in state.services.items()]
        partial = pathlib.Path("pids.partial")
        partial.write_text("\\n".join(lines))
        partial.rename("pids")
        time.sleep(200)
""")


def _start_run(folder: Path, **environment: str) -> subprocess.Popen[str]:
    """A pytest run of its own with the servers `mail` and `s3`, in `folder`."""
    (folder / "test_waits.py").write_text(_TEST)
    arguments = ["-p", "tests.connected.conftest", "-p", "no:cacheprovider", "--rootdir", str(folder), "test_waits.py"]
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("ALPR_", "PYTEST_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=folder,
        env={
            **ours,
            "PYTHONPATH": str(_ROOT),
            "XDG_STATE_HOME": str(folder),
            "ALPR_TEST_SERVICES": "mail,s3",
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # a background job of a shell ignores SIGINT, and so would its children
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no thread runs here
    )


def _pids(folder: Path, run: subprocess.Popen[str]) -> dict[str, int]:
    """Waits until the inner test runs; its servers' pids by name."""
    deadline = time.monotonic() + 100
    while not (folder / "pids").exists():
        if run.poll() is not None:
            assert run.stdout is not None
            pytest.fail(f"the inner run ended early:\n{run.stdout.read()}")
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return {name: int(pid) for name, pid in (line.split() for line in (folder / "pids").read_text().splitlines())}


def _wait_gone(pids: list[int]) -> None:
    _gone, alive = psutil.wait_procs([psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)], timeout=30)
    assert not alive


def test_run_ends_and_names_the_server_that_died(tmp_path: Path) -> None:
    """SIGKILL to one server: exit code 3 within 120 s, its name, its signal and the current test are told."""
    run = _start_run(tmp_path)
    pids = _pids(tmp_path, run)
    os.kill(pids["mail"], signal.SIGKILL)
    output, _ = run.communicate(timeout=120)
    assert run.returncode == 3
    assert "server mail died: signal 9; its log " in output
    assert "test_waits.py::test_waits" in output
    _wait_gone(list(pids.values()))
    assert list(tmp_path.glob("alpr/stacks/test-*/logs/mail.log"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_killed_run_leaves_no_server(tmp_path: Path, number: signal.Signals) -> None:
    """However the run itself is ended, its servers end too."""
    run = _start_run(tmp_path)
    pids = _pids(tmp_path, run)
    run.send_signal(number)
    run.communicate(timeout=60)
    assert run.returncode != 0
    _wait_gone(list(pids.values()))


def test_borrowed_stack_that_is_not_up_is_said(tmp_path: Path) -> None:
    """ALPR_TEST_STACK with a wrong name ends the run with the command that starts it."""
    run = _start_run(tmp_path, ALPR_TEST_STACK="nobody")
    output, _ = run.communicate(timeout=60)
    assert run.returncode != 0
    assert "alpr stack up --name nobody" in output
