"""How every Kafka client of the platform encrypts and logs in: one set of settings, in the words of both libraries.

Worker, edge agent, API and commands read the same ``ALPR_KAFKA_*`` variables. What is missing or contradicts itself is
told when the process starts, with the variable to change; what only the brokers can tell (a wrong password, a
certificate that does not fit) is put into words by `schemas.kafka_refusal`.
"""

import ssl
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.errors import ConfigError

PREFIX = "ALPR_KAFKA_"
_FILES = ("ssl_ca_file", "ssl_certificate_file", "ssl_key_file")


class KafkaSecurity(BaseSettings):
    """Encryption and login of Kafka connections (environment prefix ``ALPR_KAFKA_``)."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore", hide_input_in_errors=True
    )

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
    ssl_key_password: SecretStr | None = Field(None, description="Password of the key file, where it has one")
    ssl_check_hostname: bool = Field(
        True, description="Whether a broker's certificate must name the host that is connected to"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        """Settings that cannot work are refused before anything connects."""
        if self.uses_sasl and not (self.sasl_username and _plain(self.sasl_password)):
            raise ValueError(
                f"{PREFIX}SECURITY_PROTOCOL={self.security_protocol} logs in: set {PREFIX}SASL_USERNAME and "
                f"{PREFIX}SASL_PASSWORD"
            )
        if (self.ssl_certificate_file is None) != (self.ssl_key_file is None):
            raise ValueError(f"{PREFIX}SSL_CERTIFICATE_FILE and {PREFIX}SSL_KEY_FILE go together: set both or none")
        if self.uses_tls:
            for name in _FILES:
                self._check_file(name)
            self.ssl_context()
        return self

    def _check_file(self, name: str) -> None:
        path: Path | None = getattr(self, name)
        if path is None:
            return
        try:
            with path.open("rb"):
                return
        except OSError as error:
            raise ValueError(
                f"{PREFIX}{name.upper()}={path} cannot be read ({error.strerror}): give the path of a PEM file that "
                "this user may read"
            ) from error

    @property
    def uses_sasl(self) -> bool:
        """Whether a user logs in."""
        return self.security_protocol.startswith("SASL_")

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.security_protocol.endswith("SSL")

    @property
    def concerns(self) -> tuple[str, ...]:
        """What works but should not stay so; processes log it at their start."""
        found = []
        if self.sasl_username and not self.uses_sasl:
            found.append(
                f"{PREFIX}SASL_USERNAME is set, but nobody logs in with "
                f"{PREFIX}SECURITY_PROTOCOL={self.security_protocol}: set it to SASL_SSL, or take the user away"
            )
        if not self.uses_tls and any(getattr(self, name) is not None for name in _FILES):
            found.append(
                f"{PREFIX}SSL_* files are set, but nothing is encrypted with "
                f"{PREFIX}SECURITY_PROTOCOL={self.security_protocol}: set it to SSL or SASL_SSL, or take them away"
            )
        if self.security_protocol == "SASL_PLAINTEXT" and self.sasl_mechanism == "PLAIN":
            found.append(
                "the Kafka password travels in clear (SASL PLAIN without TLS): set "
                f"{PREFIX}SECURITY_PROTOCOL=SASL_SSL, or at least a SCRAM mechanism"
            )
        elif self.security_protocol == "SASL_PLAINTEXT":
            found.append(f"plates travel to Kafka in clear (login without TLS): set {PREFIX}SECURITY_PROTOCOL=SASL_SSL")
        if self.uses_tls and not self.ssl_check_hostname:
            found.append(
                "any certificate of the authority passes for any broker: give brokers certificates with their host "
                f"names and take {PREFIX}SSL_CHECK_HOSTNAME=false away"
            )
        return tuple(found)

    def librdkafka(self) -> dict[str, Any]:
        """Settings for confluent-kafka clients, without ``bootstrap.servers``."""
        config: dict[str, Any] = {"security.protocol": self.security_protocol}
        if self.uses_sasl:
            config["sasl.mechanisms"] = self.sasl_mechanism
            config["sasl.username"] = self.sasl_username
            config["sasl.password"] = _plain(self.sasl_password)
        if self.uses_tls:
            given = {
                "ssl.ca.location": self.ssl_ca_file,
                "ssl.certificate.location": self.ssl_certificate_file,
                "ssl.key.location": self.ssl_key_file,
            }
            config.update({name: str(path) for name, path in given.items() if path is not None})
            if self.ssl_key_password is not None:
                config["ssl.key.password"] = _plain(self.ssl_key_password)
            config["ssl.endpoint.identification.algorithm"] = "https" if self.ssl_check_hostname else "none"
        return config

    def aiokafka(self) -> dict[str, Any]:
        """Settings for aiokafka clients, without ``bootstrap_servers``."""
        settings: dict[str, Any] = {"security_protocol": self.security_protocol}
        if self.uses_sasl:
            settings["sasl_mechanism"] = self.sasl_mechanism
            settings["sasl_plain_username"] = self.sasl_username
            settings["sasl_plain_password"] = _plain(self.sasl_password)
        if self.uses_tls:
            settings["ssl_context"] = self.ssl_context()
        return settings

    def ssl_context(self) -> ssl.SSLContext | None:
        """The TLS context of clients on Python's own TLS; None without TLS.

        Raises:
            ValueError: a file holds no certificate or key, or they do not fit each other.
        """
        if not self.uses_tls:
            return None
        try:
            context = ssl.create_default_context(cafile=str(self.ssl_ca_file) if self.ssl_ca_file else None)
        except (ssl.SSLError, OSError) as error:
            raise ValueError(
                f"{PREFIX}SSL_CA_FILE={self.ssl_ca_file} holds no PEM certificates ({_reason(error)}): it should be "
                "the certificate of the authority that signs the brokers"
            ) from error
        context.check_hostname = self.ssl_check_hostname
        if self.ssl_certificate_file is not None:
            # a callable: OpenSSL would otherwise ask for a missing password on the terminal
            password = _plain(self.ssl_key_password)
            try:
                context.load_cert_chain(self.ssl_certificate_file, self.ssl_key_file, password=lambda: password)
            except (ssl.SSLError, OSError, ValueError) as error:
                raise ValueError(
                    f"{PREFIX}SSL_CERTIFICATE_FILE={self.ssl_certificate_file} and "
                    f"{PREFIX}SSL_KEY_FILE={self.ssl_key_file} are no certificate with its key ({_reason(error)}): "
                    f"both must be PEM and belong together; {PREFIX}SSL_KEY_PASSWORD opens an encrypted key"
                ) from error
        return context


@cache
def kafka_security() -> KafkaSecurity:
    """The process's Kafka security, read from the environment once (``kafka_security.cache_clear()`` in tests).

    Raises:
        ConfigError: the settings cannot work; the message names the variables.
    """
    try:
        return KafkaSecurity()
    except ValidationError as error:
        raise ConfigError("; ".join(_words(item) for item in error.errors(include_input=False))) from None


def _words(item: Any) -> str:
    """A validation error as a sentence; ours name their variables themselves."""
    text = str(item["msg"]).removeprefix("Value error, ")
    return text if not item["loc"] else f"{PREFIX}{'_'.join(map(str, item['loc'])).upper()}: {text}"


def _plain(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
    return str(reason).lower().replace("_", " ")
