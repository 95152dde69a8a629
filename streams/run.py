"""A run: consecutive records of one partition, delivered to an agent as one Faust event."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from faust.serializers.codecs import Codec, register

from schemas.errors import AlprError

if TYPE_CHECKING:  # only for types: this module stays importable without a table or a broker
    from faust.types import TP

    from streams.table import RunTable

Headers = Sequence[tuple[str, bytes | None]]
Changes = Mapping["RunTable", Mapping[bytes, bytes | None]]
"""table -> {key: value, or None to delete}"""


class RunFailed(AlprError):
    """An agent left a run without finishing it. The worker stops: nothing after it may be committed."""


class RunRevoked(AlprError):
    """The partition goes to another worker while the body waits. The run is left as it was; its new owner reads it."""


class Output(NamedTuple):
    """A record for another topic.

    Without a partition the key decides (murmur2, as in Java, Faust and aiokafka). The same input must give the same
    outputs, ids included: after a crash the records since the last checkpoint are read again and sent again.
    """

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int | None = None
    headers: Headers = ()


class Record(Protocol):
    """What a run holds: a Kafka record as the consumer fetched it (aiokafka's ``ConsumerRecord``)."""

    @property
    def topic(self) -> str:
        """Topic it stands in."""

    @property
    def partition(self) -> int:
        """Partition it stands in."""

    @property
    def offset(self) -> int:
        """Offset in the partition."""

    @property
    def timestamp(self) -> int:
        """Milliseconds since the epoch, by the producer or the broker (the topic's ``message.timestamp.type``)."""

    @property
    def key(self) -> bytes | None:
        """Key, as it came."""

    @property
    def value(self) -> bytes | None:
        """Value, as it came; None is a tombstone."""

    @property
    def headers(self) -> Headers:
        """Record headers in order."""


class RunKeeper(Protocol):
    """Takes what a finished run did. The consumer of the transport is one; tests have their own."""

    async def finish_run(self, run: "Run", changes: Changes, outputs: Iterable[Output]) -> bool:
        """See `Run.finish`."""


class RunCodec(Codec):
    """``app.topic(..., value_serializer='run')`` asks the transport to deliver the topic in runs."""

    def _loads(self, run: Any) -> Any:
        return run

    def _dumps(self, value: Any) -> Any:
        return value


# Not by an entry point: Faust loads those when a thread first asks for a codec, and tells other threads that ask
# meanwhile that they are loaded (`faust.serializers.codecs._maybe_load_extension_classes`). A role whose first record
# came in that moment stopped the worker.
register("run", RunCodec())


class Run:
    """What an agent receives: ``async for run in stream``.

    The contract is one call: ``await run.finish(changes, outputs)``, once per run and all or nothing. A body that ends
    without it (it raised, or forgot) stops the worker, and the records are read again. Dead letters are outputs.

    Attributes:
        tp: topic and partition.
        records: consecutive records, oldest first, at least one; with key, value, headers, offset and timestamp.
        size_bytes: keys and values together.
        stale: the partition was revoked while the body was running; nothing of this run will be kept.
        revoking: set when the partition is about to go, for bodies that wait (`streams.retry.retrying`).
    """

    __slots__ = ("_keeper", "records", "revoking", "size_bytes", "stale", "tp")

    def __init__(
        self, tp: "TP", records: Sequence[Record], size_bytes: int, keeper: RunKeeper, revoking: "Signal"
    ) -> None:
        self.tp = tp
        self.records = records
        self.size_bytes = size_bytes
        self.stale = False
        self.revoking = revoking
        self._keeper = keeper

    def __repr__(self) -> str:
        return f"<Run {self.tp.topic}[{self.tp.partition}] {self.first}..{self.last}>"

    def __len__(self) -> int:
        return len(self.records)

    @property
    def first(self) -> int:
        """Offset of the first record."""
        return self.records[0].offset

    @property
    def last(self) -> int:
        """Offset of the last record."""
        return self.records[-1].offset

    async def finish(self, changes: Changes | None = None, outputs: Iterable[Output] = ()) -> bool:
        """Hand over everything that the run did, in one step that no commit, rebalance or other run can cut in two.

        Args:
            changes: what becomes of tables, for this partition.
            outputs: records to send. They are acknowledged by Kafka before the changes become durable, and both
                before the records of the run are committed.

        Returns:
            False when the partition was revoked meanwhile: nothing was kept; its next owner reads the records again.

        Raises:
            RunFailed: an earlier run of the partition was never finished, or this one already was.
        """
        return await self._keeper.finish_run(self, changes or {}, outputs)


class Signal(Protocol):
    """The two methods of `asyncio.Event` that a body may use."""

    def is_set(self) -> bool:
        """Whether it happened."""

    async def wait(self) -> object:
        """Return when it has happened."""
