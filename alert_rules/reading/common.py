"""What all forms of a rule have in common: severity, grouping, suppression, messages."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from alert_rules import expectations as expect
from alert_rules.document import Listing, Node, Scalar
from alert_rules.document import Mapping as MappingNode
from alert_rules.errors import Place, Problems, RuleProblem, nearest, shown
from alert_rules.fields import Field, Kind
from alert_rules.reading.comparisons import read_field
from alert_rules.rule import PLATE_GROUP, SEVERITIES, GroupKey, Suppression
from alert_rules.templates import Template, TemplateError
from schemas.clock import MICROS_PER_S, parse_time

MAX_ID_CHARS = 100
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_SEVERITY_SPELLINGS = {"warning": "medium", "normal": "medium", "urgent": "critical", "error": "high"}
_DEDUP_PARTS = re.compile(r"[,+|]|\s+and\s+")


def read_id(node: Node) -> str:
    """A rule's id: letters, digits, ``_``, ``-`` and ``.``.

    Raises:
        RuleProblem: it has other characters, or is too long.
    """
    written = expect.text(node, "'id'", limit=MAX_ID_CHARS)
    if not _ID.fullmatch(written):
        raise RuleProblem(node.place, f"id {shown(written)} may have letters, digits, '_', '-' and '.' only")
    return written


def id_from_name(name: str) -> str:
    """An id for a rule that has only a name: ``Stolen vehicles`` becomes ``stolen-vehicles``."""
    words = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")
    return words[:MAX_ID_CHARS] or "rule"


def read_severity(node: Node, what: str) -> str:
    """A severity, or a priority of an existing file.

    Raises:
        RuleProblem: it is none.
    """
    word = expect.text(node, what, limit=40).strip().lower()
    word = _SEVERITY_SPELLINGS.get(word, word)
    if word not in SEVERITIES:
        raise RuleProblem(node.place, f"{shown(word)} is no {what}{nearest(word, SEVERITIES)}")
    return word


def read_time(node: Node, what: str) -> int:
    """A time, in microseconds.

    Raises:
        RuleProblem: it is none.
    """
    written = expect.text(node, what, limit=60)
    try:
        return parse_time(written)
    except (ValueError, OverflowError):
        wanted = "a time such as 2026-01-31 or 2026-01-31T08:00:00Z"
        raise RuleProblem(node.place, f"{what}: expected {wanted}, found {shown(written)}") from None


PartReaders = Mapping[str, tuple[str, Callable[[Node], Any]]]
"""Key of the file -> attribute of the rule, and what reads it."""

COMMON_PARTS: PartReaders = {
    "enabled": ("enabled", lambda node: expect.flag(node, "'enabled'")),
    "severity": ("severity", lambda node: read_severity(node, "severity")),
    "description": ("description", lambda node: expect.text(node, "'description'", limit=4000, empty=True) or None),
}


def read_parts(body: MappingNode, readers: PartReaders, problems: Problems) -> dict[str, Any]:
    """Those attributes of a rule that stand in the file, each read on its own, so that all mistakes are found."""
    parts: dict[str, Any] = {}
    for key, (attribute, read) in readers.items():
        if key in body.entries:
            with problems.collect():
                parts[attribute] = read(body.entries[key])
    return parts


def read_group(node: Node) -> GroupKey:
    """``group_by``: a field or several; ``plate`` and the plate's texts mean one vehicle, misreads included.

    Raises:
        RuleProblem: a field is unknown.
    """
    nodes = expect.items(node, "fields to group by", single=True)
    if not nodes:
        return GroupKey()
    return GroupKey(tuple(_group_field(each) for each in nodes))


def read_dedup_key(node: Node) -> GroupKey:
    """``dedup_key`` of an existing file: a field, several with ``+`` or ``,`` between, or ``{field}`` places.

    Raises:
        RuleProblem: a field is unknown.
    """
    if isinstance(node, Listing):
        return read_group(node)
    written = expect.text(node, "'dedup_key'", limit=500)
    places = re.findall(r"\{\{?\s*([^{}]+?)\s*\}?\}", written)
    names = places or [part for part in _DEDUP_PARTS.split(written) if part.strip()]
    return GroupKey(tuple(_group_field(Scalar(name.strip(), node.place)) for name in names))


def read_suppression(node: Node, group: GroupKey) -> Suppression | None:
    """``suppress: 10m`` or ``{for: 10m, by: [...], realert: exponential, max: 4h}``; None for no time at all.

    Raises:
        RuleProblem: it is neither.
    """
    if isinstance(node, MappingNode):
        by = read_group(node.entries["by"]) if "by" in node.entries else group
        made = suppression(expect.duration_s(expect.required(node, "for", "'suppress'"), "'for'"), by)
        return made if made is None else replace(made, max_us=_longest(node, made.for_us))
    return suppression(expect.duration_s(node, "'suppress'"), group)


def _longest(node: MappingNode, for_us: int) -> int | None:
    """``realert: exponential`` with ``max``: None without."""
    if "realert" not in node.entries:
        if "max" in node.entries:
            raise RuleProblem(node.place_of("max"), "'max' is for realert: exponential")
        return None
    word = expect.choice(node.entries["realert"], "'realert'", ("exponential", "constant"))
    if word == "constant":
        return None
    longest_us = round(expect.duration_s(expect.required(node, "max", "realert: exponential"), "'max'") * MICROS_PER_S)
    if longest_us < for_us:
        raise RuleProblem(node.place_of("max"), "'max' is shorter than 'for'")
    return longest_us


def suppression(seconds: float, by: GroupKey) -> Suppression | None:
    """A suppression of so many seconds; None for none."""
    return Suppression(round(seconds * MICROS_PER_S), by) if seconds > 0 else None


def read_message(node: Node) -> Template:
    """A message.

    Raises:
        RuleProblem: a place in it is unknown; located to the line where that can be told.
    """
    written = expect.text(node, "a message", limit=10_000)
    try:
        return Template.parse(written)
    except TemplateError as error:
        line = written.count("\n", 0, error.index)
        place = node.place
        if line:  # a block scalar: its text starts one line below the | sign
            place = Place(place.source, place.line + 1 + line, 1)
        raise RuleProblem(place, f"in the message: {error}") from None


def _group_field(node: Node) -> Field | None:
    if isinstance(node, Scalar) and node.text.strip().lower() == PLATE_GROUP:
        return None
    field = read_field(node)
    return None if field.kind is Kind.PLATE or field.path == ("match_key",) else field
