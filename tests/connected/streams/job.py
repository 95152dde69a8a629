"""The worker under test: ``faust -A tests.connected.streams.job worker``.

Two roles: ``dedup`` makes one event of the reads of a key that follow each other within the gap (state in a run table),
``sink`` counts those events. What they do wrong is chosen by the environment (JOB_*).
"""

import asyncio
import os
from contextlib import suppress
from pathlib import Path

from schemas.codec import EventCodec
from schemas.endpoints import endpoints
from schemas.errors import SinkUnavailable
from schemas.registry import MemoryRegistry
from streams.guard import DeadLetterGuard
from streams.retry import retrying
from streams.role import Role
from streams.role_app import RoleApp
from streams.roles import lead
from streams.run import Output, Record
from streams.settings import stream_settings
from tests.connected.streams.reads import Read, event_id_of

RUN_ID = os.environ["JOB_RUN_ID"]
SOURCE = os.environ["JOB_SOURCE"]
EVENTS = os.environ["JOB_EVENTS"]
SLOW_S = float(os.environ.get("JOB_SLOW_S", "0"))
SINK = os.environ.get("JOB_SINK", "count")  # count, slow, stuck, stubborn, fail, away
FAIL_ONCE = os.environ.get("JOB_FAIL_ONCE")  # body, large (for the client), refused (by the broker)
MARK = Path(os.environ["ALPR_DATADIR"]).with_suffix(".failed")

settings = stream_settings()
bootstrap = endpoints().kafka_bootstrap
dedup_app = RoleApp(Role(f"{RUN_ID}-dedup", (), "reads to events"), settings, bootstrap, primary=True)
sink_app = RoleApp(Role(f"{RUN_ID}-sink", (), "events to nowhere"), settings, bootstrap)

last_seen = dedup_app.run_table("last_seen", partitions=4, help="time of the last read of a key")
guard = DeadLetterGuard("deduplicate", EventCodec(MemoryRegistry()))
guard.prepare()


def decode(record: Record) -> Read:
    """Read a record of the source topic."""
    return Read.decode(record.value)


@dedup_app.agent(dedup_app.runs(SOURCE))
async def deduplicate(runs):  # type: ignore[no-untyped-def]  # Faust's stream type is its own
    """Make one event of reads that follow each other."""
    async for run in runs:
        reads, letters = guard.decode_run(run, decode)
        state = last_seen.get_many(run, dict.fromkeys(read.key for _, read in reads))
        outputs = list(letters)
        for _, read in reads:
            last = state[read.key]
            if last is None or read.is_new_after(int(last)):
                outputs.append(Output(EVENTS, read.key, event_id_of(read)))
            state[read.key] = b"%d" % read.time
        if SLOW_S:
            await asyncio.sleep(SLOW_S)
        if FAIL_ONCE and run.last > 500 and not MARK.exists():
            MARK.touch()
            if FAIL_ONCE == "body":
                raise ValueError("a body that raises")
            outputs.append(Output(EVENTS, b"k", b"x" * (20_000_000 if FAIL_ONCE == "large" else 200_000)))
        await run.finish({last_seen: state}, outputs)


@sink_app.agent(sink_app.runs(EVENTS))
async def sink(runs):  # type: ignore[no-untyped-def]  # Faust's stream type is its own
    """Count events.

    Or fail at it.
    """
    async for run in runs:
        if SINK == "slow":
            await asyncio.sleep(0.002 * len(run))
        if SINK == "stuck":
            await asyncio.sleep(3600)
        while SINK == "stubborn":
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(3600)
        if SINK == "fail":
            raise ValueError("a secondary role that fails")
        if SINK == "away":
            await retrying(_away, run=run, what="the sink")
        await run.finish()


async def _away() -> None:
    raise SinkUnavailable("not there", retry_after_s=30)


app = lead([dedup_app, sink_app])
