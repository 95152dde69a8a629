"""A partitioned table of bytes whose changes travel with runs. Recovery, standbys and rebalancing stay Faust's."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from faust.tables.table import Table

from streams.outbox import Outbox
from streams.run import Output, Run
from streams.store import RunStore


class RunTable(Table[bytes, bytes]):
    """Bytes to bytes, partitioned like the topic whose runs change it. `RoleApp.run_table` makes one.

    `tables.state.StateTable` gives it types.
    """

    def _new_store(self) -> Any:
        # not by `store=`: Faust tests the URL for truth, and yarl calls "runs+rocksdb://" empty
        return self._new_store_by_url("runs+rocksdb://")

    @property
    def store(self) -> RunStore:
        """Where the values are, staged and durable."""
        assert isinstance(self.data, RunStore)
        return self.data

    def get_many(self, run: Run, keys: Iterable[bytes]) -> dict[bytes, bytes | None]:
        """Values of the keys in the run's partition, with one read; None for a key that is not there."""
        return self.store.get_many(run.tp.partition, keys)

    def scan(self, run: Run, start: bytes, stop: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values of the run's partition, in key order, from `start` up to `stop` (not included)."""
        return self.store.scan(run.tp.partition, start, stop)

    async def checkpoint(self, outbox: Outbox, still_ours: Callable[[], bool]) -> None:
        """Make the frozen changes durable: changelog first, then RocksDB with the changelog's offset.

        Args:
            outbox: carries the changelog records; everything put before is acknowledged too when this returns.
            still_ours: False once a rebalance has begun; then RocksDB is left alone.

        Raises:
            DeliveryError: a changelog record was refused.
        """
        offsets: dict[int, int] = {}
        frozen = self.store.frozen
        topic: str = self.changelog_topic_name

        def delivered(partition: int, offset: int) -> None:
            offsets[partition] = max(offset, offsets.get(partition, -1))

        for partition, changes in frozen.items():
            outbox.put((Output(topic, key, value, partition) for key, value in changes.items()), delivered)
        await outbox.flush()
        if still_ours():
            for partition in frozen:
                self.store.persist(partition, offsets[partition])

    def on_key_set(self, key: Any, value: Any) -> None:  # noqa: ARG002 - refused whatever they are
        """Refused: a change outside of a run has no offset to become durable with."""
        raise TypeError("write through run.finish(changes)")

    def on_key_del(self, key: Any) -> None:  # noqa: ARG002 - refused whatever it is
        """Refused, as `on_key_set`."""
        raise TypeError("write through run.finish(changes)")
