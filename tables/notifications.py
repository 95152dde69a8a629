"""Tables of the notify role: what was delivered, so that it is not delivered again, and what still waits.

``sent_notifications`` holds, for each notification that got through, when it may be forgotten (``n`` + id), and an
index by that time (``x`` + time + id), so that forgetting reads only what is due. ``pending_notifications`` holds
what a run handed over unsettled, with the alert's record: all that is needed to go on after a restart.
Both are partitioned as ``alpr.alerts``.
"""

import base64
import json
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from schemas.clock import Micros
from streams.run import Headers, Record, Run

SENT = "sent_notifications"
PENDING = "pending_notifications"
Rows = dict[bytes, bytes | None]
_ID, _EXPIRY = b"n", b"x"
_TIME = struct.Struct(">q")
_FORGET_AT_ONCE = 500


class BytesTable(Protocol):
    """What this module needs of a `streams.table.RunTable`."""

    def get_many(self, run: Run, keys: Iterable[bytes]) -> dict[bytes, bytes | None]:
        """Values of keys in the run's partition."""

    def scan(self, run: Run, start: bytes, stop: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Rows of the run's partition in key order."""


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """A Kafka record that outlives its run."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    @classmethod
    def of(cls, record: Record) -> "KeptRecord":
        """A copy of a record as it was fetched."""
        headers = tuple((name, value) for name, value in record.headers)
        return cls(record.topic, record.partition, record.offset, record.timestamp, record.key, record.value, headers)


@dataclass(frozen=True, slots=True)
class KeptMessage:
    """A message that is more than one alert as it was raised.

    Attributes:
        key: what its notification ids are made of.
        value: what it says: an alert, encoded.
        parts: what it stands for: the key of each with the alert's record, or None where it is the message itself.
    """

    key: str
    value: bytes
    parts: tuple[tuple[str, KeptRecord | None], ...]


@dataclass(frozen=True, slots=True)
class Pending:
    """A notification that waits for its receiver.

    Attributes:
        notification_id: whose.
        channel: by which it goes.
        recipient: to whom, as receipts show it.
        record: the alert's record.
        attempts: tries before the hand-over.
        deadline: when it is given up, wall clock.
        told: the message; None: the alert of the record, as it is.
    """

    notification_id: str
    channel: str
    recipient: str
    record: KeptRecord
    attempts: int
    deadline: Micros
    told: KeptMessage | None = None


def delivered_rows(notification_id: str, forget_at: Micros) -> Rows:
    """The rows that remember a delivery until `forget_at`."""
    key = notification_id.encode()
    moment = _TIME.pack(max(0, forget_at))
    return {_ID + key: moment, _EXPIRY + moment + key: b""}


def delivered(table: BytesTable, run: Run, notification_ids: Iterable[str]) -> set[str]:
    """Those of the ids that got through before."""
    keys = {_ID + text.encode(): text for text in notification_ids}
    return {keys[key] for key, value in table.get_many(run, keys).items() if value is not None}


def forgotten_rows(table: BytesTable, run: Run, before: Micros) -> Rows:
    """Deletions of what may be forgotten before the time; a bounded number at once."""
    stop = _EXPIRY + _TIME.pack(max(0, before))
    rows: Rows = {}
    for key, _ in islice(table.scan(run, _EXPIRY, stop), _FORGET_AT_ONCE):
        rows[key] = None
        rows[_ID + key[len(_EXPIRY) + _TIME.size :]] = None
    return rows


def pending_row(pending: Pending) -> Rows:
    """The row of a notification that waits."""
    body: dict[str, Any] = {
        "channel": pending.channel,
        "recipient": pending.recipient,
        "attempts": pending.attempts,
        "deadline": pending.deadline,
        **record_body(pending.record),
    }
    if pending.told is not None:
        body["told"] = {
            "key": pending.told.key,
            "value": _text(pending.told.value),
            "parts": [[key, record and record_body(record)] for key, record in pending.told.parts],
        }
    return {pending.notification_id.encode(): json.dumps(body, separators=(",", ":")).encode()}


def settled_row(notification_id: str) -> Rows:
    """The row of a notification that waits no longer."""
    return {notification_id.encode(): None}


def pending(table: BytesTable, run: Run, notification_ids: Iterable[str]) -> set[str]:
    """Those of the ids that wait already."""
    keys = {text.encode(): text for text in notification_ids}
    return {keys[key] for key, value in table.get_many(run, keys).items() if value is not None}


def all_pending(table: BytesTable, run: Run) -> list[Pending]:
    """Everything of the run's partition that waits."""
    return [_pending(key, value) for key, value in table.scan(run, b"")]


def record_body(record: KeptRecord) -> dict[str, Any]:
    """A record in words that JSON has."""
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": _text(record.key),
        "value": _text(record.value),
        "headers": [[name, _text(value)] for name, value in record.headers],
    }


def record_of(body: dict[str, Any]) -> KeptRecord:
    """The record that `record_body` wrote."""
    headers = tuple((name, _bytes(text)) for name, text in body["headers"])
    return KeptRecord(
        body["topic"],
        body["partition"],
        body["offset"],
        body["timestamp"],
        _bytes(body["key"]),
        _bytes(body["value"]),
        headers,
    )


def _pending(key: bytes, value: bytes) -> Pending:
    body = json.loads(value)
    told = None
    if "told" in body:
        kept = body["told"]
        parts = tuple((name, record and record_of(record)) for name, record in kept["parts"])
        told = KeptMessage(kept["key"], _bytes(kept["value"]) or b"", parts)
    record = record_of(body)
    return Pending(key.decode(), body["channel"], body["recipient"], record, body["attempts"], body["deadline"], told)


def _text(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
