"""The job on Faust as it comes, an event at a time: ``python -m faust -A bench.stream.workers.faust_worker worker``."""

import os
from typing import Any

import faust
from faust.serializers.codecs import Codec, register

from bench.stream.job import PARTITIONS, decode_read, encode_event, event_of, fold, is_new
from bench.stream.mark import FirstRecord


class ReadOrEvent(Codec):
    """Reads in, events out."""

    def _loads(self, s: bytes) -> Any:
        return decode_read(s)

    def _dumps(self, obj: Any) -> bytes:
        return encode_event(obj)


register("bench", ReadOrEvent())
app = faust.App(
    os.environ["BENCH_RUN"],
    broker=f"kafka://{os.environ['BENCH_KAFKA']}",
    store="rocksdb://",
    datadir=os.environ["BENCH_STATE"],
    topic_partitions=PARTITIONS,
    topic_replication_factor=1,
    topic_disable_leader=True,
    consumer_auto_offset_reset="earliest",
    processing_guarantee="at_least_once",
    producer_acks=-1,
    producer_linger=int(os.environ["BENCH_LINGER_MS"]) / 1000,
    broker_commit_interval=int(os.environ["BENCH_COMMIT_MS"]) / 1000,
    autodiscover=False,
    web_enabled=False,
)
reads = app.topic(os.environ["BENCH_SOURCE"], value_serializer="bench", key_serializer="raw")
events = app.topic(os.environ["BENCH_EVENTS"], value_serializer="bench", key_serializer="raw")
last_seen = app.Table("last", default=None, partitions=PARTITIONS, options={"driver": "rocksdict"})
first_record = FirstRecord()


@app.agent(reads)
async def deduplicate(stream: Any) -> None:
    """One event of the reads that follow each other."""
    async for read in stream:
        first_record()
        plate = fold(read.plate)
        key = f"{read.camera_id}|{plate}"
        last = last_seen.get(key)
        last_seen[key] = read.captured_at
        if is_new(last, read.captured_at):
            await events.send(key=plate.encode(), value=event_of(read, plate))
