"""The job on Quix Streams: ``python -m bench.stream.workers.quix_worker``, in an environment of its own."""

import os
from typing import Any

from quixstreams import Application, State  # type: ignore[import-not-found]  # only in its own environment
from quixstreams.models.serializers import Deserializer, Serializer  # type: ignore[import-not-found]  # the same

from bench.stream.job import decode_read, encode_event, event_of, fold, is_new
from bench.stream.mark import FirstRecord


class ReadDeserializer(Deserializer):  # type: ignore[misc]  # of a module that is not here
    """Reads in."""

    def __call__(self, value: bytes, ctx: Any) -> Any:  # noqa: ARG002 - named by Quix
        """Decode a record."""
        return decode_read(value)


class EventSerializer(Serializer):  # type: ignore[misc]  # of a module that is not here
    """Events out."""

    def __call__(self, value: Any, ctx: Any) -> bytes:  # noqa: ARG002 - named by Quix
        """Encode a record."""
        return encode_event(value)


app = Application(
    broker_address=os.environ["BENCH_KAFKA"],
    consumer_group=os.environ["BENCH_RUN"],
    auto_offset_reset="earliest",
    state_dir=os.environ["BENCH_STATE"],
    processing_guarantee="at-least-once",
    commit_interval=int(os.environ["BENCH_COMMIT_MS"]) / 1000,
    loglevel="WARNING",
    # librdkafka's default of 1 s would let the consumer starve: it stops fetching at every full queue
    consumer_extra_config={"fetch.queue.backoff.ms": 5},
    producer_extra_config={
        "acks": "all",
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        "compression.type": "none",
        "linger.ms": int(os.environ["BENCH_LINGER_MS"]),
    },
)
first_record = FirstRecord()


def deduplicate(read: Any, state: State) -> Any:
    """The event of a read, None for a repeat. State belongs to the camera, which is the key of the topic."""
    first_record()
    plate = fold(read.plate)
    last = state.get(plate)
    state.set(plate, read.captured_at)
    return event_of(read, plate) if is_new(last, read.captured_at) else None


reads = app.topic(os.environ["BENCH_SOURCE"], value_deserializer=ReadDeserializer(), key_deserializer="str")
events = app.topic(os.environ["BENCH_EVENTS"], value_serializer=EventSerializer(), key_serializer="str")
frame = app.dataframe(reads).apply(deduplicate, stateful=True).filter(lambda event: event is not None)
frame.to_topic(events, key=lambda event: event.match_key)

if __name__ == "__main__":
    app.run()
