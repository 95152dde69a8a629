"""Reads ``correlation: {type: impossible_travel}`` and ``{type: cloned_plate}``.

max_speed_kmh: 160
misread: 0.02
travel_times:
  - {from: gate, to: bridge, at_least: 12m}
"""

from alert_rules import expectations as expect
from alert_rules.correlations.travel import Travel
from alert_rules.errors import RuleProblem
from alert_rules.reading.correlation import Made, Parameters, positive_us

KEYS = ("max_speed_kmh", "detour", "clock_skew", "probability", "misread", "travel_times")
_TIME_KEYS = ("from", "to", "at_least")
MAX_TIMES = 20_000


def read_travel(given: Parameters) -> Made:
    """Speed bound, clock skew and travel times.

    Raises:
        RuleProblem: one of them is none.
    """
    times: list[tuple[str, str, int]] = []
    if "travel_times" in given.body.entries:
        node = given.body.entries["travel_times"]
        nodes = expect.items(node, "travel times")
        if len(nodes) > MAX_TIMES:
            raise RuleProblem(node.place, f"{len(nodes):,} travel times; at most {MAX_TIMES:,} are allowed")
        for each in nodes:
            with given.problems.collect():
                body = expect.mapping(each, "a travel time: {from: a, to: b, at_least: 5m}")
                expect.known_keys(body, _TIME_KEYS, "a travel time", given.problems)
                start, end = (
                    expect.text(expect.required(body, key, "a travel time"), f"'{key}': a camera", limit=200)
                    for key in ("from", "to")
                )
                least = positive_us(expect.required(body, "at_least", "a travel time"), "'at_least'")
                times.append((start, end, least))
    operator = Travel(
        within_us=given.timespan_us(86_400.0),
        probability=given.number("probability", 0.6, 0.0, 1.0),
        max_speed_kmh=given.number("max_speed_kmh", 160.0, 1.0, 1_000.0),
        detour=given.number("detour", 1.2, 1.0, 10.0),
        skew_us=given.span_us("clock_skew", 30.0),
        times_us=tuple(times),
        misread=given.number("misread", 0.0, 0.0, 0.99),
        look=given.name == "cloned_plate",
    )
    return Made((operator,))
