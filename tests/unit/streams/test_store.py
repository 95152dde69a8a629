"""The store of run tables on a real RocksDB: three layers, one atomic batch, refused writes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.store import RunStore, StateNotWritten
from streams.table import RunTable
from tests.unit.streams.doubles import FakeOutbox, make_app, make_run, records


@pytest.fixture
def table(tmp_path: Path) -> Iterator[RunTable]:
    """A table of two partitions."""
    app = make_app(tmp_path)
    app._create_directories()
    table = app.run_table("passes", partitions=2)
    yield table
    table.store._dbs.clear()


@pytest.fixture
def store(table: RunTable) -> RunStore:
    """Its store."""
    return table.store


def test_staged_changes_are_seen_before_they_are_durable(store: RunStore) -> None:
    """An agent sees what earlier runs changed, and None for what they deleted."""
    store.stage(0, {b"a": b"1", b"b": b"2"})
    store.stage(0, {b"b": None})
    assert store.get_many(0, [b"a", b"b", b"c"]) == {b"a": b"1", b"b": None, b"c": None}
    assert store.get_many(1, [b"a"]) == {b"a": None}
    assert store.staged == 2


def test_newer_layers_win(store: RunStore) -> None:
    """Fresh over frozen over RocksDB."""
    store.stage(0, {b"a": b"old", b"b": b"old", b"c": b"old"})
    store.freeze()
    store.persist(0, 1)
    store.stage(0, {b"a": b"frozen", b"b": b"frozen"})
    store.freeze()
    store.stage(0, {b"a": b"fresh"})
    assert store.get_many(0, [b"a", b"b", b"c"]) == {b"a": b"fresh", b"b": b"frozen", b"c": b"old"}


def test_thaw_gives_back_what_was_not_persisted(store: RunStore) -> None:
    """A checkpoint that fails loses no change, and newer values win."""
    store.stage(0, {b"a": b"1", b"b": b"1"})
    store.freeze()
    store.stage(0, {b"b": b"2"})
    store.thaw()
    assert store.staged == 2
    assert store.get_many(0, [b"a", b"b"]) == {b"a": b"1", b"b": b"2"}
    store.freeze()
    assert store.frozen == {0: {b"a": b"1", b"b": b"2"}}


def test_persist_writes_values_and_changelog_offset_together(store: RunStore, table: RunTable) -> None:
    """What is durable knows how far the changelog is applied."""
    store.stage(1, {b"a": b"1"})
    store.freeze()
    store.persist(1, 41)
    store.stage(1, {b"a": None})
    store.freeze()
    store.persist(1, 42)
    store.drop_changes()
    assert store.get_many(1, [b"a"]) == {b"a": None}
    assert store.persisted_offset(type("T", (), {"partition": 1})()) == 42
    assert store.staged == 0


def test_changes_that_rocksdb_refused_are_still_seen(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk takes nothing from what agents see, and the next checkpoint has it all."""

    class FullDisk:
        def write(self, batch: object) -> None:
            raise Exception("IO error: No space left on device")

        def get(self, keys: list[bytes]) -> list[None]:
            return [None] * len(keys)

    store.stage(0, {b"a": b"1"})
    store.freeze()
    with monkeypatch.context() as patch:
        patch.setattr(store, "_db_for_partition", lambda _: FullDisk())
        with pytest.raises(StateNotWritten, match="passes, partition 0: IO error: No space"):
            store.persist(0, 7)
        assert store.get_many(0, [b"a"]) == {b"a": b"1"}
    store.thaw()
    store.stage(0, {b"b": b"2"})
    store.freeze()
    assert store.frozen == {0: {b"a": b"1", b"b": b"2"}}


def test_dropped_changes_are_gone(store: RunStore) -> None:
    """After a rebalance only what a checkpoint persisted is left."""
    store.stage(0, {b"a": b"1"})
    store.freeze()
    store.stage(0, {b"b": b"1"})
    store.drop_changes()
    assert store.get_many(0, [b"a", b"b"]) == {b"a": None, b"b": None}


def test_writes_outside_of_a_run_are_refused(table: RunTable) -> None:
    """The dict interface of Faust's tables writes nothing."""
    with pytest.raises(TypeError, match=r"run\.finish"):
        table[b"a"] = b"1"
    with pytest.raises(TypeError, match=r"run\.finish"):
        del table[b"a"]


keys = st.binary(min_size=0, max_size=2)
changes = st.dictionaries(keys, st.one_of(st.none(), st.binary(max_size=2)), max_size=12)


@settings(max_examples=40, deadline=None)
@given(layers=st.tuples(changes, changes, changes), start=keys, stop=st.one_of(st.none(), keys))
def test_scan_sees_the_layers_as_one_sorted_map(
    tmp_path_factory: pytest.TempPathFactory,
    layers: tuple[dict[bytes, bytes | None], ...],
    start: bytes,
    stop: bytes | None,
) -> None:
    """A range of keys reads as the sorted merge of all layers."""
    app = make_app(tmp_path_factory.mktemp("scan"))
    app._create_directories()
    store = app.run_table("passes", partitions=1).store
    merged: dict[bytes, bytes | None] = {}
    for number, layer in enumerate(layers):
        store.stage(0, layer)
        merged.update(layer)
        if number < 2:
            store.freeze()
        if number == 0 and store.frozen:
            store.persist(0, 0)
    want = sorted(
        (key, value)
        for key, value in merged.items()
        if value is not None and key >= start and (stop is None or key < stop)
    )
    assert list(store.scan(0, start, stop)) == want
    store._dbs.clear()


async def test_checkpoint_sends_the_changelog_before_rocksdb(table: RunTable) -> None:
    """Each change goes to the changelog partition of its table partition; its last offset is kept with the values."""
    outbox = FakeOutbox()
    run = make_run(records(0, 1))
    table.store.stage(0, {b"a": b"1", b"b": None})
    table.store.stage(1, {b"c": b"3"})
    table.store.freeze()
    await table.checkpoint(outbox, lambda: True)
    sent = {(output.topic, output.partition, output.key, output.value) for output in outbox.sent}
    assert sent == {
        ("alpr-test-passes-changelog", 0, b"a", b"1"),
        ("alpr-test-passes-changelog", 0, b"b", None),
        ("alpr-test-passes-changelog", 1, b"c", b"3"),
    }
    assert table.store.frozen == {}
    assert table.get_many(run, [b"a", b"b"]) == {b"a": b"1", b"b": None}
    assert table.store.persisted_offset(type("T", (), {"partition": 0})()) == 1


async def test_checkpoint_leaves_rocksdb_alone_after_a_rebalance(table: RunTable) -> None:
    """When the partitions go while the changelog is written, the store is not touched."""
    table.store.stage(0, {b"a": b"1"})
    table.store.freeze()
    await table.checkpoint(FakeOutbox(), lambda: False)
    table.store.drop_changes()
    assert table.store.get_many(0, [b"a"]) == {b"a": None}
