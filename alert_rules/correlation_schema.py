"""JSON Schema of correlations, built from the table that the reader uses (`alert_rules.json_schema` has the rest)."""

from typing import Any

from alert_rules.correlations.bound import TESTS
from alert_rules.correlations.sequence import CONTIGUITY, MAX_STEPS, MAX_TIMES, SKIPS
from alert_rules.reading.correlation_types import MAX_OCCASIONS, TYPES
from alert_rules.reading.sequences import STEP_KEYS

Schema = dict[str, Any]


def correlation_schema(condition: Schema, field: Schema, duration: Schema, texts: Schema, schedule: Schema) -> Schema:
    """One form for each type.

    Args:
        condition: of a condition as in ``match``.
        field: of a field's name.
        duration: of a time span.
        texts: of one or several texts.
        schedule: of a schedule.
    """
    condition = {"anyOf": [condition, {"type": "array", "items": condition, "minItems": 1}]}
    number: Schema = {"type": "number"}
    bound = {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": dict.fromkeys(TESTS, number),
    }
    named = {
        "type": "object",
        "required": ["match"],
        "additionalProperties": False,
        "properties": {"name": {"type": "string"}, "match": condition},
    }
    count = {"type": "integer", "minimum": 0}
    known: dict[str, Schema] = {
        "condition": bound,
        "field": field,
        "begin": condition,
        "end": condition,
        "entry": condition,
        "exit": condition,
        "share_of": condition,
        "of": {"type": "array", "items": named, "minItems": 2},
        "steps": {"type": "array", "items": _step(condition, duration), "minItems": 1, "maxItems": MAX_STEPS},
        "after_match": {"enum": list(SKIPS)},
        "expect": texts,
        "plates": texts,
        "schedule": schedule,
        "learn": duration,
        "pause": duration,
        "together": duration,
        "occasions": {"type": "integer", "minimum": 1, "maximum": MAX_OCCASIONS},
        "apart": duration,
        "clock_skew": duration,
        "direction": {"enum": ["up", "down", "both"]},
        "aggregate": {"type": "string"},
        "percentile": number,
        "height": number,
        "min_events": count,
        "min_current": count,
        "min_baseline": count,
        "max_speed_kmh": number,
        "detour": number,
        "probability": {"type": "number", "minimum": 0, "maximum": 1},
        "misread": {"type": "number", "minimum": 0, "maximum": 0.99},
        "travel_times": {"type": "array", "items": _travel_time(duration)},
        "fields": texts,
    }
    return {"oneOf": [_type(name, known) for name in TYPES]}


def late_schema(duration: Schema) -> Schema:
    """``late``."""
    policy = {"enum": ["drop", "amend"]}
    long_form = {
        "type": "object",
        "required": ["policy"],
        "additionalProperties": False,
        "properties": {"policy": policy, "up_to": duration},
    }
    return {"anyOf": [policy, long_form], "description": "What becomes of an event that comes after its time is over"}


def _type(name: str, known: dict[str, Schema]) -> Schema:
    reader = TYPES[name]
    return {
        "type": "object",
        "description": reader.about,
        "required": ["type", *reader.required],
        "additionalProperties": False,
        "properties": {"type": {"const": name}, **{key: known[key] for key in reader.keys}},
    }


def _step(condition: Schema, duration: Schema) -> Schema:
    times = {
        "anyOf": [
            {"type": "integer", "minimum": 1, "maximum": MAX_TIMES},
            {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": False,
                "properties": {key: {"type": "integer", "minimum": 0, "maximum": MAX_TIMES} for key in ("gte", "lte")},
            },
        ]
    }
    known: dict[str, Schema] = {
        "name": {"type": "string"},
        "match": condition,
        "times": times,
        "optional": {"type": "boolean"},
        "contiguity": {"enum": list(CONTIGUITY)},
        "within": duration,
        "not": condition,
    }
    return {
        "type": "object",
        "oneOf": [{"required": ["match"]}, {"required": ["not"]}],
        "additionalProperties": False,
        "properties": {key: known[key] for key in STEP_KEYS},
    }


def _travel_time(duration: Schema) -> Schema:
    return {
        "type": "object",
        "required": ["from", "to", "at_least"],
        "additionalProperties": False,
        "properties": {"from": {"type": "string"}, "to": {"type": "string"}, "at_least": duration},
    }
