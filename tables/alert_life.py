"""Table of the notify role: what is to be told later, and what mutes what.

==============  =======================  ================================================================
key             value                    meaning
==============  =======================  ================================================================
``d`` time id   empty                    index: when which of the rows below is due
``g`` group     state                    a group of alerts that are told together
``m`` group id  the alert's record       an alert that waits for its group's message
``e`` alert     state and record         an alert that escalates unless somebody takes care of it
``s`` recipient state                    a digest that is being collected
``t`` recip. id the alert's record       a late alert that waits for its recipient's digest
``i`` group     a list of sources        alerts that mute lesser ones
==============  =======================  ================================================================

Partitioned as ``alpr.alerts``; what belongs together is brought to one partition by ``alpr.notifications.wakes``.
Names in keys are hashed: they may be long and hold anything.
"""

import hashlib
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from schemas.clock import Micros
from tables.notifications import KeptRecord, record_body, record_of

LIFE = "alert_life"
GROUP, ESCALATION, DIGEST = b"g", b"e", b"s"
"""Kinds of rows that become due."""
_DUE, _MEMBER, _ENTRY, _SOURCES = b"d", b"m", b"t", b"i"
_MEMBERS_OF = {GROUP: _MEMBER, DIGEST: _ENTRY}
_TIME = struct.Struct(">q")
_NAME_BYTES = 16
_DUE_AT_ONCE = 200


class Rows(Protocol):
    """What this module needs of a `tables.run_rows.RunRows`."""

    changes: dict[bytes, bytes | None]

    def get_many(self, keys: list[bytes]) -> dict[bytes, bytes | None]:
        """Values of keys."""

    def scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Rows in key order."""


@dataclass(frozen=True, slots=True)
class Due:
    """Something whose time has come, or will.

    Attributes:
        at: when.
        kind: `GROUP`, `ESCALATION` or `DIGEST`.
        name: hashed name of the row.
    """

    at: Micros
    kind: bytes
    name: bytes

    @property
    def key(self) -> bytes:
        """Key of its row."""
        return self.kind + self.name


def named(name: str) -> bytes:
    """The name as it stands in keys."""
    return hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=_NAME_BYTES).digest()


class AlertLifeRows:
    """The rows of a run.

    Args:
        rows: the table bound to the run.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    @property
    def changes(self) -> dict[bytes, bytes | None]:
        """What is to be written with the run."""
        return self._rows.changes

    def get(self, kind: bytes, name: bytes) -> dict[str, Any] | None:
        """The state of a row; None where there is none."""
        value = self._rows.get_many([kind + name])[kind + name]
        return None if value is None else json.loads(value)

    def put(self, kind: bytes, name: bytes, body: dict[str, Any], at: Micros) -> None:
        """Write a row that is due at a time, in place of what it was.

        Args:
            kind: of the row.
            name: as `named` gives it.
            body: JSON values; ``at`` is added.
            at: when it is due.
        """
        self.drop(kind, name)
        self._rows.changes[kind + name] = _json({**body, "at": at})
        self._rows.changes[_due_key(at, kind, name)] = b""

    def drop(self, kind: bytes, name: bytes) -> None:
        """Forget a row; its members stay."""
        before = self.get(kind, name)
        if before is not None:
            self._rows.changes[_due_key(before["at"], kind, name)] = None
            self._rows.changes[kind + name] = None

    def add_member(self, kind: bytes, name: bytes, member: str, record: KeptRecord, more: dict[str, Any]) -> None:
        """Keep an alert for a group or a digest."""
        self._rows.changes[_MEMBERS_OF[kind] + name + named(member)] = _json({**more, **record_body(record)})

    def has_member(self, kind: bytes, name: bytes, member: str) -> bool:
        """Whether it is kept already."""
        key = _MEMBERS_OF[kind] + name + named(member)
        return self._rows.get_many([key])[key] is not None

    def take_members(self, kind: bytes, name: bytes) -> list[tuple[KeptRecord, dict[str, Any]]]:
        """All that is kept for a group or a digest, which keeps nothing from now on."""
        start = _MEMBERS_OF[kind] + name
        found = []
        for key, value in list(self._rows.scan(start, _after(start))):
            body = json.loads(value)
            found.append((record_of(body), body))
            self._rows.changes[key] = None
        return found

    def sources(self, name: bytes) -> list[dict[str, Any]]:
        """What mutes the alerts of a group."""
        value = self._rows.get_many([_SOURCES + name])[_SOURCES + name]
        return [] if value is None else json.loads(value)

    def put_sources(self, name: bytes, sources: list[dict[str, Any]]) -> None:
        """Write them."""
        self._rows.changes[_SOURCES + name] = _json(sources) if sources else None

    def due(self, now: Micros) -> list[Due]:
        """What is due, the oldest first; a bounded number at once."""
        found = []
        for key, _ in self._rows.scan(_DUE, _DUE + _TIME.pack(max(0, now) + 1)):
            found.append(_due(key))
            if len(found) == _DUE_AT_ONCE:
                break
        return found

    def next_due_at(self) -> Micros | None:
        """When something is due next."""
        return next((_due(key).at for key, _ in self._rows.scan(_DUE, _after(_DUE))), None)


def _due_key(at: Micros, kind: bytes, name: bytes) -> bytes:
    return _DUE + _TIME.pack(max(0, at)) + kind + name


def _due(key: bytes) -> Due:
    time = len(_DUE) + _TIME.size
    return Due(_TIME.unpack(key[len(_DUE) : time])[0], key[time : time + 1], key[time + 1 :])


def _after(prefix: bytes) -> bytes:
    """The first key behind all that begin so (no prefix here ends in 0xff alone)."""
    head = prefix.rstrip(b"\xff")
    return head[:-1] + bytes([head[-1] + 1])


def _json(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
