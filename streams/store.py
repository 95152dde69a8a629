"""RocksDB store of a partitioned table: reads many keys at once, writes only at checkpoints."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from faust.stores import rocksdb
from faust.streams import current_event
from faust.types import EventT
from rocksdict import WriteBatch

from schemas.errors import AlprError
from streams.changelog import latest_changes
from streams.table_memory import SharedCacheOptions

PartitionChanges = dict[int, dict[bytes, bytes | None]]
"""partition -> key -> value, or None for a deleted key"""


class StateNotWritten(AlprError):
    """RocksDB did not take changes: a full disk, a broken one. The worker stops; a checkpoint would leave a hole."""


class RunStore(rocksdb.Store):
    """Three layers, read from the top: changes since the last checkpoint, changes being checkpointed, RocksDB.

    Why not write RocksDB at once: state that survives a crash while the output it stands for did not is a lost
    event (the record is read again and taken for a repeat). So state becomes durable after the outputs are. A batch
    is written with the write-ahead log but without fsync: what a power loss takes off the tail, the changelog gives
    back, since a batch carries its changelog offset.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rocksdb_options = SharedCacheOptions(**(self.options or {}), use_rocksdict=self.use_rocksdict)
        self._fresh: PartitionChanges = defaultdict(dict)
        self._frozen: PartitionChanges = {}

    # -- what agents use

    def get_many(self, partition: int, keys: Iterable[bytes]) -> dict[bytes, bytes | None]:
        """Values of the keys with one multi-get; None for a key that is not there."""
        found: dict[bytes, bytes | None] = {}
        missing: list[bytes] = []
        fresh, frozen = self._fresh[partition], self._frozen.get(partition, {})
        for key in keys:
            if key in fresh:
                found[key] = fresh[key]
            elif key in frozen:
                found[key] = frozen[key]
            else:
                missing.append(key)
        if missing:
            found.update(zip(missing, self._db_for_partition(partition).get(missing), strict=True))
        return found

    def scan(self, partition: int, start: bytes, stop: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values in key order from `start` up to, not including, `stop` (None: to the end).

        Sees staged changes, as `get_many` does. Changes that are staged while it runs may be seen or not.
        """
        staged = {**self._frozen.get(partition, {}), **self._fresh[partition]}
        pending = iter(sorted(key for key in staged if key >= start and (stop is None or key < stop)))
        upcoming = next(pending, None)
        for key, value in self._db_for_partition(partition).items(from_key=start):
            if stop is not None and key >= stop:
                break
            while upcoming is not None and upcoming < key:
                if (changed := staged[upcoming]) is not None:
                    yield upcoming, changed
                upcoming = next(pending, None)
            if upcoming == key:
                if (changed := staged[key]) is not None:
                    yield key, changed
                upcoming = next(pending, None)
            elif key != self.offset_key:
                yield key, value
        while upcoming is not None:
            if (changed := staged[upcoming]) is not None:
                yield upcoming, changed
            upcoming = next(pending, None)

    def stage(self, partition: int, changes: Mapping[bytes, bytes | None]) -> None:
        """Keep changes in memory until the next checkpoint."""
        self._fresh[partition].update(changes)

    @property
    def staged(self) -> int:
        """Keys that wait for a checkpoint."""
        return sum(map(len, self._fresh.values())) + sum(map(len, self._frozen.values()))

    # -- what the checkpoint uses

    def freeze(self) -> None:
        """Take the changes of the checkpoint that begins; later ones belong to the next."""
        self._frozen, self._fresh = self._fresh, defaultdict(dict)

    @property
    def frozen(self) -> PartitionChanges:
        """What the running checkpoint has still to persist."""
        return {partition: changes for partition, changes in self._frozen.items() if changes}

    def thaw(self) -> None:
        """Take back what the checkpoint did not persist; newer values win."""
        for partition, changes in self._frozen.items():
            self._fresh[partition] = {**changes, **self._fresh[partition]}
        self._frozen = {}

    def persist(self, partition: int, changelog_offset: int) -> None:
        """Write a partition's frozen changes and its changelog offset in one atomic batch.

        Raises:
            StateNotWritten: RocksDB refused. The changes stay where agents see them, and `thaw` gives them back.
        """
        self._write(partition, self._frozen[partition], changelog_offset)
        del self._frozen[partition]

    def _write(self, partition: int, changes: Mapping[bytes, bytes | None], changelog_offset: int) -> None:
        batch = WriteBatch(raw_mode=True)
        for key, value in changes.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        batch.put(self.offset_key, b"%d" % changelog_offset)
        try:
            self._db_for_partition(partition).write(batch)
        except Exception as error:  # rocksdict raises nothing narrower
            raise StateNotWritten(f"{self.table_name}, partition {partition}: {error}") from error

    def drop_changes(self) -> None:
        """A rebalance: staged changes belong to records that will be read again, perhaps by another worker."""
        self._fresh, self._frozen = defaultdict(dict), {}

    # -- recovery and standbys

    def apply_changelog_batch(self, batch: Iterable[EventT[Any]], to_key: Any, to_value: Any) -> None:  # noqa: ARG002 - Faust's signature; keys and values are bytes
        """Write runs of a changelog, each partition with its offset in one atomic batch.

        Faust's own writes the offset after the records; a crash between the two, or in the middle of recovery, finds
        here either both or none of them.
        """
        for partition, (offset, changes) in latest_changes(batch).items():
            self._write(partition, changes, offset)

    # -- Faust's dict interface: reads see the staged changes, writes are refused (they would be part of no run)

    def _get(self, key: bytes) -> bytes | None:
        event = current_event()
        for partition in [event.message.partition] if event is not None else list(self._dbs):
            value = self.get_many(partition, [key])[key]
            if value is not None:
                return value
        return None

    def _contains(self, key: bytes) -> bool:
        return self._get(key) is not None

    def _set(self, key: bytes, value: bytes | None) -> None:  # noqa: ARG002 - refused whatever they are
        raise TypeError("write through run.finish(changes)")

    def _del(self, key: bytes) -> None:  # noqa: ARG002 - refused whatever it is
        raise TypeError("write through run.finish(changes)")
