"""The runs that were delivered and are not finished: what may be committed, and what is too much."""

import asyncio
from collections import defaultdict, deque
from typing import TYPE_CHECKING

from streams.run import Run, RunFailed

if TYPE_CHECKING:
    from faust.types import TP, Message


class RunLedger:
    """Delivered runs in order, for each partition. It replaces Faust's list of acknowledged offsets.

    The offset to commit is the end of the finished prefix of a lane, so holes that compaction or transaction markers
    leave in the offsets need no bookkeeping. One agent reads a topic, so a lane is finished from its head.

    Args:
        max_runs: in flight per topic.
        max_bytes: of keys and values in flight per topic; one run may exceed it, else a large record could never pass.
    """

    def __init__(self, max_runs: int, max_bytes: int) -> None:
        self.max_runs = max_runs
        self.max_bytes = max_bytes
        self.epoch = 0  # grows whenever everything is forgotten
        self.starts: dict[TP, int] = {}  # where delivery began
        self.positions: dict[TP, int] = {}  # next offset to commit
        self.runs: dict[str, int] = defaultdict(int)  # in flight, by topic
        self.bytes: dict[str, int] = defaultdict(int)
        self.changed = asyncio.Event()  # room may have become free
        self.revoking = asyncio.Event()  # of the current epoch: bodies that wait should give up
        self._lanes: dict[TP, deque[Message]] = defaultdict(deque)

    def deliver(self, message: "Message") -> None:
        """Note a message, whose value is the run, before it goes to the agent."""
        run = run_of(message)
        self.starts.setdefault(run.tp, run.first)
        self._lanes[run.tp].append(message)
        self.runs[run.tp.topic] += 1
        self.bytes[run.tp.topic] += run.size_bytes

    def is_full(self, topic: str) -> bool:
        """Whether no further run of the topic should be delivered for now."""
        return self.runs[topic] >= self.max_runs or self.bytes[topic] >= self.max_bytes

    def oldest_ms(self, tp: "TP") -> int | None:
        """Kafka timestamp of the first record of a partition that is in flight; None where nothing is."""
        lane = self._lanes.get(tp)
        return run_of(lane[0]).records[0].timestamp if lane else None

    def check_turn(self, run: Run) -> None:
        """Runs of a partition are finished in order, once.

        Raises:
            RunFailed: a run before it was left unfinished, or this one is finished already.
        """
        lane = self._lanes[run.tp]
        if not lane or run_of(lane[0]) is not run:
            head = lane[0].value if lane else "none open"
            raise RunFailed(f"{run!r} is not the next run to finish ({head!r} is)")

    def finish(self, run: Run) -> None:
        """The run did its work: its end is the next offset to commit."""
        self._lanes[run.tp].popleft()
        self.positions[run.tp] = run.last + 1
        self.runs[run.tp.topic] -= 1
        self.bytes[run.tp.topic] -= run.size_bytes
        self.changed.set()

    def check_failures(self) -> None:
        """Faust acknowledges an event even when its body raised; that is how a failure shows here.

        Raises:
            RunFailed: an agent's body ended without finishing its run.
        """
        for lane in self._lanes.values():
            if lane and lane[0].acked and not run_of(lane[0]).stale:
                raise RunFailed(f"an agent ended without finishing {lane[0].value!r}")

    def begin_revoking(self) -> None:
        """The partitions may go: bodies that wait give up, what is finished is committed next."""
        self.revoking.set()

    def clear(self) -> None:
        """Forget everything at a rebalance: whatever is not committed will be delivered again."""
        for lane in self._lanes.values():
            for message in lane:
                run_of(message).stale = True
        self.epoch += 1
        self.revoking.set()
        self.revoking = asyncio.Event()
        for table in (self._lanes, self.starts, self.positions, self.runs, self.bytes):
            table.clear()
        self.changed.set()


def run_of(message: "Message") -> Run:
    """The run that a message carries as its value."""
    assert isinstance(message.value, Run)
    return message.value
