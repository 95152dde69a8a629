"""Reads a rule's inline ``tests``: events with relative times in, expected alerts out.

    tests:
      - name: a listed plate
        watchlists: {stolen: [AB0123]}
        events:
          - {at: 0s, camera_id: gate, plate_text: AB0123}
          - {at: 1m, camera_id: gate, plate_text: AB0123}
        alerts:
          - {at: 0s, plate_text: AB0123, severity: high}

Times count from Monday 2026-01-05T00:00:00Z (a Monday, so that schedules are easy to test); an ISO time is itself.
``alerts: 0`` says how many, and no more.
"""

from typing import Any

from alert_rules import expectations as expect
from alert_rules.document import Listing, Mapping, Node, Scalar
from alert_rules.errors import Problems, RuleProblem, nearest, shown
from alert_rules.fields import EXTRAS, known_fields
from alert_rules.reading.entries import read_entries, read_entry
from alert_rules.reading.match import WATCHLIST_NAME_CHARS
from alert_rules.rule import ExpectedAlert, RuleTest
from alert_rules.sightings import sighting_from_json
from schemas.clock import MICROS_PER_S, parse_time
from schemas.errors import SchemaError
from schemas.events import Sighting, WatchlistEntry

KEYS = ("name", "watchlists", "events", "until", "alerts")
BASE_US = parse_time("2026-01-05T00:00:00Z")
ALERT_KEYS = (
    "at",
    "key",
    "severity",
    "message",
    "matched_plate",
    "suppressed",
    "camera_id",
    "site_id",
    "plate_text",
    "event_id",
)
MAX_EVENTS = 10_000
_NESTED = ("plate", "vehicle", "images", "location", "node", "extras", "resolved")
_NUMBERS = (
    "confidence",
    "probability",
    "lat",
    "lon",
    "latitude",
    "longitude",
    "reads",
    "latency_ms",
    "revision",
    "detections",
)


def read_tests(node: Node, problems: Problems) -> tuple[RuleTest, ...]:
    """The tests of a rule.

    Raises:
        RuleProblem: it is no list.
    """
    tests = []
    for number, each in enumerate(expect.items(node, "tests"), start=1):
        with problems.collect():
            tests.append(_test(expect.mapping(each, "a test"), number, problems))
    return tuple(tests)


def _test(body: Mapping, number: int, problems: Problems) -> RuleTest:
    expect.known_keys(body, KEYS, "a test", problems)
    return RuleTest(
        name=read_name(body, number),
        events=read_events(body, problems),
        alerts=read_expected(expect.required(body, "alerts", "a test"), problems),
        watchlists=read_watchlists(body, problems),
        place=body.place,
        until_us=read_until(body),
    )


def read_name(body: Mapping, number: int) -> str:
    """The test's name; by default its number."""
    return expect.optional_text(body, "name", "'name'", limit=200) or f"test {number}"


def read_events(body: Mapping, problems: Problems) -> tuple[Sighting, ...]:
    """The sightings of a test, in their order.

    Raises:
        RuleProblem: there are none, or too many.
    """
    nodes = expect.items(expect.required(body, "events", "a test"), "events")
    if len(nodes) > MAX_EVENTS:
        raise RuleProblem(body.place, f"{len(nodes):,} events; a test has at most {MAX_EVENTS:,}")
    events = []
    for index, node in enumerate(nodes, start=1):
        with problems.collect():
            events.append(_event(expect.mapping(node, "an event"), index, problems))
    return tuple(events)


def read_until(body: Mapping) -> int:
    """How far time goes on after the last event, in microseconds."""
    if "until" not in body.entries:
        return 0
    return round(expect.duration_s(body.entries["until"], "'until': time after the last event") * MICROS_PER_S)


