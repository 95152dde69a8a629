"""Settings of the query API."""

import ipaddress
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from schemas.errors import ConfigError

MIB = 1024 * 1024
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")

CommaSeparated = Annotated[tuple[str, ...], NoDecode]
"""A tuple that the environment gives as ``a,b,c``."""


class ApiSettings(BaseSettings):
    """How the API listens, what it allows and how long it waits (environment prefix ``ALPR_API_``)."""

    model_config = SettingsConfigDict(
        env_prefix="ALPR_API_", frozen=True, extra="ignore", populate_by_name=True, hide_input_in_errors=True
    )

    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one")
    key: SecretStr | None = Field(
        None, min_length=8, description="API key that clients send as X-API-Key or bearer token; unset: no key is asked"
    )
    insecure: bool = Field(False, description="Listen beyond loopback without a key")
    allowed_hosts: CommaSeparated = Field(
        (),
        description="Host names that clients may use, comma-separated; empty: loopback names only, or any with a key",
    )
    cors_origins: CommaSeparated = Field(
        (), description="Origins of web pages that may call the API, comma-separated; empty: none"
    )
    max_body_bytes: int = Field(8 * MIB, ge=1024, description="Largest request body; larger ones get 413")
    max_batch: int = Field(1000, ge=1, le=10_000, description="Most detections in one POST /events")
    image_link_s: int = Field(
        3600, ge=60, le=7 * 86_400, description="How long a presigned image link is valid at least, in seconds"
    )
    image_endpoint: str | None = Field(
        None, description="S3 endpoint as browsers reach it, where that is not ALPR_S3_ENDPOINT"
    )
    statement_timeout_s: float = Field(10.0, gt=0, description="Longest run of a database query")
    database_connections: int = Field(8, ge=1, le=100, description="Most connections to the database")
    connect_timeout_s: float = Field(3.0, gt=0, description="Longest wait for a database connection")
    search_timeout_s: float = Field(5.0, gt=0, description="Longest wait for OpenSearch")
    search_username: str | None = Field(
        None, validation_alias="ALPR_OPENSEARCH_USERNAME", description="OpenSearch user, as the sink has it"
    )
    search_password: SecretStr | None = Field(
        None, validation_alias="ALPR_OPENSEARCH_PASSWORD", description="OpenSearch password, as the sink has it"
    )
    search_ca_certs: str | None = Field(
        None, validation_alias="ALPR_OPENSEARCH_CA_CERTS", description="Certificates that OpenSearch is checked with"
    )
    publish_timeout_s: float = Field(5.0, ge=1, description="Longest wait for Kafka to acknowledge")
    health_timeout_s: float = Field(2.0, gt=0, description="A dependency that takes longer counts as down")
    retry_after_s: int = Field(5, ge=1, description="Retry-After of a 503 answer")
    stats_cache_s: float = Field(2.0, ge=0, description="How long /stats and /cameras reuse an answer")

    @model_validator(mode="before")
    @classmethod
    def _split_lists(cls, values: dict[str, object]) -> dict[str, object]:
        for name in ("allowed_hosts", "cors_origins"):
            value = values.get(name)
            if isinstance(value, str):
                values[name] = tuple(part.strip() for part in value.split(",") if part.strip())
        return values

    @property
    def hosts(self) -> tuple[str, ...]:
        """Host names to accept; ``("*",)`` is any.

        Without a key the loopback names alone are served: a web page that points its own name at 127.0.0.1 (DNS
        rebinding) could otherwise read every plate through its visitor's browser.
        """
        if self.allowed_hosts:
            return self.allowed_hosts
        return ("*",) if self.key or self.insecure else LOOPBACK_HOSTS

    def checked(self) -> Self:
        """These settings, if they are safe to serve with.

        Raises:
            ConfigError: the address is reachable from elsewhere, and neither a key nor `insecure` is set.
        """
        if not is_loopback(self.host) and self.key is None and not self.insecure:
            raise ConfigError(
                f"refusing to listen on {self.host} without an API key: anyone who reaches it could read every plate. "
                "Set ALPR_API_KEY, or pass --insecure if the network in front of it does the checking."
            )
        return self


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address. A name other than localhost counts as reachable."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
