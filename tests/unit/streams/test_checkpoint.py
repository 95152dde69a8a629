"""The order of a checkpoint, on the real consumer and a real RocksDB with a client that we answer for."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from faust.types import TP

from streams.consumer import RunConsumer
from streams.role_app import RoleApp
from streams.run import Output, Run, RunFailed
from streams.store import StateNotWritten
from streams.table import RunTable
from tests.unit.streams.doubles import TOPIC, TP0, FakeOutbox, Journal, make_app, records


class JournalOutbox(FakeOutbox):
    """Notes what Kafka acknowledged."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self.journal = journal

    def acknowledge(self, count: int | None = None) -> None:
        """Answer and note."""
        self.journal.entries += [f"acknowledged {output.topic}" for _, output in self._waiting[:count]]
        super().acknowledge(count)


class Bench:
    """A consumer that is not connected, with its table, outbox and journal."""

    def __init__(self, folder: Path) -> None:
        self.app: RoleApp = make_app(folder)
        self.app._create_directories()
        self.table: RunTable = self.app.run_table("passes", partitions=1)
        self.journal = Journal()
        self.outbox = JournalOutbox(self.journal)
        self.app.producer.outbox = self.outbox  # type: ignore[attr-defined]  # the run producer's
        self.consumer: RunConsumer = self.app.run_consumer
        self.consumer._run_topics = {TOPIC}
        self.crashes: list[BaseException] = []
        self.commits: list[dict[TP, int]] = []
        self.member = True

    def deliver(self, first: int, count: int) -> Run:
        """A run as the transport delivers it."""
        self.message = self.consumer._run_message(TP0, records(first, count), 10, 1)
        run = self.message.value
        assert isinstance(run, Run)
        return run


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A bench whose broker is a list."""
    bench = Bench(tmp_path)
    persist = bench.table.store.persist

    async def commit(offsets: dict[TP, int]) -> bool:
        bench.journal.note("committed" if offsets.get(TP0, 0) > 0 else "proved membership")
        bench.commits.append(dict(offsets))
        return bench.member

    async def crash(error: BaseException) -> None:
        bench.crashes.append(error)

    async def flush() -> None:
        await bench.outbox.flush()

    def note_persist(partition: int, offset: int) -> None:
        bench.journal.note("persisted")
        persist(partition, offset)

    monkeypatch.setattr(bench.consumer, "_commit", commit)
    monkeypatch.setattr(bench.consumer, "crash", crash)
    monkeypatch.setattr(bench.consumer, "assignment", lambda: {TP0})
    monkeypatch.setattr(bench.app.producer, "flush", flush)
    monkeypatch.setattr(bench.table.store, "persist", note_persist)
    yield bench
    bench.table.store._dbs.clear()


async def checkpoint(bench: Bench) -> bool:
    """One checkpoint of everything."""
    tps = list(bench.consumer._filter_tps_with_pending_acks())
    return await bench.consumer._commit_tps(tps)


async def test_outputs_then_changelog_then_rocksdb_then_offsets(bench: Bench) -> None:
    """Each step is acknowledged before the next, so a crash between two loses nothing."""
    run = bench.deliver(0, 3)
    await run.finish({bench.table: {b"a": b"1"}}, [Output("events", None, b"e")])
    assert await checkpoint(bench)
    assert bench.journal.entries == [
        "acknowledged events",
        "proved membership",
        "acknowledged alpr-test-passes-changelog",
        "persisted",
        "committed",
    ]
    assert bench.commits[-1] == {TP0: 3}
    assert bench.table.store.staged == 0


async def test_a_run_finished_during_a_checkpoint_belongs_to_the_next(bench: Bench) -> None:
    """The snapshot takes offsets and changes of the same runs."""
    first, second = bench.deliver(0, 3), bench.deliver(3, 3)
    await first.finish({bench.table: {b"a": b"1"}}, [Output("events", None, b"e")])
    bench.outbox.auto = False
    running = asyncio.create_task(checkpoint(bench))
    await asyncio.sleep(0.02)
    await second.finish({bench.table: {b"a": b"2"}})
    bench.outbox.auto = True
    assert await running
    assert bench.commits[-1] == {TP0: 3}
    assert bench.table.store.staged == 1
    assert bench.table.get_many(second, [b"a"]) == {b"a": b"2"}
    bench.table.store.drop_changes()
    assert bench.table.get_many(second, [b"a"]) == {b"a": b"1"}


async def test_a_refused_output_stops_the_commit(bench: Bench) -> None:
    """Nothing is committed and no state becomes durable once a delivery failed; the consumer crashes."""
    bench.outbox.refuse = "events"
    run = bench.deliver(0, 3)
    await run.finish({bench.table: {b"a": b"1"}})
    bench.outbox.put([Output("events", None, b"e")])
    assert not await checkpoint(bench)
    assert bench.commits == []
    assert "persisted" not in bench.journal.entries
    assert len(bench.crashes) == 1


async def test_without_membership_no_state_is_written(bench: Bench) -> None:
    """A worker that woke up after others took over writes nothing behind them, and keeps its changes in memory."""
    bench.member = False
    run = bench.deliver(0, 3)
    await run.finish({bench.table: {b"a": b"1"}})
    assert not await checkpoint(bench)
    assert "persisted" not in bench.journal.entries
    assert bench.table.store.staged == 1


async def test_a_rebalance_during_the_flush_ends_the_checkpoint(bench: Bench) -> None:
    """When the partitions go meanwhile, the old snapshot is neither persisted nor committed."""
    run = bench.deliver(0, 3)
    await run.finish({bench.table: {b"a": b"1"}}, [Output("events", None, b"e")])
    bench.outbox.auto = False
    running = asyncio.create_task(checkpoint(bench))
    await asyncio.sleep(0.02)
    bench.consumer._forget_runs()
    bench.outbox.auto = True
    assert not await running
    assert "persisted" not in bench.journal.entries
    assert "committed" not in bench.journal.entries
    assert bench.table.store.staged == 0


async def test_a_stale_run_hands_nothing_over(bench: Bench) -> None:
    """A body that ends after its partition went keeps nothing and says so."""
    run = bench.deliver(0, 3)
    bench.consumer._forget_runs()
    assert await run.finish({bench.table: {b"a": b"1"}}, [Output("events", None, b"e")]) is False
    assert bench.outbox.sent == []
    assert bench.table.store.staged == 0


async def test_finishing_twice_is_refused_and_changes_nothing(bench: Bench) -> None:
    """The second hand-over of a run raises before anything of it is kept."""
    run = bench.deliver(0, 3)
    await run.finish()
    with pytest.raises(RunFailed):
        await run.finish({bench.table: {b"a": b"1"}}, [Output("events", None, b"e")])
    assert bench.table.store.staged == 0
    assert bench.outbox.sent == []


async def test_an_unfinished_body_stops_the_commit(bench: Bench) -> None:
    """A body that ended without finish crashes the consumer at the next checkpoint."""
    bench.deliver(0, 3)
    bench.message.acked = True
    await bench.consumer._commit_tps([TP0])
    assert isinstance(bench.crashes[0], RunFailed)
    assert bench.commits == []


async def test_nothing_new_commits_nothing(bench: Bench) -> None:
    """An idle checkpoint asks the broker nothing."""
    assert not await checkpoint(bench)
    assert bench.journal.entries == []


async def test_two_agents_on_a_topic_of_runs_are_refused(bench: Bench) -> None:
    """One role reads a topic in runs with one agent, or state and offsets could part."""
    bench.app.topics.add(bench.app.runs(TOPIC))
    bench.app.topics.add(bench.app.runs(TOPIC))
    with pytest.raises(Exception, match="one agent a role"):
        bench.consumer._learn_run_topics()


async def test_topics_without_the_codec_stay_per_message(bench: Bench) -> None:
    """Runs are for those who ask for them."""
    bench.app.topics.add(bench.app.runs(TOPIC))
    bench.app.topics.add(bench.app.topic("plain"))
    bench.consumer._learn_run_topics()
    assert bench.consumer.run_topics == {TOPIC}


async def test_after_state_that_could_not_be_written_nothing_is_committed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk stops the worker: not this checkpoint, nor the one of its shutdown, when there may be room again."""
    run = bench.deliver(0, 2)
    await run.finish({bench.table: {b"a": b"1"}})
    with monkeypatch.context() as patch:

        def refuse(partition: int, offset: int) -> None:
            raise StateNotWritten("No space left on device")

        patch.setattr(bench.table.store, "persist", refuse)
        assert not await checkpoint(bench)
    assert [type(error) for error in bench.crashes] == [StateNotWritten]
    assert bench.table.store.get_many(0, [b"a"]) == {b"a": b"1"}
    assert not await checkpoint(bench)
    assert "committed" not in bench.journal.entries
    assert "persisted" not in bench.journal.entries
