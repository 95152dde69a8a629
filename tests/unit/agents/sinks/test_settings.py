"""Settings of the stores."""

import pytest
from pydantic import BaseModel, ValidationError

from agents.sinks.settings import ImagesSettings, OpenSearchSettings, TimescaleSettings


@pytest.mark.parametrize("settings", [TimescaleSettings, OpenSearchSettings, ImagesSettings])
def test_every_setting_is_described(settings: type[BaseModel]) -> None:
    """The docs table is generated from the descriptions."""
    assert all(field.description for field in settings.model_fields.values())


@pytest.mark.parametrize("text", ["none", "", "Never"])
def test_retention_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """None in words means for ever."""
    monkeypatch.setenv("ALPR_TIMESCALE_METRIC_RETENTION_DAYS", text)
    assert TimescaleSettings().metric_retention_days is None


@pytest.mark.parametrize(
    ("name", "value"), [("REPLICAS", "1"), ("REFRESH_INTERVAL", "soon"), ("BULK_BYTES", "0"), ("TIMEOUT_S", "-1")]
)
def test_nonsense_is_refused_at_start(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A wrong setting is an error when the worker starts, not a broken template later."""
    monkeypatch.setenv(f"ALPR_OPENSEARCH_{name}", value)
    with pytest.raises(ValidationError):
        OpenSearchSettings()
