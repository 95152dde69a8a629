"""Kafka's login in Faust's words. The settings are those of every other client, `schemas.kafka_security`."""

from faust.auth import SASLCredentials, SSLCredentials

from schemas.kafka_security import KafkaSecurity


def faust_credentials(security: KafkaSecurity) -> SASLCredentials | SSLCredentials | None:
    """Credentials for a Faust app; None for a plain connection."""
    if security.uses_sasl:
        assert security.sasl_password is not None
        return SASLCredentials(
            username=security.sasl_username,
            password=security.sasl_password.get_secret_value(),
            ssl_context=security.ssl_context(),
            mechanism=security.sasl_mechanism,
        )
    return SSLCredentials(context=security.ssl_context()) if security.uses_tls else None
