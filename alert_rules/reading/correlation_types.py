"""The types of correlations by name, and how each is read."""

from alert_rules import expectations as expect
from alert_rules.conditions.boolean import Not
from alert_rules.conditions.schedule import SITE
from alert_rules.correlations.absence import Absence
from alert_rules.correlations.aggregation import AGGREGATES, PERCENTILE, Aggregation
from alert_rules.correlations.bound import Bound
from alert_rules.correlations.change import Change
from alert_rules.correlations.convoy import Company, Convoy
from alert_rules.correlations.event_count import MAX_COUNT, EventCount
from alert_rules.correlations.expected import Expected
from alert_rules.correlations.flatline import MAX_THRESHOLD, Flatline
from alert_rules.correlations.loitering import Loitering
from alert_rules.correlations.new_term import NewTerm
from alert_rules.correlations.occupancy import MAX_INSIDE, Occupancy
from alert_rules.correlations.spike import BOTH, DOWN, UP, Spike
from alert_rules.correlations.temporal import Temporal
from alert_rules.correlations.value_count import MAX_VALUES, ValueCount
from alert_rules.errors import RuleProblem
from alert_rules.fields import Kind
from alert_rules.finding import Condition
from alert_rules.reading import sequences, travels
from alert_rules.reading.comparisons import read_field
from alert_rules.reading.correlation import Made, Parameters, TypeReader, texts
from alert_rules.reading.match import read_match, read_patterns
from alert_rules.reading.schedules import read_schedule

MAX_EXPECTED = 1_000
MAX_CONDITIONS = 16
MAX_CAMERAS = 100
MAX_OCCASIONS = 20


def _event_count(given: Parameters) -> Made:
    return Made((EventCount(given.at_least(MAX_COUNT), given.timespan_us()),))


def _value_count(given: Parameters) -> Made:
    field = read_field(given.required("field"))
    return Made((ValueCount(field, given.at_least(MAX_VALUES), given.timespan_us()),))


def _absence(given: Parameters) -> Made:
    conditions = (("begin", given.condition("begin")), ("end", given.condition("end")))
    return Made((Absence(given.timespan_us()),), conditions, only_tagged=True)


def _overstay(given: Parameters) -> Made:
    conditions = (("entry", given.condition("entry")), ("exit", given.condition("exit")))
    return Made((Absence(given.timespan_us(), "overstay"),), conditions, only_tagged=True)


def _expected(given: Parameters) -> Made:
    node = given.required("plates")
    listed = tuple(dict.fromkeys(read_patterns(node, given.problems)))
    if len(listed) > MAX_EXPECTED:
        raise RuleProblem(node.place, f"{len(listed):,} plates; at most {MAX_EXPECTED:,} can be expected")
    times = given.required("schedule")
    schedule = read_schedule(times, given.problems)
    if schedule.zone == SITE:
        raise RuleProblem(times.place, "'expected' waits without a sighting: its schedule needs a time zone of its own")
    operator = Expected(tuple(pattern.text for pattern in listed), schedule)
    return Made((operator,), listed=listed)


def _flatline(given: Parameters) -> Made:
    threshold = 1
    if "condition" in given.body.entries:
        bound = given.bound(0, MAX_THRESHOLD)
        [(word, limit), *more] = bound.parts
        if more or word not in ("lt", "lte") or limit != int(limit) or (word == "lt" and limit < 1):
            raise RuleProblem(given.body.place_of("condition"), "'flatline' needs a condition such as {lt: 1}")
        threshold = int(limit) + (word == "lte")
    expected: tuple[str, ...] = ()
    if "expect" in given.body.entries:
        expected = texts(given.body.entries["expect"], "groups that are expected", MAX_EXPECTED)
        if "group_by" not in given.rule.entries:
            raise RuleProblem(given.body.place_of("expect"), "'expect' needs 'group_by', such as camera_id")
    return Made((Flatline(threshold, given.timespan_us(), expected),))


def _spike(given: Parameters) -> Made:
    expect.required(given.body, "height", "'spike'")
    direction = UP
    if "direction" in given.body.entries:
        direction = expect.choice(given.body.entries["direction"], "direction of a spike", (UP, DOWN, BOTH))
    operator = Spike(
        given.timespan_us(),
        given.number("height", 0, 1.01, 1e6),
        direction,
        given.count("min_current", 1, 0, 10**9),
        given.count("min_baseline", 1, 1, 10**9),
    )
    return Made((operator,))


def _new_term(given: Parameters) -> Made:
    field = read_field(given.required("field"))
    return Made((NewTerm(field, given.timespan_us(30 * 86_400.0), given.span_us("learn", 0.0)),))


def _change(given: Parameters) -> Made:
    return Made((Change(read_field(given.required("field")), given.timespan_us(30 * 86_400.0)),))


def _metric_aggregation(given: Parameters) -> Made:
    node = given.required("field")
    field = read_field(node)
    if field.kind not in (Kind.NUMBER, Kind.EXTRA):
        raise RuleProblem(node.place, f"an aggregation needs numbers; {field.name} is {field.kind.value}")
    aggregate = expect.choice(given.required("aggregate"), "aggregate", (*AGGREGATES, PERCENTILE))
    if (aggregate == PERCENTILE) != ("percentile" in given.body.entries):
        raise RuleProblem(given.body.place, "'percentile' (0 to 100) goes with 'aggregate: percentile'")
    operator = Aggregation(
        aggregate,
        given.bound(-1e15, 1e15),
        given.timespan_us(),
        field,
        given.number("percentile", 0.0, 0.0, 100.0),
        given.count("min_events", 1, 1, 1_000),
    )
    return Made((operator,))


