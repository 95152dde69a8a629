"""Deterministic ids: the same input gives the same id, so that writing twice is writing once.

All are version 5 UUIDs (RFC 9562, 5.5) in one namespace, of a text that starts with the kind of thing.
"""

from collections.abc import Iterable
from uuid import UUID, uuid5

NAMESPACE = UUID("5b1f5b53-6f0c-5d6e-9d0b-0f1f6d1d6a01")


def detection_id(camera_id: str, stream_started_at_us: int, track_id: str) -> str:
    """Id of a detection, shared by its early and its final message."""
    return _id("detection", camera_id, str(stream_started_at_us), track_id)


def foreign_detection_id(topic: str, partition: int, offset: int) -> str:
    """Id of a detection whose producer gave none: where it stands in the log."""
    return _id("foreign", topic, str(partition), str(offset))


def split_pass_id(pass_id: str, event_id: str) -> str:
    """Id of a pass that was parted from another one.

    Args:
        pass_id: the pass that it was a part of.
        event_id: a detection of it.
    """
    return _id("split-pass", pass_id, event_id)


def frame_object_id(camera_id: str, frame: str, place: str) -> str:
    """Id of one object of a frame that a producer sent as a whole; sent twice it is the same.

    Args:
        camera_id: camera or sensor.
        frame: what names the frame, message id or frame number with its time.
        place: place of the object in the frame.
    """
    return _id("frame-object", camera_id, frame, place)


def visit_id(site_id: str, gate: str, event_id: str) -> str:
    """Id of a visit.

    Args:
        site_id: where.
        gate: ``entry``, or ``exit`` for a visit whose entry is not known.
        event_id: of the sighting that started it.
    """
    return _id("visit", site_id, gate, event_id)


def alert_id(rule_id: str, group: str, trigger: str) -> str:
    """Id of an alert; the trigger is an event id or the start of a window."""
    return _id("alert", rule_id, group, trigger)


def notification_id(alert: str, channel: str, recipient: str) -> str:
    """Id of a notification; also the idempotency key that receivers see."""
    return _id("notification", alert, channel, recipient)


def message_id(kind: str, parts: Iterable[str]) -> str:
    """Id of a message that stands for several things; the same ones in the same order have the same id."""
    return _id("message", kind, *parts)


def dead_letter_id(topic: str, partition: int, offset: int, agent: str) -> str:
    """Id of a dead letter: the same record refused by the same agent is the same letter."""
    return _id("dead-letter", topic, str(partition), str(offset), agent)


def _id(kind: str, *parts: str) -> str:
    # lengths in front keep ("a", "bc") and ("ab", "c") apart
    return str(uuid5(NAMESPACE, kind + "".join(f"|{len(part)}:{part}" for part in parts)))
