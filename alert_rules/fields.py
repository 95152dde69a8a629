"""The fields that rules may name, flat (``plate_text``) or dotted (``plate.text``), and the kind of their values."""

from dataclasses import dataclass, is_dataclass
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin

from alert_rules.errors import nearest, shown
from schemas.aliases import SIGHTING_NAMES, value_at
from schemas.clock import to_iso
from schemas.errors import ConfigError
from schemas.events import Sighting
from schemas.identity import normalise
from schemas.records import field_types, is_micros


class Kind(StrEnum):
    """What a field holds; it decides which operators make sense."""

    TEXT = "text"
    PLATE = "plate"
    NUMBER = "number"
    TIME = "time"
    FLAG = "flag"
    EXTRA = "extra"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a sighting.

    Attributes:
        name: as the rule's author wrote it.
        path: attributes from the sighting on; for extras ``("extras", key)``.
    """

    name: str
    path: tuple[str, ...]
    kind: Kind

    def read(self, sighting: Sighting) -> Any:
        """The value; None where it is unknown."""
        if self.kind is Kind.EXTRA:
            return sighting.extras.get(self.path[1])
        return value_at(sighting, self.path)

    def show(self, value: Any) -> str:
        """The value as text, for proofs and messages."""
        if value is None:
            return "unknown"
        if self.kind is Kind.TIME:
            return to_iso(value)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, float):
            return f"{value:.6g}"
        return str(value)


class UnknownField(ConfigError):
    """There is no field of that name."""


_PLATE_PATHS = frozenset(
    {("plate", "text"), ("plate", "normalized_text"), ("resolved", "text"), ("resolved", "previous_text")}
)
_FOREIGN_NAMES = {
    "node.site": ("site_id",),  # rule files of other ALPR platforms call the site so
    "timestamp": ("captured_at",),
    "site": ("site_id",),
    "camera": ("camera_id",),
    "region": ("plate", "region"),
    "resolved.text": ("resolved", "text"),
}
EXTRAS = "extras."


@cache
def find_field(name: str) -> Field:
    """The field of a name.

    Raises:
        UnknownField: there is none; the message has the nearest one.
    """
    lowered = name.strip().lower()
    known = known_fields()
    if lowered in known:
        path, kind = known[lowered]
        return Field(name.strip(), path, kind)
    if lowered.startswith(EXTRAS) and len(lowered) > len(EXTRAS):
        return Field(name.strip(), ("extras", name.strip()[len(EXTRAS) :]), Kind.EXTRA)
    raise UnknownField(f"unknown field {shown(name)}{nearest(name, known)}")


@cache
def known_fields() -> dict[str, tuple[tuple[str, ...], Kind]]:
    """Name to path and kind: flat aliases first, then dotted paths, then names that other platforms use."""
    dotted = dict(_paths(Sighting, ()))
    kinds = dict(dotted.values())
    fields = {alias: (path, kinds[path]) for alias, path in SIGHTING_NAMES.items()}
    fields |= {name: (path, kind) for name, (path, kind) in dotted.items() if name not in fields}
    return fields | {name: (path, kinds[path]) for name, path in _FOREIGN_NAMES.items() if name not in fields}


def normal_text(value: str) -> str:
    """Text as comparisons see it: without case and outer space."""
    return value.strip().casefold()


def normal_plate(value: str) -> str:
    """A plate as comparisons see it."""
    return normalise(value)


def _paths(cls: type, above: tuple[str, ...]) -> list[tuple[str, tuple[tuple[str, ...], Kind]]]:
    found: list[tuple[str, tuple[tuple[str, ...], Kind]]] = []
    for name, hint in field_types(cls).items():
        path = (*above, name)
        if is_micros(hint):
            found.append((".".join(path), (path, Kind.TIME)))
            continue
        bare = _bare(hint)
        if is_dataclass(bare):
            found.extend(_paths(bare, path))  # type: ignore[arg-type]  # is_dataclass narrows to instance-or-class
        elif path in _PLATE_PATHS:
            found.append((".".join(path), (path, Kind.PLATE)))
        elif bare in _KINDS:
            found.append((".".join(path), (path, _KINDS[bare])))
    return found


_KINDS: dict[Any, Kind] = {str: Kind.TEXT, int: Kind.NUMBER, float: Kind.NUMBER, bool: Kind.FLAG}


def _bare(hint: Any) -> Any:
    if get_origin(hint) in (Union, UnionType):
        return next(arg for arg in get_args(hint) if arg is not type(None))
    return hint
