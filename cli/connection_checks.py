"""What `alpr doctor` finds out about Kafka and the schema registry: do they let us in, and if not, why."""

from collections.abc import Iterator
from typing import Any

from confluent_kafka.admin import AdminClient

from cli.topic_admin import MAX_REPLICAS
from compose.local.checks import Finding
from schemas.endpoints import Endpoints
from schemas.errors import ConfigError, RegistryUnavailable, Unavailable
from schemas.kafka_refusal import Complaints, is_listening, reach
from schemas.kafka_security import KafkaSecurity, kafka_security
from schemas.registry import HttpRegistry
from streams.settings import StreamSettings

TIMEOUT_S = 3.0
START = "alpr stack up  (or set {} to where it is)"


def connection_findings(endpoints: Endpoints) -> Iterator[Finding]:
    """Wrong settings and refusals must be mended; a server that is merely not up is a hint."""
    yield from _kafka(endpoints.kafka_bootstrap)
    yield _registry(endpoints)


def _kafka(bootstrap: str) -> Iterator[Finding]:
    try:
        security = kafka_security()
    except ConfigError as error:
        yield Finding("Kafka settings", str(error), is_good=False)
        return
    for concern in security.concerns:
        yield Finding("Kafka security", concern, is_good=False, is_required=False)
    if not is_listening(bootstrap):
        yield _away(bootstrap)
        return
    complaints = Complaints()
    config: dict[str, Any] = {
        "bootstrap.servers": bootstrap,
        **security.librdkafka(),
        "error_cb": complaints,
        "log_level": 0,
    }
    try:
        metadata = reach(AdminClient(config), complaints, bootstrap, security, TIMEOUT_S)
    except ConfigError as error:
        yield Finding("Kafka", str(error), is_good=False)
    except Unavailable:
        yield _away(bootstrap)
    else:
        count = len(metadata.brokers)
        yield Finding("Kafka", f"{count} broker{'s' if count != 1 else ''} at {bootstrap}, {_who(security)}")
        yield from _copies(count)


def _copies(brokers: int) -> Iterator[Finding]:
    """Topics get three copies by themselves; changelogs are made by workers, which have a setting for it."""
    copies = StreamSettings().changelog_replication
    wanted = min(MAX_REPLICAS, brokers)
    if copies < wanted:
        yield Finding(
            "copies of changelogs",
            f"{copies} of them on {brokers} brokers: with that broker the workers' tables are lost",
            is_good=False,
            is_required=False,
            mend=f"export ALPR_CHANGELOG_REPLICATION={wanted}  (before the first start: Kafka keeps it as it was made)",
        )


def _away(bootstrap: str) -> Finding:
    mend = START.format("ALPR_KAFKA_BOOTSTRAP")
    return Finding("Kafka", f"nothing answers at {bootstrap}", is_good=False, is_required=False, mend=mend)


def _who(security: KafkaSecurity) -> str:
    who = f"logged in as {security.sasl_username} ({security.sasl_mechanism})" if security.uses_sasl else "no login"
    return f"{security.security_protocol}, {who}"


def _registry(endpoints: Endpoints) -> Finding:
    try:
        registry = HttpRegistry.of(endpoints, TIMEOUT_S)
        return Finding("schema registry", f"{len(registry.subjects())} subjects at {registry.url}")
    except ConfigError as error:
        return Finding("schema registry", str(error), is_good=False)
    except RegistryUnavailable as error:
        mend = START.format("ALPR_REGISTRY_URL")
        return Finding("schema registry", str(error), is_good=False, is_required=False, mend=mend)
