"""The ports on the real servers."""

from fastapi import FastAPI

from query_api.app import create_app
from query_api.ports import Ports
from query_api.settings import ApiSettings
from query_api.stores.image_links import S3Images
from query_api.stores.kafka import KafkaPublisher
from query_api.stores.opensearch import OpenSearchIndex
from query_api.stores.timescale import TimescaleStore
from schemas.codec import EventCodec
from schemas.endpoints import Endpoints, endpoints
from schemas.kafka_security import kafka_security
from schemas.registry import HttpRegistry
from telemetry.log import get_logger

log = get_logger(__name__)


def real_ports(settings: ApiSettings, servers: Endpoints) -> Ports:
    """Adapters to the servers; nothing is connected yet.

    Raises:
        schemas.errors.ConfigError: an address cannot be one, or the Kafka security settings cannot work.
    """
    security = kafka_security()
    for concern in security.concerns:
        log.warning("kafka_security", concern=concern)
    codec = EventCodec(HttpRegistry.of(servers, timeout_s=settings.publish_timeout_s))
    return Ports(
        store=TimescaleStore.connect(servers.timescale_dsn.get_secret_value(), settings),
        index=OpenSearchIndex(
            servers.opensearch_url,
            settings.search_timeout_s,
            settings.retry_after_s,
            login=_login(settings),
            ca_certs=settings.search_ca_certs,
        ),
        images=S3Images(
            servers,
            valid_s=settings.image_link_s,
            public_endpoint=settings.image_endpoint,
            timeout_s=settings.health_timeout_s,
        ),
        publisher=KafkaPublisher(
            servers.kafka_bootstrap,
            security,
            codec,
            settings.publish_timeout_s,
            retry_after_s=settings.retry_after_s,
        ),
    )


def app_from_environment() -> FastAPI:
    """The API as the environment describes it, for ``uvicorn --factory query_api.wiring:app_from_environment``.

    Raises:
        schemas.errors.ConfigError: the settings are unsafe or an address is wrong.
    """
    settings = ApiSettings().checked()
    return create_app(settings, real_ports(settings, endpoints()))


def _login(settings: ApiSettings) -> tuple[str, str] | None:
    if settings.search_username is None or settings.search_password is None:
        return None
    return settings.search_username, settings.search_password.get_secret_value()
