"""Settings of the stream worker."""

import os
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from streams.options import MIB, RunOptions
from streams.role import ROLES


def _default_datadir() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state).expanduser() / "alpr" / "worker"


class StreamSettings(BaseSettings):
    """How a worker runs (environment prefix ``ALPR_``)."""

    model_config = SettingsConfigDict(env_prefix="ALPR_", frozen=True, extra="ignore")

    roles: Annotated[tuple[str, ...], NoDecode] = Field(
        tuple(ROLES), description="Roles that this worker runs, comma-separated; the first one is Faust's main app"
    )
    datadir: Path = Field(
        default_factory=_default_datadir,
        description="Folder of the RocksDB tables, one subfolder a role; no two workers may share it "
        "(default: $XDG_STATE_HOME/alpr/worker, or ~/.local/state/alpr/worker)",
    )
    web_bind: str = Field("127.0.0.1", description="Address of the worker's /metrics, /health and /ready; 0.0.0.0: all")
    web_port: int = Field(6066, ge=1, le=65535, description="Port of the worker's /metrics, /health and /ready")
    ready_max_lag_records: int = Field(
        100_000, ge=0, description="A role with more uncommitted records than this is not ready"
    )
    lag_interval_s: float = Field(2.0, gt=0, description="Seconds between two looks at the ends of the topics")
    broker_wait_s: float = Field(
        30.0, ge=0, description="Seconds to wait at start for Kafka and the topics before the worker gives up"
    )
    stop_timeout_s: float = Field(
        25.0, gt=0, description="Seconds after SIGTERM until the process ends, whatever still runs"
    )

    session_timeout_s: float = Field(
        30.0, ge=6, le=90, description="Seconds of silence after which Kafka gives a worker's partitions to others"
    )
    rebalance_timeout_s: float = Field(60.0, gt=0, description="Seconds that Kafka gives a worker to join a rebalance")
    rebalance_settle_s: float = Field(
        20.0, gt=0, description="Seconds that a rebalance waits for runs in hand; less than the rebalance timeout"
    )
    stop_settle_s: float = Field(8.0, gt=0, description="Seconds that a shutdown waits for runs in hand")
    recovery_delay_s: float = Field(
        0.5, ge=0, description="Seconds between a rebalance and the recovery of tables, for more workers to join"
    )
    commit_interval_s: float = Field(
        1.0, gt=0, description="Seconds between checkpoints; also the span of records sent again after a crash"
    )
    linger_ms: int = Field(5, ge=0, description="Milliseconds that an output batch waits for company")
    compression: str = Field("none", description="Codec of output batches: none, lz4, zstd, snappy or gzip")
    max_message_bytes: int = Field(
        12 * MIB, gt=0, description="Largest record that is sent (the dead letter topic's limit)"
    )
    producer: str = Field("confluent", description="Producer client: confluent (librdkafka) or aiokafka (slower)")
    run_records: int = Field(2000, gt=0, description="Most records in one run")
    run_bytes: int = Field(4 * MIB, gt=0, description="Most bytes in one run, unless a single record is larger")
    runs_in_flight: int = Field(16, gt=0, description="Runs per topic that agents may have waiting")
    in_flight_bytes: int = Field(32 * MIB, gt=0, description="Bytes per topic that agents may have waiting")
    fetch_partition_bytes: int = Field(
        MIB, gt=0, description="Most bytes per partition and fetch, unless a single record is larger"
    )
    coalesce_ms: float = Field(
        30.0, ge=0, description="Milliseconds that small fetches may pile up: more saves CPU, less saves latency"
    )
    max_staged_keys: int = Field(200_000, gt=0, description="Changed table keys that may wait for a checkpoint")
    max_unacknowledged: int = Field(50_000, gt=0, description="Outputs that may wait for Kafka's acknowledgement")
    table_replicas: int = Field(0, ge=0, description="Workers that keep a warm copy of another worker's tables")
    changelog_replication: int = Field(1, ge=1, description="Kafka replicas of changelog topics")
    table_write_buffer_bytes: int = Field(2 * MIB, gt=0, description="RocksDB memtable per table partition")
    table_cache_bytes: int = Field(64 * MIB, gt=0, description="RocksDB block cache of the worker, for all tables")

    @field_validator("roles", mode="before")
    @classmethod
    def _split_roles(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @field_validator("roles")
    @classmethod
    def _known_roles(cls, roles: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in roles if name not in ROLES]
        if unknown:
            raise ValueError(f"unknown roles: {', '.join(unknown)}; known: {', '.join(ROLES)}")
        if not roles:
            raise ValueError(f"at least one role is needed: {', '.join(ROLES)}")
        return tuple(dict.fromkeys(roles))

    @model_validator(mode="after")
    def _settle_in_time(self) -> "StreamSettings":
        if self.rebalance_settle_s >= self.rebalance_timeout_s:
            raise ValueError("ALPR_REBALANCE_SETTLE_S must be less than ALPR_REBALANCE_TIMEOUT_S")
        if self.stop_settle_s >= self.stop_timeout_s:
            raise ValueError("ALPR_STOP_SETTLE_S must be less than ALPR_STOP_TIMEOUT_S")
        return self

    def run_options(self) -> RunOptions:
        """The part that the transport reads from the broker URL."""
        return RunOptions(
            producer=self.producer,
            run_records=self.run_records,
            run_bytes=self.run_bytes,
            runs_in_flight=self.runs_in_flight,
            in_flight_bytes=self.in_flight_bytes,
            coalesce_ms=self.coalesce_ms,
            max_staged_keys=self.max_staged_keys,
            max_unacknowledged=self.max_unacknowledged,
            settle_s=self.rebalance_settle_s,
            stop_settle_s=self.stop_settle_s,
            compression=self.compression,
        )


@cache
def stream_settings() -> StreamSettings:
    """The process's settings, read from the environment once (``stream_settings.cache_clear()`` in tests)."""
    return StreamSettings()
