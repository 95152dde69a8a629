"""The cache of downloaded and built servers: complete or absent, and made by one process at a time.

An artifact is built in a folder beside its final place and renamed when it is whole (rename is atomic, POSIX),
so that a broken download never looks like a finished one. A lock file per artifact makes a second command wait
for the first instead of downloading the same thing again.
"""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from compose.local.folders import cache_dir
from compose.local.tools import Tool

Report = Callable[[str], None]
"""Takes one progress line for a person."""


def silent(_line: str) -> None:
    """A `Report` that shows nothing."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """Something to download or build once per machine.

    Attributes:
        name: service or part that it is for.
        version: pinned version, or a digest of the recipe; a new one gets a new folder.
        verb: what the progress line says while it is made, such as `fetching jars`.
        tools: programs that making it needs.
        make: fills the folder that it is given.
    """

    name: str
    version: str
    verb: str
    tools: tuple[Tool, ...]
    make: Callable[[Path], None]

    @property
    def folder(self) -> Path:
        """Its final place, whether or not it is there yet."""
        return cache_dir() / f"{self.name}-{self.version}"

    @property
    def is_cached(self) -> bool:
        """True once it is complete."""
        return self.folder.is_dir()

    def ensure(self, report: Report = silent) -> Path:
        """Returns the folder, making it first where it is not cached.

        Raises:
            ToolMissing: a client that it takes is absent.
            FetchFailed: the client failed; nothing is left behind.
        """
        if self.is_cached:
            return self.folder
        for tool in self.tools:
            tool.require()
        with file_lock(self.folder.with_name(self.folder.name + ".lock")):
            if self.is_cached:  # another process made it while this one waited
                return self.folder
            partial = self.folder.with_name(f"{self.folder.name}.partial-{os.getpid()}")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            report(f"{self.name} {self.version}: {self.verb} ...")
            started = time.monotonic()
            try:
                self.make(partial)
                partial.rename(self.folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
            report(f"{self.name} {self.version}: done in {time.monotonic() - started:.0f} s")
        return self.folder


@contextlib.contextmanager
def file_lock(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Holds an exclusive lock on `path` (flock: the kernel drops it when the holder dies).

    Raises:
        BlockingIOError: `wait` is False and somebody else holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
