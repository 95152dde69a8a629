"""Settings of the worker, options in the broker URL, and Kafka's login in the forms of both clients."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from yarl import URL

from schemas.errors import ConfigError
from streams.options import RunOptions
from streams.role import ROLES
from streams.role_app import broker_urls
from streams.security import KafkaSecurity
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
    security = KafkaSecurity()
    assert security.faust() is None
    assert security.librdkafka() == {"security.protocol": "PLAINTEXT"}
    assert security.aiokafka() == {"security_protocol": "PLAINTEXT"}


def test_one_login_for_both_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """SASL over TLS reaches librdkafka, aiokafka and Faust from the same variables."""
    monkeypatch.setenv("ALPR_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("ALPR_KAFKA_SASL_MECHANISM", "SCRAM-SHA-512")
    monkeypatch.setenv("ALPR_KAFKA_SASL_USERNAME", "alpr")
    monkeypatch.setenv("ALPR_KAFKA_SASL_PASSWORD", "secret")
    security = KafkaSecurity()
    assert security.librdkafka() == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanisms": "SCRAM-SHA-512",
        "sasl.username": "alpr",
        "sasl.password": "secret",
    }
    aiokafka = security.aiokafka()
    assert aiokafka["sasl_plain_password"] == "secret"
    assert aiokafka["ssl_context"] is not None
    faust = security.faust()
    assert faust is not None
    assert faust.protocol.value == "SASL_SSL"
    assert "secret" not in repr(security)


@pytest.mark.parametrize(
    "values",
    [
        {"security_protocol": "SASL_SSL"},
        {"security_protocol": "SASL_PLAINTEXT", "sasl_username": "alpr"},
        {"security_protocol": "KERBEROS"},
        {"security_protocol": "SSL", "ssl_certificate_file": "cert.pem"},
    ],
)
def test_half_a_login_is_refused(values: dict[str, str]) -> None:
    """What is missing is told at start, not by a refused connection."""
    with pytest.raises(ValidationError):
        KafkaSecurity(**values)  # type: ignore[arg-type]  # wrong values are the point
