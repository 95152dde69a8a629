"""The types of correlations by name, and how each is read."""

from alert_rules.correlations.absence import Absence
from alert_rules.correlations.event_count import MAX_COUNT, EventCount
from alert_rules.reading import sequences
from alert_rules.reading.correlation import Made, Parameters, TypeReader


def _event_count(given: Parameters) -> Made:
    return Made((EventCount(given.at_least(MAX_COUNT), given.timespan_us()),))


def _absence(given: Parameters) -> Made:
    conditions = (("begin", given.condition("begin")), ("end", given.condition("end")))
    return Made((Absence(given.timespan_us()),), conditions, only_tagged=True)


TYPES: dict[str, TypeReader] = {
    "event_count": TypeReader(_event_count, ("condition",), ("condition",), "many events within a time"),
    "absence": TypeReader(_absence, ("begin", "end"), ("begin", "end"), "a begin whose end does not come in time"),
    "sequence": TypeReader(sequences.read_sequence, sequences.KEYS, ("steps",), "events in an order"),
}
