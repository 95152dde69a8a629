"""The catalogue of services, in the order in which people read them."""

from compose.local.errors import UnknownService
from compose.local.service import Service
from compose.local.services.kafka import Kafka
from compose.local.services.mail import Mail
from compose.local.services.mqtt import Mqtt
from compose.local.services.opensearch import OpenSearch
from compose.local.services.postgres import Postgres
from compose.local.services.prometheus import Prometheus
from compose.local.services.s3 import S3
from compose.local.services.schema_registry import SchemaRegistry
from compose.local.services.timescaledb import TimescaleDB

CATALOGUE: dict[str, Service] = {
    service.name: service
    for service in (
        Kafka(),
        SchemaRegistry(),
        TimescaleDB(),
        OpenSearch(),
        S3(),
        Mail(),
        Postgres(),
        Mqtt(),
        Prometheus(),
    )
}


def chosen(only: tuple[str, ...] = (), extra: tuple[str, ...] = ()) -> tuple[Service, ...]:
    """The services of a stack.

    Args:
        only: exactly these; empty means the default set.
        extra: these on top.

    Raises:
        UnknownService: a name that the catalogue lacks.
    """
    unknown = sorted({*only, *extra} - CATALOGUE.keys())
    if unknown:
        raise UnknownService(f"no service {', '.join(unknown)}; there are: {', '.join(CATALOGUE)}")
    wanted = {*only, *extra} if only else {n for n, s in CATALOGUE.items() if s.by_default} | set(extra)
    return tuple(service for name, service in CATALOGUE.items() if name in wanted)
