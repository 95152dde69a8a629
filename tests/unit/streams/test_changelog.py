"""Changelogs that come in runs: latest values, deletions, offsets in the same batch, how the transport cuts them."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from faust.types import TP

from streams.changelog import ChangelogRun
from streams.role_app import RoleApp
from streams.table import RunTable
from tests.unit.streams.doubles import FakeRecord, make_app, records

CHANGELOG = "alpr-test-passes-changelog"


@pytest.fixture
def app(tmp_path: Path) -> RoleApp:
    """A role that nobody starts."""
    app = make_app(tmp_path, run_records=10)
    app._create_directories()
    return app


@pytest.fixture
def table(app: RoleApp) -> Iterator[RunTable]:
    """Its table of two partitions."""
    table = app.run_table("passes", partitions=2)
    yield table
    table.store._dbs.clear()


def change(offset: int, key: bytes | None, value: bytes | None) -> FakeRecord:
    """A changelog record."""
    return FakeRecord(offset, value, key)


def event(partition: int, *changes: FakeRecord) -> Any:
    """An event as recovery buffers it."""
    return Mock(message=Mock(partition=partition, offset=changes[-1].offset, value=ChangelogRun(changes)))


def test_the_latest_value_of_each_key_stands_with_its_offset(table: RunTable) -> None:
    """Runs of several partitions in one batch: last value wins, tombstones delete, each partition has its offset."""
    table.apply_changelog_batch([event(0, change(0, b"a", b"0"), change(1, b"gone", b"0"))])
    table.apply_changelog_batch(
        [
            event(0, change(2, b"a", b"1"), change(3, b"b", b"1")),
            event(1, change(7, b"a", b"other")),
            event(0, change(4, b"gone", None), change(5, b"a", b"2")),
        ]
    )
    assert table.store.get_many(0, [b"a", b"b", b"gone"]) == {b"a": b"2", b"b": b"1", b"gone": None}
    assert table.store.get_many(1, [b"a"]) == {b"a": b"other"}
    assert [table.persisted_offset(TP(CHANGELOG, partition)) for partition in (0, 1)] == [5, 7]


def test_a_record_without_a_key_changes_nothing(table: RunTable) -> None:
    """Somebody else's record in a changelog moves the offset and no key."""
    table.apply_changelog_batch([event(0, change(0, b"a", b"1"), change(1, None, b"2"))])
    assert dict(table.store.scan(0, b"")) == {b"a": b"1"}
    assert table.persisted_offset(TP(CHANGELOG, 0)) == 1


def test_nothing_is_applied_of_nothing(table: RunTable) -> None:
    """Recovery flushes empty buffers."""
    table.apply_changelog_batch([])
    assert table.persisted_offset(TP(CHANGELOG, 0)) is None


async def test_the_transport_delivers_changelogs_in_runs_without_acknowledgement(
    app: RoleApp, table: RunTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs of the usual size, at the offset of their last record, unknown to the ledger; others stay as they are."""
    consumer = app.run_consumer
    consumer._learn_run_topics()
    fetched = {TP(CHANGELOG, 0): records(5, 25, topic=CHANGELOG), TP("plain", 0): records(0, 2, topic="plain")}

    async def wait_next_records(_timeout: float) -> tuple[Any, None]:
        return fetched, None

    monkeypatch.setattr(consumer, "_wait_next_records", wait_next_records)
    monkeypatch.setattr(consumer, "highwater", lambda _tp: 30)
    monkeypatch.setattr(consumer, "_to_message", lambda tp, record: record)
    consumer.flow_active = True
    items: AsyncIterator[Any] = consumer.getmany(timeout=0)
    messages = [item async for item in items]
    runs = [message for tp, message in messages if tp.topic == CHANGELOG]
    assert [(len(run.value.records), run.offset) for run in runs] == [(10, 14), (10, 24), (5, 29)]
    assert sum(tp.topic == "plain" for tp, _ in messages) == 2
    assert not consumer.ledger.runs
    assert table.changelog_topic_name not in consumer.run_topics