def _percentage_match(given: Parameters) -> Made:
    share: Condition = given.condition("share_of")
    operator = Aggregation(
        "avg", given.bound(0, 100), given.timespan_us(), min_events=given.count("min_events", 10, 1, 1_000)
    )
    return Made((operator,), (("is", share), ("is not", Not(share))), only_tagged=True)


def _temporal(given: Parameters) -> Made:
    node = given.required("of")
    nodes = expect.items(node, "conditions of 'of'")
    if not 2 <= len(nodes) <= MAX_CONDITIONS:
        raise RuleProblem(node.place, f"'temporal' is of 2 to {MAX_CONDITIONS} conditions, found {len(nodes)}")
    conditions: list[tuple[str, Condition]] = []
    for number, each in enumerate(nodes, start=1):
        with given.problems.collect():
            body = expect.mapping(each, "a condition with a name: {name: a, match: ...}")
            expect.known_keys(body, ("name", "match"), "a condition of 'of'", given.problems)
            name = expect.optional_text(body, "name", "'name'", limit=60) or f"condition {number}"
            match = read_match(expect.required(body, "match", "a condition of 'of'"), given.problems)
            conditions.append((name, match))
    operator = Temporal(tuple(name for name, _ in conditions), given.timespan_us())
    return Made((operator,), tuple(conditions), only_tagged=True)


def _loitering(given: Parameters) -> Made:
    pause_us = given.span_us("pause", 600.0)
    return Made((Loitering(given.timespan_us(), pause_us, given.count("min_events", 2, 1, 1_000)),))


def _convoy(given: Parameters) -> Made:
    cameras = given.at_least(MAX_CAMERAS)
    occasions = given.count("occasions", 1, 1, MAX_OCCASIONS)
    convoy = Convoy(cameras, given.timespan_us(), occasions, given.span_us("apart", 1200.0))
    return Made((Company(given.span_us("together", 30.0)), convoy))


def _occupancy(given: Parameters) -> Made:
    conditions = (("entry", given.condition("entry")), ("exit", given.condition("exit")))
    bound: Bound = given.bound(0, MAX_INSIDE)
    return Made((Occupancy(bound, given.timespan_us(86_400.0)),), conditions, only_tagged=True)


TYPES: dict[str, TypeReader] = {
    "event_count": TypeReader(_event_count, ("condition",), ("condition",), "Many events within a time"),
    "value_count": TypeReader(
        _value_count, ("field", "condition"), ("field", "condition"), "Many different values of a field within a time"
    ),
    "temporal": TypeReader(_temporal, ("of",), ("of",), "All of several things within a time, in any order"),
    "sequence": TypeReader(sequences.read_sequence, sequences.KEYS, ("steps",), "Events in an order"),
    "absence": TypeReader(_absence, ("begin", "end"), ("begin", "end"), "A begin whose end does not come in time"),
    "overstay": TypeReader(_overstay, ("entry", "exit"), ("entry", "exit"), "Somebody came in and did not leave"),
    "expected": TypeReader(
        _expected, ("plates", "schedule"), ("plates", "schedule"), "A plate that did not come when it should",
        timespan=False, own_groups=True,
    ),
    "flatline": TypeReader(_flatline, ("condition", "expect"), (), "Fewer events than there must be; silence"),
    "spike": TypeReader(
        _spike, ("height", "direction", "min_current", "min_baseline"), ("height",),
        "Many more, or fewer, events than in the time before",
    ),
    "new_term": TypeReader(_new_term, ("field", "learn"), ("field",), "A value that the group never had"),
    "change": TypeReader(_change, ("field",), ("field",), "A field is not what it was"),
    "metric_aggregation": TypeReader(
        _metric_aggregation, ("field", "aggregate", "percentile", "condition", "min_events"),
        ("field", "aggregate", "condition"), "Average, least, most, sum, median or percentile of a number",
    ),
    "percentage_match": TypeReader(
        _percentage_match, ("share_of", "condition", "min_events"), ("share_of", "condition"),
        "The percentage of events for which a condition holds",
    ),
    "loitering": TypeReader(_loitering, ("pause", "min_events"), (), "Somebody stays longer than one does"),
    "impossible_travel": TypeReader(
        travels.read_travel, travels.KEYS, (), "One plate at two places, faster than anybody drives"
    ),
    "cloned_plate": TypeReader(
        travels.read_travel, travels.KEYS, (), "As impossible_travel, and contradictions of make, type and colour"
    ),
    "convoy": TypeReader(
        _convoy, ("together", "condition", "occasions", "apart"), ("condition",),
        "Two plates seen together at several cameras",
        own_groups=True, group="camera_id",
    ),
    "occupancy": TypeReader(
        _occupancy, ("entry", "exit", "condition"), ("entry", "exit", "condition"),
        "More vehicles inside than there may be", group="site_id",
    ),
}  # fmt: skip
"""By name, in the order of the documentation."""
