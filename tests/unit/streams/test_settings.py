"""Settings of the worker, options in the broker URL, and Kafka's login in Faust's words."""

from pathlib import Path

import pytest
from faust.auth import SASLCredentials, SSLCredentials
from pydantic import ValidationError
from yarl import URL

from schemas.errors import ConfigError
from schemas.kafka_security import KafkaSecurity
from streams.options import RunOptions
from streams.role import ROLES
from streams.role_app import broker_urls
from streams.security import faust_credentials
from streams.settings import StreamSettings


def test_all_roles_by_default() -> None:
    """One command runs everything."""
    assert StreamSettings().roles == tuple(ROLES)


def test_roles_are_a_comma_list(monkeypatch: pytest.MonkeyPatch) -> None:
    """ALPR_ROLES selects, in order, each once."""
    monkeypatch.setenv("ALPR_ROLES", " opensearch, core,opensearch ")
    assert StreamSettings().roles == ("opensearch", "core")


@pytest.mark.parametrize("roles", ["nope", "core,nope", "", " , "])
def test_unknown_roles_are_refused(monkeypatch: pytest.MonkeyPatch, roles: str) -> None:
    """A wrong name stops the worker with the names that exist."""
    monkeypatch.setenv("ALPR_ROLES", roles)
    with pytest.raises(ValidationError, match="core"):
        StreamSettings()


def test_datadir_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """State goes where the user keeps state."""
    monkeypatch.delenv("ALPR_DATADIR", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert StreamSettings().datadir == tmp_path / "alpr" / "worker"
    monkeypatch.delenv("XDG_STATE_HOME")
    assert StreamSettings().datadir == Path("~/.local/state/alpr/worker").expanduser()


@pytest.mark.parametrize(
    "values",
    [
        {"rebalance_settle_s": 60.0, "rebalance_timeout_s": 60.0},
        {"stop_settle_s": 30.0, "stop_timeout_s": 25.0},
        {"session_timeout_s": 3.0},
        {"web_port": 0},
        {"run_records": 0},
    ],
)
def test_settings_that_cannot_work_are_refused(values: dict[str, float]) -> None:
    """Times that contradict each other and sizes of nothing are told at start."""
    with pytest.raises(ValidationError):
        StreamSettings(**values)  # type: ignore[arg-type]  # wrong values are the point


def test_every_setting_is_described() -> None:
    """The docs table is made from the descriptions."""
    for cls in (StreamSettings, KafkaSecurity):
        assert [name for name, field in cls.model_fields.items() if not field.description] == []


def test_options_travel_in_the_broker_url() -> None:
    """What the settings say reaches the transport."""
    settings = StreamSettings(run_records=500, coalesce_ms=0, producer="aiokafka", run_bytes=1000)
    urls = broker_urls("one:9092, two:9093", settings)
    assert [(url.host, url.port) for url in urls] == [("one", 9092), ("two", 9093)]
    assert RunOptions.from_query(urls[0].query) == settings.run_options()


@pytest.mark.parametrize("query", ["run_recrods=5", "run_records=many", "producer=java"])
def test_wrong_options_are_refused(query: str) -> None:
    """A misspelt option is not silently a default."""
    with pytest.raises(ConfigError):
        RunOptions.from_query(URL(f"runs+kafka://h?{query}").query)


def test_plain_connections_need_no_login() -> None:
    """The local stack has no passwords."""
    assert faust_credentials(KafkaSecurity()) is None


def test_faust_logs_in_as_every_client_does() -> None:
    """SASL over TLS reaches Faust with user, mechanism and a TLS context."""
    security = KafkaSecurity(
        security_protocol="SASL_SSL", sasl_mechanism="SCRAM-SHA-512", sasl_username="alpr", sasl_password="secret"
    )
    credentials = faust_credentials(security)
    assert isinstance(credentials, SASLCredentials)
    assert credentials.protocol.value == "SASL_SSL"
    assert credentials.mechanism.value == "SCRAM-SHA-512"
    assert (credentials.username, credentials.password) == ("alpr", "secret")
    assert credentials.ssl_context is not None


def test_faust_encrypts_without_a_login() -> None:
    """TLS alone needs no user."""
    credentials = faust_credentials(KafkaSecurity(security_protocol="SSL"))
    assert isinstance(credentials, SSLCredentials)
    assert credentials.context.check_hostname
