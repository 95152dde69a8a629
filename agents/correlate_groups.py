"""Agent of the alerts role: rules that look at cameras, sites and other groups; their events come by group."""

from functools import cache
from typing import Any

from agents.correlation_stage import CorrelationStage, StageReader
from agents.rules_in_force import book
from schemas.topics import REKEYED_GROUP
from schemas.wiring import codec
from streams.guard import DeadLetterGuard
from streams.roles import role_app

app = role_app("alerts")
group_correlations = app.run_table(
    "group_correlations", partitions=REKEYED_GROUP.partitions, help="What correlations know of cameras, sites, ..."
)


@cache
def reader() -> StageReader:
    """The process's reader, made at first use."""
    guard = DeadLetterGuard("correlate_groups", codec())
    return StageReader(CorrelationStage(1, group_correlations, book, codec(), guard), codec(), guard)


@app.agent(app.runs(REKEYED_GROUP.name))
async def correlate_groups(runs: Any) -> None:
    """Decide the correlations of groups."""
    async for run in runs:
        await reader().handle(run)
