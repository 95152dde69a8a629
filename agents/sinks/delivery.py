"""From a run to a sink: the one loop that all indexing agents share.

Decode, write, dead-letter what is refused, finish. While the store does not answer, the run stays open: its offset is
held, and because each store has a role of its own, nobody else waits.
"""

from collections.abc import Sequence
from typing import Generic, TypeVar

from agents.sinks.port import Sink
from schemas.codec import EventCodec
from schemas.topics import DLQ, Topic
from streams.guard import DeadLetterGuard
from streams.retry import retrying
from streams.run import Output, Record, Run
from telemetry.log import get_logger

Event = TypeVar("Event")
log = get_logger(__name__)


class Delivery(Generic[Event]):
    """Carries the events of one topic to one sink.

    Args:
        agent: name that dead letters bear.
        topic: where the events stand.
        sink: where they go.
        codec: decodes them.
    """

    def __init__(self, agent: str, topic: Topic, sink: Sink[Event], codec: EventCodec) -> None:
        self._agent = agent
        self._topic = topic
        self._codec = codec
        self._guard = DeadLetterGuard(agent, codec)
        self._prepared = False
        self.sink = sink

    async def handle(self, run: Run) -> None:
        """Take a run to its end.

        Raises:
            RunRevoked: the partition went to another worker while the store did not answer.
        """
        _, letters = await self.deliver(run)
        await run.finish({}, letters)

    async def deliver(self, run: Run) -> tuple[list[Event], list[Output]]:
        """Write the events of a run, however long that takes; the caller finishes the run.

        Returns:
            The events that stand in the store now, and the dead letters to finish the run with.

        Raises:
            RunRevoked: as in `handle`.
        """
        events, letters = await retrying(lambda: self._decode(run), run=run, what="schema registry")
        if not events:
            return [], letters
        batch: Sequence[Event] = [event for _, event in events]
        rejections = await retrying(lambda: self.sink.write(batch), run=run, what=self.sink.name)
        for rejection in rejections:
            letters += self._letter(events[rejection.index][0], rejection.error)
        refused = {rejection.index for rejection in rejections}
        return [event for index, event in enumerate(batch) if index not in refused], letters

    async def _decode(self, run: Run) -> tuple[list[tuple[Record, Event]], list[Output]]:
        if not self._prepared:
            self._guard.prepare()
            self._prepared = True
        events, letters = self._guard.decode_run(
            run, lambda record: self._codec.decode(self._topic, record.value), events_only=True
        )
        if self._topic is not DLQ:
            return events, letters
        if letters:
            log.error("records on the dead letter topic are no dead letters", agent=self._agent, count=len(letters))
        return events, []  # a letter about a letter would go round for ever

    def _letter(self, record: Record, error: Exception) -> list[Output]:
        if self._topic is DLQ:
            log.error("dead letter cannot be stored", agent=self._agent, offset=record.offset, error=str(error))
            return []
        return [self._guard.dead_letter(record, error)]
