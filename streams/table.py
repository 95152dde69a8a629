"""A partitioned table of bytes whose changes travel with runs. Recovery, standbys and rebalancing stay Faust's."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from faust.tables.table import Table

from streams.outbox import Outbox
from streams.run import Output, Run


class RunTable(Table):  # type: ignore[misc]  # Faust's table classes are untyped
    """Bytes to bytes, partitioned like the topic whose runs change it. `RoleApp.run_table` makes one.

    `tables.state.StateTable` gives it types.
    """

    def _new_store(self) -> Any:
        # not by `store=`: Faust tests the URL for truth, and yarl calls "runs+rocksdb://" empty
        return self._new_store_by_url("runs+rocksdb://")

    def get_many(self, run: Run, keys: Iterable[bytes]) -> dict[bytes, bytes | None]:
        """Values of the keys in the run's partition, with one read; None for a key that is not there."""
        found: dict[bytes, bytes | None] = self.data.get_many(run.tp.partition, keys)
        return found

    def scan(self, run: Run, start: bytes, stop: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values of the run's partition, in key order, from `start` up to `stop` (not included)."""
        return self.data.scan(run.tp.partition, start, stop)  # type: ignore[no-any-return]  # an untyped store

    async def checkpoint(self, outbox: Outbox, still_ours: Callable[[], bool]) -> None:
        """Make the frozen changes durable: changelog first, then RocksDB with the changelog's offset.

        Args:
            outbox: carries the changelog records; everything put before is acknowledged too when this returns.
            still_ours: False once a rebalance has begun; then RocksDB is left alone.

        Raises:
            DeliveryError: a changelog record was refused.
        """
        offsets: dict[int, int] = {}
        frozen = self.data.frozen
        topic: str = self.changelog_topic_name

        def delivered(partition: int, offset: int) -> None:
            offsets[partition] = max(offset, offsets.get(partition, -1))

        for partition, changes in frozen.items():
            outbox.put((Output(topic, key, value, partition) for key, value in changes.items()), delivered)
        await outbox.flush()
        if still_ours():
            for partition in frozen:
                self.data.persist(partition, offsets[partition])

    def on_key_set(self, key: Any, value: Any) -> None:
        """Refused: a change outside of a run has no offset to become durable with."""
        raise TypeError("write through run.finish(changes)")

    def on_key_del(self, key: Any) -> None:
        """Refused, as `on_key_set`."""
        raise TypeError("write through run.finish(changes)")
