"""How events become OpenSearch documents, and which monthly index each belongs to."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Generic, TypeVar

from agents.sinks.storable import moment
from schemas.aliases import flatten
from schemas.clock import to_iso
from schemas.events import Alert, Sighting
from schemas.identity import fold, normalise
from schemas.records import to_json_record

Event = TypeVar("Event")
Document = dict[str, Any]
_TIMES = ("captured_at", "first_seen_at", "last_seen_at", "watermark")


@dataclass(frozen=True, slots=True)
class IndexSpec(Generic[Event]):
    """A family of monthly indices.

    Attributes:
        alias: name under which all of them are searched; the indices are ``<alias>-YYYY.MM``.
        mapping: name of the file in ``mappings/``.
        id_of: document id.
        version_of: external version: only a higher one replaces a document.
        time_of: decides the month, in microseconds. Never changes for an id, or the document would be in two indices.
        document: the body.
    """

    alias: str
    mapping: str
    id_of: Callable[[Event], str]
    version_of: Callable[[Event], int]
    time_of: Callable[[Event], int]
    document: Callable[[Event], Document]

    def index_of(self, event: Event) -> str:
        """Name of the event's monthly index.

        Raises:
            SinkRejected: a time outside of the calendar.
        """
        month = moment(self.time_of(event), "captured_at")
        return f"{self.alias}-{month.year:04d}.{month.month:02d}"

    def write_alias(self, index: str) -> str:
        """Name under which a monthly index is written; see `OpenSearchSink`."""
        return f"{index}-write"

    def template(self, shards: int, replicas: str, refresh_interval: str) -> Document:
        """Body of the index template."""
        analysis, mapping = _file("analysis"), _file(self.mapping)
        settings = {
            "number_of_shards": shards,
            "auto_expand_replicas": replicas,
            "refresh_interval": refresh_interval,
            **analysis,
        }
        return {
            "index_patterns": [f"{self.alias}-*"],
            "priority": 100,
            "template": {"settings": {"index": settings}, "mappings": mapping, "aliases": {self.alias: {}}},
        }


@cache
def sighting_index() -> IndexSpec[Sighting]:
    """Sightings by revision, in ``alpr-events-YYYY.MM``."""
    return IndexSpec(
        alias="alpr-events",
        mapping="events",
        id_of=lambda sighting: sighting.event_id,
        version_of=lambda sighting: sighting.revision,
        time_of=lambda sighting: sighting.captured_at,
        document=sighting_document,
    )


@cache
def alert_index() -> IndexSpec[Alert]:
    """Alerts, in ``alpr-alerts-YYYY.MM``; they never change."""
    return IndexSpec(
        alias="alpr-alerts",
        mapping="alerts",
        id_of=lambda alert: alert.alert_id,
        version_of=lambda _alert: 1,
        time_of=lambda alert: alert.fired_at,
        document=alert_document,
    )


def sighting_document(sighting: Sighting) -> Document:
    """Flat names as everywhere, a `location` for the map, and what makes a half-remembered plate findable.

    `plate_folded` is the confusable-folded current identity (`match_key` is that of revision 1); search for
    `schemas.identity.fold` of what the user typed. `extras` come back as they were; `extras_pairs` (``name=value``) and
    `extras_text` are what is searched, so that producers' field names never become mapping fields.
    """
    flat = flatten(sighting)
    document = {name: value for name, value in flat.items() if value is not None}
    for name in _TIMES:
        if name in document:
            document[name] = to_iso(document[name])
    latitude, longitude = document.pop("latitude", None), document.pop("longitude", None)
    if latitude is not None and longitude is not None:
        document["location"] = {"lat": latitude, "lon": longitude}
    identity = flat["resolved_text"] or flat["plate_normalized_text"]
    if identity:
        document["plate_folded"] = fold(identity)
    if sighting.node is not None:
        document["agent_id"] = sighting.node.agent_id
    if sighting.extras:
        document["extras"] = sighting.extras
        document["extras_pairs"] = [f"{name}={value}" for name, value in sighting.extras.items()]
        document["extras_text"] = [f"{name} {value}" for name, value in sighting.extras.items()]
    return document


def alert_document(alert: Alert) -> Document:
    """The alert with its rule and proof, flat where it is searched."""
    record = to_json_record(alert)
    rule, proof = record.pop("rule"), record["proof"]
    document = {name: value for name, value in record.items() if value is not None}
    document.update(
        rule_id=rule["id"],
        rule_name=rule["name"],
        rule_version=rule["version"],
        event_ids=proof["event_ids"],
        suppressed=proof["suppressed"],
        context_text=[f"{name} {value}" for name, value in alert.context.items()],
    )
    for name in ("likelihood", "matched_plate"):
        if proof[name] is not None:
            document[name] = proof[name]
    if alert.plate_text:
        document["plate_folded"] = fold(normalise(alert.plate_text))
    return document


@cache
def _file(name: str) -> Document:
    text = (resources.files("agents.sinks") / "mappings" / f"{name}.json").read_text(encoding="utf-8")
    body: Document = json.loads(text)
    return body
