"""Events as OpenSearch documents."""

import json
from dataclasses import replace
from importlib import resources
from typing import Any

import pytest

from agents.sinks.documents import alert_document, alert_index, sighting_document, sighting_index
from schemas.clock import parse_time
from schemas.errors import SinkRejected
from schemas.events import Resolved
from tests.unit.agents.sinks.sightings import alert, sighting


def mapping(name: str) -> dict[str, Any]:
    """Properties of a mapping file."""
    text = (resources.files("agents.sinks") / "mappings" / f"{name}.json").read_text()
    properties: dict[str, Any] = json.loads(text)["properties"]
    return properties


def test_every_field_is_mapped() -> None:
    """Dynamic mapping is off, so a field without a mapping could never be searched."""
    assert sighting_document(sighting()).keys() <= mapping("events").keys()
    assert alert_document(alert()).keys() <= mapping("alerts").keys()


@pytest.mark.parametrize(
    ("when", "index"),
    [
        ("2026-11-30T23:59:59.999999Z", "alpr-events-2026.11"),
        ("2026-12-01T00:00:00Z", "alpr-events-2026.12"),
        ("2026-12-01T00:30:00+01:00", "alpr-events-2026.11"),
        ("0001-01-01T00:00:00+00:00", "alpr-events-0001.01"),
    ],
)
def test_month_is_that_of_the_capture_in_utc(when: str, index: str) -> None:
    """The month is event time in UTC, so that a revision lands where its first one did."""
    assert sighting_index().index_of(replace(sighting(), captured_at=parse_time(when))) == index


def test_no_month_outside_of_the_calendar() -> None:
    """A time that is none gives no index."""
    with pytest.raises(SinkRejected):
        sighting_index().index_of(replace(sighting(), captured_at=2**62))


def test_folded_plate_follows_the_identity() -> None:
    """The match key is frozen at revision 1; what is searched folded is the identity now."""
    later = replace(sighting(text="AB-1O23"), resolved=Resolved(text="XO88", confidence=0.9, previous_text="AB1O23"))
    document = sighting_document(later)
    assert (document["match_key"], document["plate_folded"]) == ("A81023", "X088")


def test_producers_fields_never_become_mapping_fields() -> None:
    """Extras are kept whole in a field that is not indexed, and searched as text and pairs."""
    extras = {"a.b": "1", "a": "2", "": "x"}
    document = sighting_document(replace(sighting(), extras=extras))
    assert document["extras"] == extras
    assert mapping("events")["extras"] == {"type": "object", "enabled": False}
    assert "a.b=1" in document["extras_pairs"]


def test_unknown_is_absent() -> None:
    """None is left out; half a location too."""
    document = sighting_document(replace(sighting(), location=None, plate=None, resolved=None, extras={}))
    assert not {"location", "plate_text", "plate_folded", "extras", "latitude"} & document.keys()


def test_alert_is_flat_where_it_is_searched() -> None:
    """Rule, proof and plate can be filtered by; the whole proof comes back."""
    document = alert_document(alert())
    assert (document["rule_id"], document["matched_plate"], document["suppressed"]) == ("stolen", "AB1O23", 3)
    assert document["event_ids"] == ["e1", "e2"]
    assert document["proof"]["likelihood"] == 0.9
    assert document["plate_folded"] == "A81023"


def test_template_names_the_alias_and_the_settings() -> None:
    """Indices of the family get the alias and what the operator has set."""
    template = alert_index().template(2, "0-all", "5s")
    assert template["index_patterns"] == ["alpr-alerts-*"]
    assert template["template"]["aliases"] == {"alpr-alerts": {}}
    assert template["template"]["settings"]["index"]["number_of_shards"] == 2
