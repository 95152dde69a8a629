"""The dead-letter guard: the one place where an exception about one record becomes a dead letter.

Every agent uses it, so a record that cannot be handled never takes its neighbours, its partition or the worker with it.
"""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

from schemas.clock import MICROS_PER_MS, now_us
from schemas.codec import EventCodec
from schemas.errors import AlprError, ErrorType, Unavailable
from schemas.events import DeadLetter, Header
from schemas.keys import dead_letter_id
from schemas.record_kinds import is_event
from schemas.topics import DLQ
from streams.run import Output, Record, Run, RunFailed, RunRevoked
from telemetry import metrics
from telemetry.log import get_logger

Event = TypeVar("Event")
RETRY_HEADER = "alpr-retry-count"
"""Header of a replayed record: how often it has been replayed."""
MAX_MESSAGE_CHARS = 2_000
MAX_STACK_CHARS = 8_000
MAX_LETTER_BYTES = DLQ.max_message_bytes - 64 * 1024  # room for key, headers and batch
log = get_logger(__name__)


class DeadLetterGuard:
    """Turns failures about single records into outputs for the dead letter topic.

    Args:
        agent: name of the agent, as it stands in the letters.
        codec: encodes the letters. `prepare` makes it independent of the registry.
        now: wall clock in microseconds.
    """

    def __init__(self, agent: str, codec: EventCodec, now: Callable[[], int] = now_us) -> None:
        self.agent = agent
        self._codec = codec
        self._now = now

    def prepare(self) -> None:
        """Register the letters' schema now: a registry that is away at the time of a failure then stops nobody.

        Raises:
            RegistryUnavailable: no answer.
        """
        self._codec.prepare(DLQ)

    @contextmanager
    def watch(self, record: Record, outputs: list[Output]) -> Iterator[None]:
        """Run a piece of work on one record; its failure is appended to `outputs` as a dead letter.

        What is not the record's fault passes through: `Unavailable` (try again: `streams.retry.retrying`),
        `RunRevoked` and `RunFailed`.
        """
        try:
            yield
        except (Unavailable, RunRevoked, RunFailed):
            raise
        except Exception as error:  # noqa: BLE001 - this is the dead-letter guard: any failure of a record ends here
            outputs.append(self.dead_letter(record, error))

    def decode_run(
        self, run: Run, decode: Callable[[Record], Event], *, events_only: bool = False
    ) -> tuple[list[tuple[Record, Event]], list[Output]]:
        """Decode each record of a run; what does not decode becomes a dead letter, the rest goes on.

        Args:
            run: the run in hand.
            decode: gives the event of a record or raises.
            events_only: pass over clocks and ticks, undecoded (`schemas.record_kinds`).

        Returns:
            Records with their events, in order, and the dead letters to add to the run's outputs.

        Raises:
            Unavailable: the registry did not answer; no record is at fault.
        """
        events: list[tuple[Record, Event]] = []
        letters: list[Output] = []
        records = run.records
        if events_only:
            records = [record for record in records if is_event(record.headers)]
        for record in records:
            try:
                events.append((record, decode(record)))
            except (Unavailable, RunRevoked, RunFailed):
                raise
            except Exception as error:  # noqa: BLE001 - this is the dead-letter guard; a loop without a context
                # manager per record, for speed
                letters.append(self.dead_letter(record, error))
        return events, letters

    def dead_letter(self, record: Record, error: Exception) -> Output:
        """The output that keeps a record, whole, with the reason.

        The same record refused by the same agent has the same id. Headers repeat what people filter by.
        """
        error_type = classify(error)
        letter = DeadLetter(
            dead_letter_id=dead_letter_id(record.topic, record.partition, record.offset, self.agent),
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            recorded_at=max(0, record.timestamp) * MICROS_PER_MS,
            key=record.key,
            value=record.value,
            headers=tuple(Header(name, value) for name, value in record.headers),
            agent=self.agent,
            error_type=error_type.value,
            message=_shorten(str(error) or type(error).__name__, MAX_MESSAGE_CHARS),
            stack=None if isinstance(error, AlprError) else _stack(error),
            retry_count=retry_count(record),
            failed_at=self._now(),
        )
        metrics.DEAD_LETTERS.labels(self.agent, error_type.value).inc()
        log.warning(
            "dead letter", agent=self.agent, topic=record.topic, partition=record.partition, offset=record.offset,
            error_type=error_type.value, error=letter.message,
        )  # fmt: skip
        value = self._codec.encode(DLQ, letter)
        if len(value) > MAX_LETTER_BYTES:  # a letter that Kafka refuses would stop the worker for good
            note = f"{letter.message} [value of {len(record.value or b'')} bytes left out: see the original record]"
            value = self._codec.encode(DLQ, replace(letter, value=None, message=note))
        return Output(
            DLQ.name,
            f"{record.topic}/{record.partition}".encode(),
            value,
            headers=(
                ("topic", record.topic.encode()),
                ("partition", str(record.partition).encode()),
                ("offset", str(record.offset).encode()),
                ("error_type", error_type.value.encode()),
                ("agent", self.agent.encode()),
            ),
        )


def classify(error: BaseException) -> ErrorType:
    """Error type of an exception: what its branch of the tree says; TIMEOUT for time-outs; else UNKNOWN."""
    if isinstance(error, AlprError):
        return error.error_type
    if isinstance(error, TimeoutError):
        return ErrorType.TIMEOUT
    return ErrorType.UNKNOWN


def retry_count(record: Record) -> int:
    """How often a record has been replayed, from its headers; 0 for what is no number."""
    for name, value in record.headers:
        if name == RETRY_HEADER and value is not None and value.isdigit() and len(value) < 10:
            return int(value)
    return 0


def _stack(error: BaseException) -> str:
    return _shorten("".join(traceback.format_exception(error)), MAX_STACK_CHARS, keep_end=True)


def _shorten(text: str, limit: int, *, keep_end: bool = False) -> str:
    text = text.encode("utf-8", "replace").decode()  # Avro strings are UTF-8: lone surrogates would not encode
    if len(text) <= limit:
        return text
    return "…" + text[1 - limit :] if keep_end else text[: limit - 1] + "…"
