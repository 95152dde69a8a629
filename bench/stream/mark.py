"""The worker's only word to the bench: when it got its first record, and how much CPU time it had used by then.

Everything else is measured from outside, the same way for every engine. Standard library only.
"""

import json
import os
import time
from pathlib import Path


class FirstRecord:
    """Writes the mark at its first call; the others cost a test.

    The file is named by ``BENCH_MARK``: ``{"wall_s": ..., "cpu_s": ...}``, the first by the clock that all processes of
    a machine share (CLOCK_MONOTONIC), the second over all threads of the process.
    """

    def __init__(self) -> None:
        self.seen = False

    def __call__(self) -> None:
        """Note the time unless that is done."""
        if self.seen:
            return
        self.seen = True
        path = Path(os.environ["BENCH_MARK"])
        text = json.dumps({"wall_s": time.monotonic(), "cpu_s": time.process_time()})
        partial = path.with_suffix(".partial")
        partial.write_text(text)
        partial.rename(path)
