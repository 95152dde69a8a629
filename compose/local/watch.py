"""Watching a stack: a thread that notices a server's death, and a process that cleans up after ours.

The guardian is a process of its own because the one that owns a stack may be killed outright: it holds the
reading end of a pipe whose writing end dies with the owner, whatever the owner dies of.
"""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from compose.local.errors import StackError
from compose.local.stack import Stack

OnDeath = Callable[[str, str], None]
"""Takes the name of a server and how it ended with the last lines of its log."""


class Watchdog:
    """Asks every `interval_s` whether a server has died that nobody stopped on purpose; a context manager."""

    def __init__(self, stack: Stack, on_death: OnDeath, interval_s: float = 1.0) -> None:
        self._stack = stack
        self._on_death = on_death
        self._interval_s = interval_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stack-watchdog", daemon=True)

    def __enter__(self) -> "Watchdog":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stops watching; after this no death is reported any more."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._interval_s):
            for name, how in self._stack.dead().items():
                self._on_death(name, how)
                return


class Guardian:
    """A process that destroys a stack when this process ends without having called `release`."""

    def __init__(self, stack: Stack) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "compose.local.watch", stack.name],
            stdin=subprocess.PIPE,
            cwd=Path(__file__).parents[2],
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """Its process id, for whoever ends this process's children."""
        return self._child.pid

    def release(self) -> None:
        """Ends the guardian; the caller has cleaned up itself."""
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.write(b"released")
            self._child.stdin.close()
        self._child.wait(timeout=30)


def _guard(name: str) -> None:
    """Waits for the owner's end; logs stay, since an owner that dies is worth an investigation."""
    if sys.stdin.buffer.read() == b"released":
        return
    with contextlib.suppress(StackError):
        Stack(name).destroy(keep_logs=True)


if __name__ == "__main__":
    _guard(sys.argv[1])
