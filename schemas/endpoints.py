"""Where the platform's servers are: one settings class, used by every process."""

from functools import cache
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.errors import ConfigError


class Endpoints(BaseSettings):
    """Addresses and credentials of the servers (environment prefix ``ALPR_``).

    The defaults are what ``alpr stack up`` and ``compose/compose.yaml`` start on the usual ports.
    """

    model_config = SettingsConfigDict(env_prefix="ALPR_", frozen=True, extra="ignore", hide_input_in_errors=True)

    kafka_bootstrap: str = Field("localhost:9092", description="Kafka bootstrap servers, host:port[,host:port]")
    registry_url: str = Field(
        "http://localhost:8081/apis/ccompat/v7",
        description="Confluent-compatible schema registry, base URL of its API",
    )
    registry_username: str | None = Field(None, description="Schema registry user, if it wants one (HTTP basic)")
    registry_password: SecretStr | None = Field(None, description="Schema registry password")
    registry_ca_file: Path | None = Field(
        None,
        description="PEM file of the authorities that an https registry is checked against",
    )
    timescale_dsn: SecretStr = Field(
        SecretStr("postgresql://alpr:alpr@localhost:5432/alpr"), description="TimescaleDB connection string"
    )
    opensearch_url: str = Field("http://localhost:9200", description="OpenSearch base URL")
    s3_endpoint: str = Field("http://localhost:9000", description="S3 or MinIO endpoint; https:// turns TLS on")
    s3_access_key: str = Field("alpr", description="S3 access key")
    s3_secret_key: SecretStr = Field(SecretStr("alpr-secret"), description="S3 secret key")
    s3_region: str = Field("us-east-1", description="S3 region")
    s3_bucket: str = Field("alpr-plate-images", description="Bucket of plate, vehicle and frame images")
    smtp_host: str = Field("localhost", description="Mail server that accepts alert mails")
    smtp_port: int = Field(1025, ge=1, le=65535, description="Port of the mail server")
    smtp_username: str | None = Field(None, description="Mail server user, if it wants one")
    smtp_password: SecretStr | None = Field(None, description="Mail server password")
    smtp_starttls: bool = Field(False, description="Upgrade the mail connection with STARTTLS")
    smtp_sender: str = Field("alpr@localhost", description="From address of alert mails")
    mqtt_host: str = Field("localhost", description="MQTT broker of notifications and gate controllers")
    mqtt_port: int = Field(1883, ge=1, le=65535, description="Port of the MQTT broker; usually 8883 with TLS")
    mqtt_username: str | None = Field(None, description="MQTT user, if the broker wants one; ${NAME} is looked up")
    mqtt_password: SecretStr | None = Field(None, description="MQTT password")
    mqtt_tls: bool = Field(False, description="Connect to the MQTT broker with TLS")
    mqtt_ca_file: Path | None = Field(
        None, description="PEM file of the authorities that the MQTT broker is checked against; unset: the system's"
    )
    mail_api_url: str = Field("http://localhost:8025", description="Web page and API of the local mail sink")
    api_url: str = Field("http://localhost:8000", description="Base URL of the query API, for links in notifications")


@cache
def endpoints() -> Endpoints:
    """The process's endpoints, read from the environment once (``endpoints.cache_clear()`` in tests).

    Raises:
        ConfigError: a variable holds what it cannot; the message names it.
    """
    try:
        return Endpoints()
    except ValidationError as error:
        wrong = "; ".join(f"ALPR_{'_'.join(map(str, item['loc'])).upper()}: {item['msg']}" for item in error.errors())
        raise ConfigError(wrong) from None
