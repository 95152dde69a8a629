"""Settings of the stores: how often, how much, how long. Where they are stands in `schemas.endpoints`."""

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 1024 * 1024


class TimescaleSettings(BaseSettings):
    """TimescaleDB or plain PostgreSQL (environment prefix ``ALPR_TIMESCALE_``)."""

    model_config = SettingsConfigDict(env_prefix="ALPR_TIMESCALE_", frozen=True, extra="ignore")

    connect_timeout_s: int = Field(5, ge=2, description="Seconds to wait for a connection")
    statement_timeout_s: float = Field(
        30.0, gt=0, description="Seconds after which the server, or else the client, ends a statement"
    )
    batch_rows: int = Field(1000, gt=0, description="Most rows in one statement")
    plate_retention_days: int | None = Field(
        None,
        ge=1,
        description="Days that sightings and vehicles are kept (TimescaleDB only; none: for ever). Check your law",
    )
    metric_retention_days: int | None = Field(
        30, ge=1, description="Days that camera metrics are kept (TimescaleDB only; none: for ever)"
    )
    compress_after_days: int | None = Field(
        14, ge=1, description="Days after which chunks become columnar (TimescaleDB only; none: never)"
    )

    @field_validator("plate_retention_days", "metric_retention_days", "compress_after_days", mode="before")
    @classmethod
    def _none(cls, value: object) -> object:
        return None if isinstance(value, str) and value.strip().lower() in ("", "none", "never") else value


class OpenSearchSettings(BaseSettings):
    """OpenSearch (environment prefix ``ALPR_OPENSEARCH_``)."""

    model_config = SettingsConfigDict(env_prefix="ALPR_OPENSEARCH_", frozen=True, extra="ignore")

    username: str | None = Field(None, description="User, where the cluster wants one")
    password: SecretStr | None = Field(None, description="Password of the user")
    ca_certs: str | None = Field(None, description="File of the authorities that an https cluster is checked against")
    timeout_s: float = Field(30.0, gt=0, description="Seconds to wait for an answer")
    bulk_documents: int = Field(1000, gt=0, description="Most documents in one bulk request")
    bulk_bytes: int = Field(5 * MIB, gt=0, description="Most bytes in one bulk request, unless one document is larger")
    shards: int = Field(1, gt=0, description="Primary shards of a monthly index")
    replicas: str = Field(
        "0-1", pattern=r"^\d+-(\d+|all)$", description="Copies of a shard, from-to: as many as there are nodes for"
    )
    refresh_interval: str = Field(
        "1s", pattern=r"^-1$|^\d+(ms|s|m)$", description="How soon a document can be found; longer costs less CPU"
    )


class ImagesSettings(BaseSettings):
    """The archive in the object store (environment prefix ``ALPR_IMAGES_``)."""

    model_config = SettingsConfigDict(env_prefix="ALPR_IMAGES_", frozen=True, extra="ignore")

    timeout_s: float = Field(10.0, gt=0, description="Seconds to wait for an answer of the object store")
    threads: int = Field(8, ge=1, le=64, description="Requests to the object store at the same time")
    first_look_s: float = Field(
        2.0, gt=0, description="Seconds of event time after which an image on its way is looked for again; then doubled"
    )
    max_pause_s: float = Field(60.0, gt=0, description="Longest pause between two looks, in seconds of event time")
    give_up_s: float = Field(
        900.0, gt=0, description="Seconds of event time after the capture when a missing image is given up"
    )
    looks_per_run: int = Field(200, gt=0, description="Most images on their way that one run looks for")
