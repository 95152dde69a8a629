"""The job on this project's transport and tables: ``python -m faust -A bench.stream.workers.runs_worker worker``."""

import os
from typing import Any

from bench.stream.job import PARTITIONS, decode_read, encode_event, event_of, fold, is_new
from bench.stream.mark import FirstRecord
from schemas.endpoints import endpoints
from streams.role import Role
from streams.role_app import RoleApp
from streams.roles import lead
from streams.run import Output
from streams.settings import stream_settings

EVENTS = os.environ["BENCH_EVENTS"]
role = Role(os.environ["BENCH_RUN"], (), "reads to events")
role_app = RoleApp(role, stream_settings(), endpoints().kafka_bootstrap, primary=True)
last_seen = role_app.run_table("last", partitions=PARTITIONS, help="time of the last read of a plate by a camera")
first_record = FirstRecord()


@role_app.agent(role_app.runs(os.environ["BENCH_SOURCE"]))
async def deduplicate(runs: Any) -> None:
    """One event of the reads that follow each other: one look at the table and one step out per run."""
    async for run in runs:
        first_record()
        reads = [decode_read(record.value) for record in run.records]
        plates = [fold(read.plate) for read in reads]
        keys = [f"{read.camera_id}|{plate}".encode() for read, plate in zip(reads, plates, strict=True)]
        last = last_seen.get_many(run, dict.fromkeys(keys))
        outputs = []
        for read, plate, key in zip(reads, plates, keys, strict=True):
            seen = last[key]
            if is_new(None if seen is None else int(seen), read.captured_at):
                outputs.append(Output(EVENTS, plate.encode(), encode_event(event_of(read, plate))))
            last[key] = b"%d" % read.captured_at
        await run.finish({last_seen: last}, outputs)


app = lead([role_app])
