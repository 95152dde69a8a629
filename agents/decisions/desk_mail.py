"""What the notifier sends to itself: alerts that must come together in one partition before they are told.

Alerts are partitioned by rule and group. What mutes an alert, what it is told together with, and the digest that it
ends in may lie elsewhere, so the alert travels to the partition of what they share, on ``alpr.notifications.wakes``.
Its value stays as it was raised; headers say why it travels and where its record stands.
"""

from dataclasses import dataclass

from schemas.errors import SchemaError
from schemas.topics import NOTIFICATION_WAKES
from streams.run import Output, Record
from tables.notifications import KeptRecord

RAISED, MUTING, GROUPING, DIGESTING = "raised", "muting", "grouping", "digesting"
"""Stages of an alert at the notifier, in order. The last is for those that are late."""
STAGE_HEADER, ORIGIN_HEADER, KEY_HEADER, RECIPIENT_HEADER = (
    *("alpr-stage", "alpr-origin", "alpr-origin-key"),
    "alpr-recipient",
)
_OWN = frozenset({STAGE_HEADER, ORIGIN_HEADER, KEY_HEADER, RECIPIENT_HEADER})


@dataclass(frozen=True, slots=True)
class Arrived:
    """An alert's record at one of its stages.

    Attributes:
        stage: where it stands.
        record: as it was raised.
        recipient: channel and identity, where it is for one recipient alone.
    """

    stage: str
    record: KeptRecord
    recipient: tuple[str, str] | None = None


def sent_on(record: KeptRecord, stage: str, key: str, recipient: tuple[str, str] | None = None) -> Output:
    """The record that brings an alert to its next stage.

    Args:
        record: the alert's, as it was raised.
        stage: where it goes.
        key: what it shares with those that it must meet.
        recipient: channel and identity of the only recipient that it is for.
    """
    origin = f"{record.topic}/{record.partition}/{record.offset}/{record.timestamp}"
    headers: list[tuple[str, bytes | None]] = [(STAGE_HEADER, stage.encode()), (ORIGIN_HEADER, origin.encode())]
    headers.append((KEY_HEADER, record.key))
    if recipient is not None:
        headers.append((RECIPIENT_HEADER, "\n".join(recipient).encode()))
    headers += [header for header in record.headers if header[0] not in _OWN]
    return Output(NOTIFICATION_WAKES.name, f"{stage}|{key}".encode(), record.value, headers=tuple(headers))


def arrived(record: Record) -> Arrived:
    """What a record of the notifier to itself brings.

    Raises:
        SchemaError: it is none.
    """
    found = dict(record.headers)
    stage = (found.get(STAGE_HEADER) or b"").decode(errors="replace")
    if stage not in (MUTING, GROUPING, DIGESTING):
        raise SchemaError(f"not from this notifier: no known {STAGE_HEADER}")
    topic, *numbers = (found.get(ORIGIN_HEADER) or b"").decode(errors="replace").split("/")
    try:
        partition, offset, timestamp = (int(number) for number in numbers)
    except ValueError as error:
        raise SchemaError(f"not from this notifier: {ORIGIN_HEADER} tells no place") from error
    channel, _, identity = (found.get(RECIPIENT_HEADER) or b"").decode(errors="replace").partition("\n")
    headers = tuple((name, value) for name, value in record.headers if name not in _OWN)
    kept = KeptRecord(topic, partition, offset, timestamp, found.get(KEY_HEADER), record.value, headers)
    return Arrived(stage, kept, (channel, identity) if channel else None)
