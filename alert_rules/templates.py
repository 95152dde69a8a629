"""Messages of alerts: text with ``{field}`` places, as in existing rule files, checked when the rule is read.

``{plate_text}``, ``{plate.confidence:.2%}`` and ``{{ plate_text }}`` are places. This is no program: attribute access,
calls and loops do not exist, so a rule file cannot reach anything but the sighting. Format specifications follow
Python's, within bounds.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alert_rules.errors import nearest, shown
from alert_rules.fields import Field, Kind, UnknownField, find_field, known_fields
from schemas.clock import to_iso
from schemas.errors import ConfigError
from schemas.events import Sighting

CORRELATION_NAMES = (
    "count", "first_at", "duration", "value", "previous", "baseline", "ratio", "share", "cameras", "plates", "steps",
    "distance_km", "speed_kmh", "probability", "due_at", "other_camera", "other_plate",
)  # fmt: skip
"""Numbers of correlations; each has some of them."""
ALERT_NAMES = (
    "rule.id", "rule.name", "rule_id", "rule_name", "severity", "key", "description", "runbook", "matched_plate",
    "likelihood", "suppressed", "alert_id", *CORRELATION_NAMES,
)  # fmt: skip
"""What a message may say beside the fields of the sighting."""
MAX_MESSAGE_CHARS = 10_000
UNKNOWN = "unknown"
_PLACE = re.compile(r"\{\{\s*([A-Za-z_][^{}]*?)\s*\}\}|\{\s*([A-Za-z_][^{}]*?)\s*\}|(\{\{|\}\}|[{}])")
_SPEC = re.compile(r"[<>^]?\d{0,3},?(?:\.\d{1,2})?[fFeEgGdns%]?")
_NUMBER_TYPES = frozenset("fFeEgGdn%")


class TemplateError(ConfigError):
    """A message that cannot be filled.

    Attributes:
        index: character of the template at which it goes wrong.
    """

    def __init__(self, message: str, index: int) -> None:
        super().__init__(message)
        self.index = index


@dataclass(frozen=True, slots=True)
class Place:
    """A place to fill: a field of the sighting, or one of `ALERT_NAMES`."""

    name: str
    field: Field | None
    spec: str


@dataclass(frozen=True, slots=True)
class Template:
    """A message, taken apart once.

    Attributes:
        source: as written.
        parts: text and places in order.
    """

    source: str
    parts: tuple[str | Place, ...]

    @classmethod
    def parse(cls, source: str) -> "Template":
        """Take a message apart.

        Raises:
            TemplateError: an unknown field, a lone brace, or a format that does not fit.
        """
        parts: list[str | Place] = []
        end = 0
        for match in _PLACE.finditer(source):
            parts.append(source[end : match.start()])
            end = match.end()
            inner = match[1] or match[2]
            if inner:
                parts.append(_place(inner, match.start()))
            elif match[3] in ("{{", "}}"):
                parts.append(match[3][0])
            else:
                raise TemplateError(
                    f"a lone {match[3]}; a place is written {{field}}, a brace {match[3] * 2}", match.start()
                )
        parts.append(source[end:])
        return cls(source, tuple(part for part in parts if part != ""))

    def render(self, sighting: Sighting, alert: Mapping[str, Any]) -> str:
        """The message for a sighting; what is not known reads ``unknown``.

        Args:
            sighting: the trigger.
            alert: values of `ALERT_NAMES`.
        """
        words = [part if isinstance(part, str) else _fill(part, sighting, alert) for part in self.parts]
        return "".join(words).strip()[:MAX_MESSAGE_CHARS]


def _place(inner: str, index: int) -> Place:
    name, _, spec = inner.partition(":")
    name, spec = name.strip(), spec.strip()
    if not _SPEC.fullmatch(spec):
        raise TemplateError(f"format {shown(spec)} is not understood; such as .2f, .0%, >10", index)
    if name.lower() in ALERT_NAMES:
        return Place(name.lower(), None, spec)
    try:
        field = find_field(name)
    except UnknownField:
        raise TemplateError(
            f"unknown field {shown(name)}{nearest(name, [*known_fields(), *ALERT_NAMES])}", index
        ) from None
    if spec and spec[-1] in _NUMBER_TYPES and field.kind not in (Kind.NUMBER, Kind.EXTRA):
        raise TemplateError(f"format {shown(spec)} is for numbers; {name} is {field.kind.value}", index)
    return Place(name, field, spec)


def _fill(place: Place, sighting: Sighting, alert: Mapping[str, Any]) -> str:
    value = alert.get(place.name) if place.field is None else place.field.read(sighting)
    if value is None or value == "":
        return UNKNOWN
    if not place.spec:
        return place.field.show(value) if place.field is not None else _plain(value)
    if place.field is not None and place.field.kind is Kind.TIME:
        value = to_iso(value)
    try:
        return format(_typed(value, place.spec), place.spec)
    except (ValueError, OverflowError):
        return str(value)  # an extra that is no number this time


def _typed(value: Any, spec: str) -> Any:
    if spec[-1] in _NUMBER_TYPES:
        number = float(value)
        return int(number) if spec[-1] == "d" else number
    return str(value) if spec[-1] == "s" or not isinstance(value, int | float) else value


def _plain(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
