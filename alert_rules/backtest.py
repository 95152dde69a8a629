"""Runs the engine over sightings of the past. The same sightings in the same order give the alerts of the live run."""

from collections.abc import Iterable, Iterator

from alert_rules.engine import Decision, Engine
from schemas.events import Sighting


def backtest(engine: Engine, sightings: Iterable[Sighting]) -> Iterator[tuple[Sighting, Decision]]:
    """Decide sighting after sighting, with a memory that starts empty.

    Yields:
        Those that a rule matched, with the decision.
    """
    memory: dict[bytes, bytes | None] = {}
    for sighting in sightings:
        match = engine.match(sighting)
        if match is not None:
            decision = engine.decide(match, memory)
            memory.update(decision.changes)
            yield sighting, decision