def _event(body: Mapping, index: int, problems: Problems) -> Sighting:
    fields = known_fields()
    for name in body.entries:
        if name != "at" and name not in fields and name not in _NESTED and not name.startswith(EXTRAS):
            known = ("at", *fields)
            problems.add(RuleProblem(body.place_of(name), f"an event has no {shown(name)}{nearest(name, known)}"))
    value: dict[str, Any] = {"camera_id": "camera", "captured_at": BASE_US}
    for name, node in body.entries.items():
        if name == "at":
            value["captured_at"] = _at(node)
        elif name in fields:
            _put(value, fields[name][0], _plain(name, node))
        elif name.startswith(EXTRAS):
            _put(value, ("extras", name.removeprefix(EXTRAS)), _plain(name, node))
        elif name in _NESTED:
            for inner, each in expect.mapping(node, f"'{name}'").entries.items():
                _put(value, (name, inner), _plain(inner, each))
    try:
        return sighting_from_json(value, f"event-{index}")
    except SchemaError as error:
        raise RuleProblem(body.place, f"the event is none: {error}") from None


def _put(value: dict[str, Any], path: tuple[str, ...], part: Any) -> None:
    for name in path[:-1]:
        value = value.setdefault(name, {})
    value[path[-1]] = part


def _plain(name: str, node: Node) -> Any:
    """A value as JSON would have it: which scalars are numbers follows from the field, not from YAML."""
    if isinstance(node, Mapping):
        return {key: _plain(key, value) for key, value in node.entries.items()}
    if isinstance(node, Listing):
        return (
            [_plain("probability" if index == 1 else "char", value) for index, value in enumerate(node.items)]
            if _is_pair(node)
            else [_plain(name, value) for value in node.items]
        )
    if node.is_null:
        return None
    if name == "is_final":
        return expect.flag(node, f"'{name}'")
    if name in _NUMBERS or name.endswith("_confidence"):
        value = expect.number(node, f"'{name}'")
        return int(value) if value == int(value) else value
    return node.text


def _is_pair(node: Listing) -> bool:
    """A character alternative as [A, 0.9]."""
    return len(node.items) == 2 and all(isinstance(item, Scalar) for item in node.items)


def _at(node: Node) -> int:
    written = expect.text(node, "'at': a time span from the start such as 5m, or an ISO time", limit=60)
    seconds = expect.parse_duration_s(written)
    if seconds is not None:
        return BASE_US + round(seconds * MICROS_PER_S)
    try:
        return parse_time(written)
    except (ValueError, OverflowError):
        raise RuleProblem(
            node.place, f"expected a time span such as 5m, or an ISO time, found {shown(written)}"
        ) from None


def read_expected(node: Node, problems: Problems) -> tuple[ExpectedAlert, ...] | int:
    """The alerts that are expected, or how many.

    Raises:
        RuleProblem: it is neither.
    """
    if isinstance(node, Scalar) and not node.is_null:
        return expect.whole_number(node, "alerts (a list, or how many)", 0, MAX_EVENTS)
    expected = []
    for each in expect.items(node, "alerts"):
        with problems.collect():
            body = expect.mapping(each, "an alert")
            expect.known_keys(body, ALERT_KEYS, "an expected alert", problems)
            fields = {
                name: expect.text(value, f"'{name}'", limit=10_000).strip()
                for name, value in body.entries.items()
                if name != "at"
            }
            at = _at(body.entries["at"]) if "at" in body.entries else None
            expected.append(ExpectedAlert(at, fields, each.place))
    return tuple(expected)


def read_watchlists(body: Mapping, problems: Problems) -> tuple[WatchlistEntry, ...]:
    """The entries of a test's own ``watchlists``."""
    entries: list[WatchlistEntry] = []
    if "watchlists" not in body.entries:
        return ()
    node = body.entries["watchlists"]
    for name, listed in expect.mapping(node, "watchlists").entries.items():
        if len(name) > WATCHLIST_NAME_CHARS:
            raise RuleProblem(node.place, "the name of a watchlist is too long")
        for cells, place in read_entries(listed, problems):
            with problems.collect():
                entries.append(read_entry(name, str(len(entries)), cells, place))
    return tuple(entries)
