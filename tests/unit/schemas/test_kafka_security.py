"""Kafka's security settings: complete or refused with the variable to change, and the same for every client."""

from pathlib import Path

import certifi
import pytest

from schemas.errors import ConfigError
from schemas.kafka_security import KafkaSecurity, kafka_security


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment, with settings that are read anew."""
    kafka_security.cache_clear()
    return monkeypatch


def given(settings: pytest.MonkeyPatch, **values: str) -> KafkaSecurity:
    """What a process with these variables has."""
    for name, value in values.items():
        settings.setenv(f"ALPR_KAFKA_{name}", value)
    try:
        return kafka_security()
    finally:
        kafka_security.cache_clear()


def test_plain_connections_need_no_login(settings: pytest.MonkeyPatch) -> None:
    """The local stack has no passwords."""
    security = given(settings)
    assert security.librdkafka() == {"security.protocol": "PLAINTEXT"}
    assert security.aiokafka() == {"security_protocol": "PLAINTEXT"}
    assert security.ssl_context() is None
    assert security.concerns == ()


def test_one_login_for_both_clients(settings: pytest.MonkeyPatch) -> None:
    """SASL over TLS reaches librdkafka and aiokafka from the same variables, and is not shown."""
    security = given(
        settings,
        SECURITY_PROTOCOL="SASL_SSL",
        SASL_MECHANISM="SCRAM-SHA-512",
        SASL_USERNAME="alpr",
        SASL_PASSWORD="secret",
        SSL_CA_FILE=certifi.where(),
    )
    assert security.librdkafka() == {
        "security.protocol": "SASL_SSL",
        "sasl.mechanisms": "SCRAM-SHA-512",
        "sasl.username": "alpr",
        "sasl.password": "secret",
        "ssl.ca.location": certifi.where(),
        "ssl.endpoint.identification.algorithm": "https",
    }
    aiokafka = security.aiokafka()
    assert aiokafka["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (aiokafka["sasl_plain_username"], aiokafka["sasl_plain_password"]) == ("alpr", "secret")
    assert aiokafka["ssl_context"].check_hostname
    assert "secret" not in repr(security) + str(security) + security.model_dump_json()
    assert security.concerns == ()


def test_the_host_name_check_is_off_in_both_clients(settings: pytest.MonkeyPatch) -> None:
    """One variable turns it off everywhere, and it is a concern."""
    security = given(settings, SECURITY_PROTOCOL="SSL", SSL_CHECK_HOSTNAME="false")
    context = security.ssl_context()
    assert context is not None
    assert not context.check_hostname
    assert security.librdkafka()["ssl.endpoint.identification.algorithm"] == "none"
    assert "SSL_CHECK_HOSTNAME" in security.concerns[0]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"SECURITY_PROTOCOL": "SASL_SSL"}, "set ALPR_KAFKA_SASL_USERNAME and ALPR_KAFKA_SASL_PASSWORD"),
        ({"SECURITY_PROTOCOL": "SASL_SSL", "SASL_USERNAME": "alpr"}, "ALPR_KAFKA_SASL_PASSWORD"),
        ({"SECURITY_PROTOCOL": "SASL_SSL", "SASL_USERNAME": "alpr", "SASL_PASSWORD": ""}, "ALPR_KAFKA_SASL_PASSWORD"),
        ({"SECURITY_PROTOCOL": "KERBEROS"}, "ALPR_KAFKA_SECURITY_PROTOCOL: Input should be 'PLAINTEXT'"),
        ({"SECURITY_PROTOCOL": "SSL", "SASL_MECHANISM": "GSSAPI"}, "ALPR_KAFKA_SASL_MECHANISM: Input should be"),
        ({"SECURITY_PROTOCOL": "SSL", "SSL_CA_FILE": "/none/ca.pem"}, "ALPR_KAFKA_SSL_CA_FILE=/none/ca.pem cannot be"),
        ({"SECURITY_PROTOCOL": "SSL", "SSL_CA_FILE": __file__}, "holds no PEM certificates"),
        ({"SECURITY_PROTOCOL": "SSL", "SSL_CERTIFICATE_FILE": "cert.pem"}, "SSL_KEY_FILE go together"),
        ({"SECURITY_PROTOCOL": "SSL", "SSL_CERTIFICATE_FILE": __file__, "SSL_KEY_FILE": __file__}, "belong together"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: pytest.MonkeyPatch, values: dict[str, str], says: str) -> None:
    """What is missing is told at start with the variable to change, not by a refused connection."""
    with pytest.raises(ConfigError) as refused:
        given(settings, **values)
    assert says in str(refused.value)


def test_a_refusal_never_holds_the_password(settings: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Error messages end in logs and tickets."""
    with pytest.raises(ConfigError) as refused:
        given(
            settings,
            SECURITY_PROTOCOL="SASL_SSL",
            SASL_USERNAME="alpr",
            SASL_PASSWORD="top-secret",
            SSL_CA_FILE=str(tmp_path / "none.pem"),
        )
    assert "top-secret" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"security_protocol": "SASL_PLAINTEXT", "sasl_username": "a", "sasl_password": "b"}, "password travels in"),
        (
            {
                "security_protocol": "SASL_PLAINTEXT",
                "sasl_mechanism": "SCRAM-SHA-512",
                "sasl_username": "a",
                "sasl_password": "b",
            },
            "plates travel",
        ),
        ({"sasl_username": "a", "sasl_password": "b"}, "nobody logs in"),
        ({"ssl_ca_file": "ca.pem"}, "nothing is encrypted"),
    ],
)
def test_what_works_but_should_not_stay_is_a_concern(values: dict[str, str], says: str) -> None:
    """A password in clear, and a login that is not used, are said aloud."""
    (concern,) = KafkaSecurity(**values).concerns  # type: ignore[arg-type]  # pydantic reads the texts
    assert says in concern


def test_every_setting_is_described() -> None:
    """The docs table is made from the descriptions."""
    assert [name for name, field in KafkaSecurity.model_fields.items() if not field.description] == []
