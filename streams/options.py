"""What can be turned on the transport, as it stands in the broker URL: ``runs+kafka://host:9092?run_records=2000``."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from schemas.errors import ConfigError

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Sizes and times of the run transport.

    Memory that a role takes for records: `in_flight_bytes` (or one run, if that is larger) for each topic, plus twice
    the fetch size for each of its partitions (the fetch in hand and the one that aiokafka prefetches), before
    decompression; a record larger than the fetch size is fetched alone (KIP-74). Changes add `max_staged_keys`.

    Attributes:
        producer: ``confluent`` (librdkafka) or ``aiokafka``.
        run_records: most records of a run.
        run_bytes: most bytes of keys and values of a run, unless one record is larger.
        runs_in_flight: delivered and unfinished runs per topic.
        in_flight_bytes: the same in bytes.
        coalesce_ms: longest time that the broker may hold back small fetches which follow each other closely.
        max_staged_keys: changed table keys that may wait for a checkpoint.
        max_unacknowledged: outputs that may wait for Kafka.
        settle_s: how long a rebalance waits for running bodies.
        stop_settle_s: how long a shutdown does.
        compression: codec of output batches: none, lz4, zstd, snappy or gzip.
    """

    producer: str = "confluent"
    run_records: int = 2000
    run_bytes: int = 4 * MIB
    runs_in_flight: int = 16
    in_flight_bytes: int = 32 * MIB
    coalesce_ms: float = 30.0
    max_staged_keys: int = 200_000
    max_unacknowledged: int = 50_000
    settle_s: float = 30.0
    stop_settle_s: float = 10.0
    compression: str = "none"

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "RunOptions":
        """Read the query part of a broker URL.

        Raises:
            ConfigError: a name is unknown or a value is no number.
        """
        kinds: dict[str, type[str] | type[int] | type[float]] = {
            name: type(value) for name, value in asdict(cls()).items()
        }
        unknown = query.keys() - kinds.keys()
        if unknown:
            raise ConfigError(
                f"unknown options in the broker URL: {', '.join(sorted(unknown))}; known: {', '.join(kinds)}"
            )
        values: dict[str, object] = {}
        for name, text in query.items():
            try:
                values[name] = kinds[name](text)
            except ValueError as error:
                raise ConfigError(f"broker URL: {name}={text} is no {kinds[name].__name__}") from error
        options = cls(**values)  # type: ignore[arg-type]  # converted by the types of the defaults
        if options.producer not in ("confluent", "aiokafka"):
            raise ConfigError(f"broker URL: producer={options.producer}; it can be confluent or aiokafka")
        return options

    def query(self) -> dict[str, str]:
        """The options that differ from the defaults, for a broker URL."""
        defaults = asdict(RunOptions())
        return {name: str(value) for name, value in asdict(self).items() if value != defaults[name]}
