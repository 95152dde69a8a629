"""How to log in to Kafka: one set of settings, in the forms that aiokafka (Faust) and librdkafka want."""

import ssl
from pathlib import Path
from typing import Any, Literal, Self

from faust.auth import SASLCredentials, SSLCredentials
from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class KafkaSecurity(BaseSettings):
    """Encryption and login of Kafka connections (environment prefix ``ALPR_KAFKA_``)."""

    model_config = SettingsConfigDict(env_prefix="ALPR_KAFKA_", frozen=True, extra="ignore")

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How to speak to Kafka: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "PLAIN", description="SASL mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
    )
    sasl_username: str | None = Field(None, description="SASL user")
    sasl_password: SecretStr | None = Field(None, description="SASL password")
    ssl_ca_file: Path | None = Field(
        None, description="PEM file of the authorities that sign brokers; default: the system's"
    )
    ssl_certificate_file: Path | None = Field(None, description="PEM file of the client certificate, for mutual TLS")
    ssl_key_file: Path | None = Field(None, description="PEM file of the client certificate's key")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.uses_sasl and not (self.sasl_username and self.sasl_password):
            raise ValueError(f"{self.security_protocol} needs ALPR_KAFKA_SASL_USERNAME and ALPR_KAFKA_SASL_PASSWORD")
        if (self.ssl_certificate_file is None) != (self.ssl_key_file is None):
            raise ValueError("ALPR_KAFKA_SSL_CERTIFICATE_FILE and ALPR_KAFKA_SSL_KEY_FILE go together")
        return self

    @property
    def uses_sasl(self) -> bool:
        """Whether a user logs in."""
        return self.security_protocol.startswith("SASL_")

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.security_protocol.endswith("SSL")

    def librdkafka(self) -> dict[str, Any]:
        """Settings for confluent-kafka clients, without ``bootstrap.servers``."""
        config: dict[str, Any] = {"security.protocol": self.security_protocol}
        if self.uses_sasl:
            assert self.sasl_password is not None
            config["sasl.mechanisms"] = self.sasl_mechanism
            config["sasl.username"] = self.sasl_username
            config["sasl.password"] = self.sasl_password.get_secret_value()
        if self.uses_tls:
            files = {
                "ssl.ca.location": self.ssl_ca_file,
                "ssl.certificate.location": self.ssl_certificate_file,
                "ssl.key.location": self.ssl_key_file,
            }
            config.update({name: str(path) for name, path in files.items() if path is not None})
        return config

    def ssl_context(self) -> ssl.SSLContext | None:
        """The TLS context of aiokafka clients; None without TLS.

        Raises:
            OSError: a file is missing or is no PEM.
        """
        if not self.uses_tls:
            return None
        context = ssl.create_default_context(cafile=str(self.ssl_ca_file) if self.ssl_ca_file else None)
        if self.ssl_certificate_file is not None:
            context.load_cert_chain(self.ssl_certificate_file, self.ssl_key_file)
        return context

    def aiokafka(self) -> dict[str, Any]:
        """Settings for aiokafka clients, without ``bootstrap_servers``."""
        settings: dict[str, Any] = {"security_protocol": self.security_protocol}
        if self.uses_sasl:
            assert self.sasl_password is not None
            settings["sasl_mechanism"] = self.sasl_mechanism
            settings["sasl_plain_username"] = self.sasl_username
            settings["sasl_plain_password"] = self.sasl_password.get_secret_value()
        if self.uses_tls:
            settings["ssl_context"] = self.ssl_context()
        return settings

    def faust(self) -> SASLCredentials | SSLCredentials | None:
        """Credentials for a Faust app; None for a plain connection."""
        if self.uses_sasl:
            assert self.sasl_password is not None
            return SASLCredentials(
                username=self.sasl_username,
                password=self.sasl_password.get_secret_value(),
                ssl_context=self.ssl_context(),
                mechanism=self.sasl_mechanism,
            )
        return SSLCredentials(context=self.ssl_context()) if self.uses_tls else None
