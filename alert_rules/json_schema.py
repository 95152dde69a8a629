"""JSON Schema of rule files, for editors: completion and a first check while typing.

It is built from the same tables that the reader uses. It is a help, not the judge: `alpr rules lint` checks more
(fields against operators, patterns, messages, ids) and says where. Draft 2020-12.
"""

import json
from typing import Any

from alert_rules.conditions.comparison import OPERATORS
from alert_rules.conditions.permit import AMBIGUOUS
from alert_rules.correlation_schema import correlation_schema, late_schema
from alert_rules.fields import known_fields
from alert_rules.loading import DEFINING_KEYS
from alert_rules.reading import common, existing, native, zones
from alert_rules.reading.actions import CHANNELS
from alert_rules.reading.actions import SPELLINGS as ACTION_SPELLINGS
from alert_rules.reading.entries import COLUMNS, OF_A_LIST, SPELLINGS
from alert_rules.reading.match import CONDITION_KEYS
from alert_rules.reading.rule_tests import ALERT_KEYS
from alert_rules.rule import PLATE_GROUP, SEVERITIES
from alert_rules.weekdays import DAY_GROUPS, DAYS

Schema = dict[str, Any]
_SCALAR: Schema = {"type": ["string", "number", "boolean"]}
_TEXTS: Schema = {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR, "minItems": 1}]}
_DURATION: Schema = {
    "anyOf": [{"type": "string", "pattern": r"^\s*[0-9]"}, {"type": "number", "minimum": 0}],
    "description": "Time span: 10m, 90s, 1h30m, 2d; a bare number means seconds",
}


