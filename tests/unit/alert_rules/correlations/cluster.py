"""The live path of correlations in one process: partitions, logs that interleave at random, crashes and replays.

Every choice comes from one `random.Random`, so a failing example can be run again.
"""

from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any
from zlib import crc32

from alert_rules.correlations.driver import Correlator, Input, Step, Tick
from alert_rules.correlations.offline import Correlations
from alert_rules.correlations.plan import Plan
from alert_rules.correlations.rekeyed import Rekeyed
from alert_rules.correlations.store import MemoryStore
from alert_rules.loading import RuleSet
from alert_rules.watchlists import Watchlists
from schemas.events import Alert, Sighting
from schemas.records import to_record

Alerts = dict[str, dict[str, Any]]
"""Alert id to the alert in plain values."""


def partition_of(key: str, count: int) -> int:
    """Where a key lives."""
    return crc32(key.encode()) % count


def offline(rules: RuleSet, sightings: Iterable[Sighting], start_us: int, end_us: int) -> Alerts:
    """The alerts of a run in sorted order."""
    correlations = Correlations(rules.enabled, Watchlists())
    correlations.advance(start_us)
    for each in sorted(sightings, key=lambda sighting: (sighting.captured_at, sighting.event_id, sighting.revision)):
        correlations.take(each)
    return collected(correlations.advance(end_us).alerts)


def collected(alerts: Iterable[Alert], into: Alerts | None = None) -> Alerts:
    """Alerts by id; the same id must be the same alert."""
    found = {} if into is None else into
    for alert in alerts:
        record = to_record(alert)
        before = found.setdefault(alert.alert_id, record)
        assert before == record, [alert.rule.id, before, record]
    return found


def arrivals(
    sightings: Sequence[Sighting],
    random: Random,
    sources: int,
    partitions: int,
    span: tuple[int, int],
    lateness_us: int,
    promised_us: int | None = None,
) -> list[list[Input]]:
    """The logs of stage 0: each source's sightings, delayed at random, and its ticks; the sources interleaved.

    Args:
        sightings: any.
        random: chooses.
        sources: how many partitions the detections had.
        partitions: of the sightings.
        span: first and last tick.
        lateness_us: the longest delay.
        promised_us: how far ticks stay behind; where that is less than the delays, sightings are late.
    """
    promised_us = lateness_us if promised_us is None else promised_us
    start_us, end_us = span
    streams: list[list[list[Input]]] = [[[] for _ in range(partitions)] for _ in range(sources)]
    for source in range(sources):
        out = streams[source]
        name = f"routed-{source}"
        for log in out:
            log.append(Tick(name, start_us))
        mine = [each for each in sightings if partition_of(each.camera_id, sources) == source]
        delayed = []
        delays: dict[str, int] = {}
        for number, each in enumerate(mine):  # the revisions of an event have one key, so they come in their order
            delays[each.event_id] = random.randint(delays.get(each.event_id, 0), lateness_us)
            delayed.append((each.captured_at + delays[each.event_id], each.revision, number))
        delayed.sort()
        for arrived_us, _, number in delayed:
            if random.random() < 0.5:
                for log in out:
                    log.append(Tick(name, max(start_us, arrived_us - promised_us - 1)))
            out[partition_of(mine[number].match_key, partitions)].append(mine[number])
        for log in out:
            log.append(Tick(name, end_us))
    return [
        merged([streams[source][partition] for source in range(sources)], random) for partition in range(partitions)
    ]


def merged(streams: Iterable[list[Input]], random: Random) -> list[Input]:
    """The streams in one log: each in its order, between each other at random."""
    left = [list(stream) for stream in streams if stream]
    log: list[Input] = []
    while left:
        stream = random.choice(left)
        for _ in range(min(len(stream), random.choice((1, 1, 2, 8)))):
            log.append(stream.pop(0))
        left = [each for each in left if each]
    return log


def worked(
    make: Callable[[], Correlator], log: Sequence[Input], random: Random, alerts: Alerts, crashes: int
) -> list[Input]:
    """Work a partition's log off in steps of random length; after a crash again from the last checkpoint.

    Returns:
        Everything that was written to the next stage, what a crash made it write twice included.
    """
    outputs: list[Input] = []
    store, offset = MemoryStore(), 0
    kept, correlator = (store.copy(), offset), make()
    while offset < len(log):
        length = random.randint(1, 12)
        step: Step = correlator.step(store, [through_bytes(each) for each in log[offset : offset + length]])
        offset += length
        store.apply(step.changes)
        collected(step.alerts, alerts)
        outputs += step.outputs  # type: ignore[arg-type]  # a passed time becomes a tick where it is sent
        if random.random() < 0.2:
            kept = (store.copy(), offset)
        if crashes and random.random() < 0.15:
            crashes -= 1
            store, offset, correlator = kept[0].copy(), kept[1], make()
    return outputs


def through_bytes(each: Input) -> Input:
    """A re-keyed record as it comes from the topic."""
    return Rekeyed.decode(each.encode()) if isinstance(each, Rekeyed) else each


def live(rules: RuleSet, logs: list[list[Input]], sources: int, random: Random, crashes: int = 0) -> Alerts:
    """The alerts of the live path: every stage with as many partitions as the first."""
    plan = Plan(rules.enabled)
    alerts: Alerts = {}
    count = len(logs)
    for stage in range(plan.stages):
        written = []
        for partition, log in enumerate(logs):

            def make(stage: int = stage, partition: int = partition) -> Correlator:
                speaking = sources if stage == 0 else count
                return Correlator(
                    plan, Watchlists(), stage, speaking, lambda group: partition_of(group, count) == partition
                )

            written.append(worked(make, log, random, alerts, crashes))
        logs = [
            merged(
                [_sent(outputs, f"{stage}-{source}", target, count) for source, outputs in enumerate(written)], random
            )
            for target in range(count)
        ]
    return alerts


def _sent(outputs: Iterable[Input], source: str, target: int, count: int) -> list[Input]:
    """What of a partition's outputs goes to a partition of the next stage."""
    found: list[Input] = []
    for each in outputs:
        if not isinstance(each, Rekeyed):
            found.append(Tick(source, each.watermark_us))  # type: ignore[union-attr]  # `Passed`
        elif partition_of(each.group, count) == target:
            found.append(each)
    return found
