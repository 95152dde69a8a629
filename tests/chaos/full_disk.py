"""A disk that is full: a small file system where this user may mount one, else a limit on what a process may write."""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.chaos.worker import Worker


class FullDisk:
    """Makes writes of a worker fail, and lets them succeed again.

    Args:
        folder: the mounted file system; None where none could be mounted.
    """

    def __init__(self, folder: Path | None) -> None:
        self._ballast = None if folder is None else folder / "ballast"

    @property
    def how(self) -> str:
        """The mechanism, for the report."""
        return "RLIMIT_FSIZE" if self._ballast is None else "tmpfs"

    def fill(self, worker: Worker) -> None:
        """From now on no byte more can be written: ENOSPC on the file system, else EFBIG by the limit."""
        if self._ballast is None:
            resource.prlimit(worker.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
            return
        with self._ballast.open("ab", buffering=0) as file, suppress(OSError):
            for size in (65_536, 512, 1):
                with suppress(OSError):
                    while file.write(b"\0" * size) == size:
                        pass

    def free(self) -> None:
        """There is room again. A limit went with the process that had it."""
        if self._ballast is not None:
            self._ballast.unlink()


@contextmanager
def small_disk(folder: Path, size_mib: int) -> Iterator[FullDisk]:
    """A file system of so many MiB on the folder; where that is not allowed, the folder as it is."""
    folder.mkdir(parents=True)
    options = ["-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(["mount", *options], check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield FullDisk(folder if mounted else None)
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=False)