def rules_schema() -> Schema:
    """The schema as plain values."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ALPR alert rules",
        "type": "object",
        "anyOf": [{"required": [key]} for key in ("rules", *DEFINING_KEYS)],
        "additionalProperties": False,
        "properties": {
            "version": _SCALAR,
            "zones": {"type": "object", "additionalProperties": _ref("zone")},
            "calendars": {"type": "object", "additionalProperties": _TEXTS},
            "rules": {"type": "array", "items": {"$ref": "#/$defs/rule"}},
            "notifications": {"$ref": "#/$defs/notifications"},
        },
        "$defs": {
            "rule": {
                "type": "object",
                "anyOf": [{"$ref": f"#/$defs/{name}"} for name in ("native", "conditions", "typed")],
            },
            "native": {
                **_object(native.KEYS, ("id",), _RULE_PARTS),
                "anyOf": [{"required": ["match"]}, {"required": ["correlation"]}],
            },
            "conditions": _object(existing.CONDITIONS_KEYS, ("conditions",), _RULE_PARTS),
            "typed": _object(existing.TYPED_KEYS, ("type",), _RULE_PARTS),
            "field": _field(),
            "comparison": _comparison(),
            "condition": _condition(),
            "plates": _plates(),
            "watchlist": _watchlist(),
            "permit": _permit(),
            "texts": _TEXTS,
            "entry": _entry(),
            "entries": _entries(),
            "schedule": _schedule(),
            "zone": _zone(),
            "correlation": correlation_schema(_ref("condition"), _ref("field"), _DURATION, _TEXTS, _ref("schedule")),
            "group": {"anyOf": [_ref("field"), {"type": "array", "items": _ref("field")}]},
            "action": {"anyOf": [_action(channel) for channel in CHANNELS]},
            "notifications": _notifications(),
            "test": _test(),
        },
    }


def schema_text() -> str:
    """The schema as the file ``alert_rules/rules.schema.json`` has it."""
    return json.dumps(rules_schema(), indent=2, ensure_ascii=False) + "\n"


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _object(keys: tuple[str, ...], required: tuple[str, ...], parts: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "required": list(required),
        "additionalProperties": False,
        "properties": {key: parts.get(key, _SCALAR) for key in keys},
    }


_CHANNEL_LIST: Schema = {
    "anyOf": [{"enum": list(CHANNELS)}, {"type": "array", "items": {"enum": list(CHANNELS)}}],
    "description": "Channels with the file's `notifications` as parameters",
}
_SEVERITY: Schema = {"enum": list(SEVERITIES)}
_RULE_PARTS: dict[str, Schema] = {
    "id": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]*$", "maxLength": common.MAX_ID_CHARS},
    "name": {"type": "string"},
    "enabled": {"type": "boolean"},
    "severity": _SEVERITY,
    "priority": {"type": "string"},
    "description": {"type": "string"},
    "runbook": {"type": "string", "description": "What to do, or a link to it"},
    "match": {"anyOf": [{"$ref": "#/$defs/condition"}, {"type": "array", "items": {"$ref": "#/$defs/condition"}}]},
    "conditions": {"type": "array", "items": {"$ref": "#/$defs/comparison"}, "minItems": 1},
    "type": {"enum": list(existing.TYPES)},
    "plates": {"$ref": "#/$defs/plates"},
    "field": {"$ref": "#/$defs/field"},
    "operator": {"enum": sorted({spelling for spellings in OPERATORS.values() for spelling in spellings})},
    "value": {},
    "group_by": {"$ref": "#/$defs/group"},
    "timespan": _DURATION,
    "correlation": {"$ref": "#/$defs/correlation"},
    "late": late_schema(_DURATION),
    "suppress": {
        "anyOf": [
            _DURATION,
            {
                "type": "object",
                "required": ["for"],
                "additionalProperties": False,
                "properties": {
                    "for": _DURATION,
                    "by": {"$ref": "#/$defs/group"},
                    "realert": {"enum": ["exponential", "constant"]},
                    "max": _DURATION,
                },
            },
        ]
    },
    "actions": {"type": "array", "items": {"$ref": "#/$defs/action"}},
    "notify": _CHANNEL_LIST,
    "message": {"type": "string", "description": "Text with {field} places"},
    "message_template": {"type": "string", "description": "Text with {field} places"},
    "freshness": _DURATION,
    "valid_from": {"type": "string", "description": "In force for sightings captured at this time or later"},
    "valid_until": {"type": "string", "description": "In force for sightings captured before this time"},
    "rate_limit": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "enabled": {"type": "boolean"},
            "cooldown_seconds": {"type": "number", "minimum": 0},
            "dedup_key": _TEXTS,
        },
    },
    "tests": {"type": "array", "items": {"$ref": "#/$defs/test"}},
}


def _field() -> Schema:
    names = [PLATE_GROUP, *known_fields()]
    return {"anyOf": [{"enum": names}, {"type": "string", "pattern": r"^extras\..+"}]}


def _comparison() -> Schema:
    operator = _RULE_PARTS["operator"]
    return {
        "type": "object",
        "required": ["field"],
        "additionalProperties": False,
        "properties": {"field": _ref("field"), "op": operator, "operator": operator, "value": {}, "values": {}},
    }


def _condition() -> Schema:
    parts = {"type": "array", "items": _ref("condition"), "minItems": 1}
    known: dict[str, Schema] = {
        **_comparison()["properties"],
        "all": parts,
        "any": parts,
        "not": {"anyOf": [_ref("condition"), parts]},
        "plate": {
            "anyOf": [
                _ref("plates"),
                {
                    "type": "object",
                    "required": ["any_of"],
                    "additionalProperties": False,
                    "properties": {"any_of": _ref("plates"), **_STRICTNESS},
                },
            ]
        },
        "watchlist": _ref("watchlist"),
        "permit": _ref("permit"),
        "schedule": _ref("schedule"),
        "cameras": _TEXTS,
        "sites": _TEXTS,
        "zone": _ref("zone"),
    }
    return {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": {key: known[key] for key in CONDITION_KEYS},
    }


_STRICTNESS: dict[str, Schema] = {
    "likelihood": {"type": "number", "minimum": 0, "maximum": 1, "description": "Least likelihood of a hit"},
    "exact": {"type": "boolean", "description": "Only the same text is a hit"},
}


def _plates() -> Schema:
    return {**_TEXTS, "description": "Plates; ? stands for one character, * for any run of them"}


def _watchlist() -> Schema:
    lists = {"type": "object", "required": ["list"], "additionalProperties": False}
    return {"anyOf": [_TEXTS, {**lists, "properties": {"list": _TEXTS, **_STRICTNESS}}]}


def _permit() -> Schema:
    number = {"type": "number"}
    properties = {
        "list": _TEXTS,
        "likelihood": _STRICTNESS["likelihood"],
        "odds": {**number, "minimum": 1, "description": "Times as likely as the next plate that it must be"},
        "ambiguous": {"enum": list(AMBIGUOUS), "description": "What a read of two possible plates is"},
    }
    body = {"type": "object", "required": ["list"], "additionalProperties": False, "properties": properties}
    return {"anyOf": [_TEXTS, body]}


def _entry() -> Schema:
    cells = dict.fromkeys((*COLUMNS, *SPELLINGS), _ref("texts"))
    return {"anyOf": [_SCALAR, {"type": "object", "additionalProperties": False, "properties": cells}]}


def _entries() -> Schema:
    """A watchlist in a test: plates and entries, or these with what counts for all of them."""
    listed: list[Schema] = [_SCALAR, {"type": "array", "items": _ref("entry")}]
    parts = {"entries": {"anyOf": listed}, **dict.fromkeys(OF_A_LIST, _ref("texts"))}
    whole = {"type": "object", "required": ["entries"], "additionalProperties": False, "properties": parts}
    return {"anyOf": [*listed, whole]}


def _schedule() -> Schema:
    days = {"type": "string", "description": f"{', '.join(DAYS)}, {', '.join(DAY_GROUPS)}, or mon-fri"}
    clock = {"type": ["string", "number"], "description": "Time of day: 22:00"}
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "days": {"anyOf": [days, {"type": "array", "items": days, "minItems": 1}]},
            "from": clock,
            "to": clock,
            "time_zone": {"type": "string", "description": "IANA name such as Europe/Berlin, or site"},
            "except": _TEXTS,
        },
    }


def _zone() -> Schema:
    number: Schema = {"type": "number"}
    point: Schema = {
        "type": "array",
        "items": number,
        "minItems": 2,
        "maxItems": 2,
        "description": "[latitude, longitude]",
    }
    corners: Schema = {"type": "array", "items": point, "minItems": 3}
    circle: Schema = {
        "type": "object",
        "required": ["center", "radius_m"],
        "additionalProperties": False,
        "properties": {"center": point, "radius_m": {"type": "number", "exclusiveMinimum": 0}},
    }
    known: dict[str, Schema] = {
        "polygon": corners,
        "holes": {"type": "array", "items": corners},
        "circle": circle,
        "cameras": _TEXTS,
        "sites": _TEXTS,
    }
    area: Schema = {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": {key: known[key] for key in zones.KEYS},
    }
    return {"anyOf": [{"type": "string"}, area, {"type": "array", "items": _ref("zone"), "minItems": 1}]}


def _channel_params(channel: str) -> dict[str, Schema]:
    names = [*CHANNELS[channel], *ACTION_SPELLINGS[channel]]
    return {name: {"type": "object"} if name == "headers" else _TEXTS for name in names}


def _action(channel: str) -> Schema:
    return {
        "type": "object",
        "required": ["type"],
        "additionalProperties": False,
        "properties": {"type": {"const": channel}, **_channel_params(channel)},
    }


def _notifications() -> Schema:
    def settings(channel: str) -> Schema:
        properties = {"enabled": {"type": "boolean"}, **_channel_params(channel)}
        return {"type": "object", "additionalProperties": False, "properties": properties}

    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {channel: settings(channel) for channel in CHANNELS},
    }


def _test() -> Schema:
    expected = {
        "type": "object",
        "additionalProperties": False,
        "properties": dict.fromkeys(ALERT_KEYS, _SCALAR),
    }
    return {
        "type": "object",
        "required": ["events", "alerts"],
        "additionalProperties": False,
        "properties": {
            "name": {"type": "string"},
            "watchlists": {"type": "object", "additionalProperties": _ref("entries")},
            "events": {"type": "array", "items": {"type": "object"}},
            "until": _DURATION,
            "alerts": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "array", "items": expected}]},
        },
    }
