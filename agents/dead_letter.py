"""The dead_letter agent: an account of what could not be handled. Looking at it and replaying it is `alpr dlq`.

What people did with letters is not kept here but on ``alpr.dlq.actions``: who replays must know it without a worker.
"""

from collections import Counter
from functools import cache
from typing import Any

from agents.decisions.dead_letters import add_letters, index_letters
from schemas.codec import EventCodec
from schemas.events import DeadLetter
from schemas.topics import DLQ
from schemas.wiring import codec
from streams.guard import DeadLetterGuard
from streams.retry import retrying
from streams.roles import role_app
from streams.run import Output, Record, Run
from tables.dead_letters import LetterCount, LetterEntry, kind_of
from tables.serde import INTEGER, TEXT, record
from tables.state import Changes, StateTable
from telemetry.log import get_logger

log = get_logger(__name__)
Letters = list[tuple[Record, DeadLetter]]


class Registrar:
    """Keeps counts and an index of dead letters.

    Args:
        counts: `kind_of` a letter to its count.
        latest: slot to entry.
        codec: reads the letters.
        guard: keeps what is on the topic and is no letter.
    """

    def __init__(
        self,
        counts: StateTable[str, LetterCount],
        latest: StateTable[int, LetterEntry],
        codec: EventCodec,
        guard: DeadLetterGuard,
    ) -> None:
        self._counts = counts
        self._latest = latest
        self._codec = codec
        self._guard = guard

    async def handle(self, run: Run) -> None:
        """Account for the letters of a run."""
        letters, outputs = await retrying(lambda: self._decode(run), run=run, what="schema registry")
        known = self._counts.get_many(run, {kind_of(letter) for _, letter in letters})
        changed = add_letters(known, letters)
        changes = Changes()
        changes.put_many(self._counts, changed)
        changes.put_many(self._latest, index_letters(letters))
        if await run.finish(changes, outputs) and letters:
            new = Counter(f"{letter.agent}/{letter.error_type}" for _, letter in letters)
            total = sum(count.count for count in changed.values())
            log.warning("dead letters", partition=run.tp.partition, new=dict(new), total_of_these_kinds=total)

    async def _decode(self, run: Run) -> tuple[Letters, list[Output]]:
        self._codec.prepare(DLQ)
        return self._guard.decode_run(run, self._read)

    def _read(self, record: Record) -> DeadLetter:
        letter: DeadLetter = self._codec.decode(DLQ, record.value)
        return letter


app = role_app("dead_letter")
letter_counts: StateTable[str, LetterCount] = StateTable(
    app,
    "dead_letter_counts",
    TEXT,
    record(LetterCount),
    partitions=DLQ.partitions,
    help="Dead letters by topic, agent and error type",
)
latest_letters: StateTable[int, LetterEntry] = StateTable(
    app,
    "latest_dead_letters",
    INTEGER,
    record(LetterEntry),
    partitions=DLQ.partitions,
    help="The latest dead letters and where they stand",
)


@cache
def registrar() -> Registrar:
    """The process's registrar, made at first use: an import must not need a registry."""
    return Registrar(letter_counts, latest_letters, codec(), DeadLetterGuard("dead_letter", codec()))


@app.agent(app.runs(DLQ.name))
async def account_dead_letters(runs: Any) -> None:
    """Count dead letters by topic, agent and error type, and keep an index of the latest."""
    async for run in runs:
        await registrar().handle(run)
