"""Agent of the alerts role: rules that look at pairs of plates (convoys); their meetings come by pair."""

from functools import cache
from typing import Any

from agents.correlation_stage import CorrelationStage, StageReader
from agents.rules_in_force import book
from schemas.topics import REKEYED_PAIR
from schemas.wiring import codec
from streams.guard import DeadLetterGuard
from streams.roles import role_app

app = role_app("alerts")
pair_correlations = app.run_table(
    "pair_correlations", partitions=REKEYED_PAIR.partitions, help="What correlations know of pairs of plates"
)


@cache
def reader() -> StageReader:
    """The process's reader, made at first use."""
    guard = DeadLetterGuard("correlate_pairs", codec())
    return StageReader(CorrelationStage(2, pair_correlations, book, codec(), guard), codec(), guard)


@app.agent(app.runs(REKEYED_PAIR.name))
async def correlate_pairs(runs: Any) -> None:
    """Decide the correlations of pairs."""
    async for run in runs:
        await reader().handle(run)
