"""Runs the engine over sightings of the past. The same sightings in the same order give the alerts of the live run.

Correlations do not depend on the order: they are decided when time has passed, which here follows the sightings at a
distance, and at the end of the sightings catches up with them.
"""

from collections.abc import Iterable, Iterator

from alert_rules.correlations.offline import Correlations, Outcome
from alert_rules.engine import Decision, Engine
from schemas.clock import MICROS_PER_S
from schemas.events import Sighting

LATENESS_US = 3600 * MICROS_PER_S
"""How much older than the newest sighting one may be without being late for correlations."""
ADVANCE_EVERY_US = MICROS_PER_S


def backtest(
    engine: Engine, sightings: Iterable[Sighting], lateness_us: int = LATENESS_US
) -> Iterator[tuple[Sighting, Decision]]:
    """Decide sighting after sighting, with a memory that starts empty.

    Args:
        engine: rules and watchlists.
        sightings: in the order in which they came.
        lateness_us: for correlations: what is older than the newest sighting by more than this is late.

    Yields:
        Those that led to something, with the decision; of correlations it comes with the sighting that moved time on.
    """
    memory: dict[bytes, bytes | None] = {}
    correlations = Correlations(engine.rules.enabled, engine.watchlists)
    oldest_us = newest_us = decided_us = None
    sighting: Sighting | None = None
    for sighting in sightings:
        # one that went into an older one is no pass of its own, as on the stream
        match = engine.match(sighting) if sighting.merged_into is None else None
        if match is not None:
            decision = engine.decide(match, memory)
            memory.update(decision.changes)
            yield sighting, decision
        if correlations.is_empty:
            continue
        late = correlations.take(sighting)
        if late.alerts:
            yield sighting, _decision(late)
        at_us = sighting.captured_at
        oldest_us = at_us if oldest_us is None else min(oldest_us, at_us)
        newest_us = at_us if newest_us is None else max(newest_us, at_us)
        if newest_us - lateness_us >= (oldest_us if decided_us is None else decided_us) + ADVANCE_EVERY_US:
            if decided_us is None:
                correlations.advance(oldest_us - 1)  # time begins with the first sighting, whenever it came
            decided_us = newest_us - lateness_us
            yield sighting, _decision(correlations.advance(decided_us))
    if sighting is not None and oldest_us is not None and newest_us is not None:
        if decided_us is None:
            correlations.advance(oldest_us - 1)
        yield sighting, _decision(correlations.advance(newest_us))


def _decision(outcome: Outcome) -> Decision:
    return Decision(tuple(outcome.alerts), {}, tuple(outcome.held_back))
