"""A bench of the small job (`tests.connected.streams.job`): its topics, its workers, and what must have come of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import uuid4

from schemas.topics import DLQ
from tests.chaos.broker import PARTITIONS, Broker
from tests.chaos.rocksdb_files import rocksdb_contents
from tests.chaos.verdict import Verdict
from tests.chaos.waiting import until
from tests.chaos.worker import Worker
from tests.connected.streams.reads import Read, expected, partition_of_key

MAX_MESSAGE_BYTES = 12_582_912


class Bench:
    """One test's topics, groups and workers.

    Args:
        broker: where they live.
        folder: of the workers.
        events_max_bytes: largest record that the topic of events takes.
        env: of all workers.
        source_config: of the source topic, on top of the usual.
    """

    def __init__(
        self,
        broker: Broker,
        folder: Path,
        events_max_bytes: int = MAX_MESSAGE_BYTES,
        env: Mapping[str, str] | None = None,
        source_config: Mapping[str, str] | None = None,
    ) -> None:
        self.broker = broker
        self._env = env or {}
        self.run_id = f"t{uuid4().hex[:10]}"
        self.source = f"{self.run_id}.reads"
        self.events = f"{self.run_id}.events"
        self.changelog = f"alpr-{self.run_id}-dedup-last_seen-changelog"
        self.workers: list[Worker] = []
        self._folder = folder
        broker.create(self.source, config={"max.message.bytes": str(MAX_MESSAGE_BYTES), **(source_config or {})})
        broker.create(self.events, config={"max.message.bytes": str(events_max_bytes)})
        broker.create(DLQ.name, partitions=DLQ.partitions, config=DLQ.config)

    def worker(self, **env: str) -> Worker:
        """Start a worker with a state folder of its own."""
        worker = Worker(
            self._folder / f"w{len(self.workers)}",
            {"JOB_RUN_ID": self.run_id, "JOB_SOURCE": self.source, "JOB_EVENTS": self.events, **self._env, **env},
        )
        self.workers.append(worker)
        return worker

    def close(self) -> None:
        """End the workers that still run."""
        for worker in self.workers:
            if worker.is_alive:
                worker.kill()

    def committed(self) -> int:
        """Reads whose handling is committed."""
        return self.broker.committed(f"alpr-{self.run_id}-dedup", self.source)

    def work_until(self, committed: int, *workers: Worker, timeout_s: float = 120.0) -> None:
        """Let workers commit so many reads. They must live meanwhile."""

        def reached() -> bool:
            for worker in workers:
                worker.must_live()
            return self.committed() >= committed

        until(reached, f"commit of {committed} reads", timeout_s, 0.2)

    def event_ids(self) -> list[bytes]:
        """Ids of all events that were sent, repeats included."""
        return [record.value() or b"" for record in self.broker.drain(self.events)]

    def changelog_state(self) -> dict[bytes, int]:
        """The table as its changelog tells it."""
        state: dict[bytes, int] = {}
        for record in self.broker.drain(self.changelog):
            key, value = record.key() or b"", record.value()
            if value is None:
                state.pop(key, None)
            else:
                state[key] = int(value)
        return state

    def judge(
        self,
        scenario: str,
        reads: Sequence[Read],
        *stopped: Worker,
        repeats_allowed: bool = False,
        older: Mapping[bytes, int] | None = None,
    ) -> Verdict:
        """Compare everything with plain reading of the same reads.

        Args:
            scenario: for the report.
            reads: all that were sent.
            stopped: a worker that had all partitions at last, and has ended: its RocksDB is compared too.
            repeats_allowed: events may be on their topic twice (the worker was killed).
            older: entries that the table had before, none of which a read has changed.
        """
        events, last = expected(reads)
        last |= older or {}
        verdict = Verdict(scenario)
        verdict.note(starts=sum(worker.starts for worker in self.workers))
        verdict.count("reads committed", len(reads), self.committed())
        verdict.arrivals("events", events, self.event_ids(), repeats_allowed=repeats_allowed)
        verdict.table("changelog", last, self.changelog_state())
        placed = {(partition_of_key(key, PARTITIONS), key): b"%d" % time for key, time in last.items()}
        for worker in stopped:
            verdict.table("RocksDB", placed, rocksdb_contents(worker.datadir, "last_seen"))
        return verdict
