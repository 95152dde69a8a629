"""What people did with dead letters: ``alpr.dlq.actions``, the audit trail and the reason why nothing is sent twice."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer

from cli.topic_reading import place_of, records
from schemas.clock import Micros, now_us, to_iso
from schemas.codec import EventCodec
from schemas.errors import SchemaError
from schemas.events import DeadLetter, DeadLetterAction
from schemas.topics import DLQ_ACTIONS

REPLAYED = "replayed"
DISCARDED = "discarded"
OPEN = "open"
"""State of a letter that nobody has done anything with."""


@dataclass(frozen=True, slots=True)
class ActionLog:
    """The actions so far.

    Attributes:
        by_letter: latest action of each letter.
        trail: all of them, in the order of the topic.
    """

    by_letter: dict[str, DeadLetterAction] = field(default_factory=dict)
    trail: list[DeadLetterAction] = field(default_factory=list)

    def state(self, letter_id: str) -> str:
        """``open``, ``replayed`` or ``discarded``."""
        action = self.by_letter.get(letter_id)
        return OPEN if action is None else action.action

    def why_settled(self, letter_id: str) -> str | None:
        """What was done with a letter, in words; None if it is open."""
        action = self.by_letter.get(letter_id)
        if action is None:
            return None
        return f"{action.action} by {action.actor} at {to_iso(action.acted_at)[:19]}"


def read_actions(reader: Consumer, codec: EventCodec, skipped: list[str]) -> ActionLog:
    """Read the actions.

    Args:
        reader: a consumer of its own; it is closed at the end.
        codec: for the actions.
        skipped: takes a line for each record that is no action.

    Raises:
        CommandError: the topic does not exist.
        KafkaException: no answer.
        RegistryUnavailable: no answer of the registry.
    """
    log = ActionLog()
    for message in records(reader, DLQ_ACTIONS):
        try:
            action: DeadLetterAction = codec.decode(DLQ_ACTIONS, message.value())
        except SchemaError as error:
            partition, offset = place_of(message)
            skipped.append(f"{DLQ_ACTIONS.name}[{partition}] offset {offset} is no action: {error}")
            continue
        log.trail.append(action)
        log.by_letter[action.dead_letter_id] = action
    return log


class ActionWriter:
    """Makes the records of actions by one person.

    Args:
        codec: encodes them; its registry is asked now, before anything is done that could not be noted.
        actor: who acts.
        reason: why, in words.
        now: wall clock in microseconds.

    Raises:
        RegistryUnavailable: no answer of the registry.
    """

    def __init__(
        self, codec: EventCodec, actor: str, reason: str | None = None, now: Callable[[], Micros] = now_us
    ) -> None:
        self._codec = codec
        self._actor = actor
        self._reason = reason
        self._now = now
        codec.prepare(DLQ_ACTIONS)

    def record(self, letter: DeadLetter, action: str) -> dict[str, Any]:
        """Topic, key and value of the record that says so, as `produce` takes them."""
        event = DeadLetterAction(
            dead_letter_id=letter.dead_letter_id,
            action=action,
            actor=self._actor,
            acted_at=self._now(),
            topic=letter.topic,
            partition=letter.partition,
            offset=letter.offset,
            agent=letter.agent,
            error_type=letter.error_type,
            retry_count=letter.retry_count,
            reason=self._reason,
        )
        return {
            "topic": DLQ_ACTIONS.name,
            "key": letter.dead_letter_id.encode(),
            "value": self._codec.encode(DLQ_ACTIONS, event),
            "partition": KEYED,
            "headers": [],
        }


KEYED = -1
"""librdkafka's PARTITION_UA: the key decides."""
