"""Two workers that share the partitions, one of them joining in the middle, do what one does."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.traffic import Scene, traffic
from schemas.clock import now_us
from schemas.events import Detection, Sighting
from schemas.topics import DETECTED, ROUTED, SIGHTINGS
from tests.connected.agents.core_worker import CoreWorker

# few by default: the tests that share these servers work through them too; 20000 is the long run
DETECTIONS = int(os.environ.get("ALPR_TEST_DETECTIONS", "4000"))
SCENE = Scene(cameras=24, detections=DETECTIONS)
WAIT_S = 400.0
LOOK_EVERY_S = 3.0
pytestmark = pytest.mark.timeout(1200)


@pytest.fixture
def workers(stack: Any, tmp_path: Path) -> Iterator[list[CoreWorker]]:
    """One worker for the first half of the test, two for the second; none is started."""
    alone = CoreWorker(stack, tmp_path / "alone")
    first = CoreWorker(stack, tmp_path / "first")
    made = [alone, first, CoreWorker(stack, tmp_path / "second", first.mark)]
    yield made
    for worker in made:
        with suppress(ProcessLookupError):
            worker.end(signal.SIGKILL)


def records_of(worker: CoreWorker, events: list[Detection]) -> list[tuple[bytes, bytes]]:
    """The traffic at cameras of this worker's test."""
    moved = [
        replace(event, camera_id=worker.camera(event.camera_id), event_id=f"{worker.mark}-{event.event_id}")
        for event in events
    ]
    return [(event.camera_id.encode(), worker.codec.encode(DETECTED, event)) for event in moved]


def final(worker: CoreWorker, sightings: list[Sighting]) -> dict[str, Sighting]:
    """The last revision of each sighting, without the mark of the test and without what tells of the way there."""
    last: dict[str, Sighting] = {}
    for one in sightings:
        if one.event_id not in last or last[one.event_id].revision < one.revision:
            last[one.event_id] = one
    bare = f"{worker.mark}-"
    return {
        event_id.removeprefix(bare): replace(
            one, event_id=event_id.removeprefix(bare), camera_id=one.camera_id.removeprefix(bare),
            match_key=one.match_key.removeprefix(bare), merged_into=(one.merged_into or "").removeprefix(bare),
            revision=1, watermark=None, resolved=one.resolved and replace(one.resolved, previous_text=None),
        )
        for event_id, one in last.items()
    }  # fmt: skip


def settled(worker: CoreWorker) -> list[Sighting]:
    """The sightings on the topic, once they are those of a replay of the log by one deduplicator."""

    def complete() -> list[Sighting]:
        time.sleep(LOOK_EVERY_S)  # each look reads both topics from their beginnings
        expected = {(one.event_id, one.revision): one for one in worker.replayed()}
        found = {(one.event_id, one.revision): one for one in worker.events(SIGHTINGS.name)}
        counted = sum(one.detections for one in final(worker, list(found.values())).values() if not one.merged_into)
        return list(found.values()) if found == expected and counted == EVENTS else []

    return worker.until(complete, "the sightings of a replay", WAIT_S)


EVENTS = len({event.event_id for event in traffic(SCENE)})


def test_two_workers_give_the_passes_and_contents_of_one(workers: list[CoreWorker]) -> None:
    """Same ids and revisions as one on the same log; same passes and final contents as one on its own log."""
    alone, first, second = workers
    events = traffic(replace(SCENE, start_us=now_us() - SCENE.span_us - 600_000_000))
    alone.start()
    alone.put(DETECTED, *records_of(alone, events))
    by_one = final(alone, settled(alone))
    alone.end()
    records = records_of(first, events)
    first.start()
    third = len(records) // 3
    first.put(DETECTED, *records[:third])
    first.until(lambda: first.handled(ROUTED) > third // 4, "detections at the first worker", WAIT_S)
    second.start()
    first.put(DETECTED, *records[third : 2 * third])
    second.until(lambda: second.handled(ROUTED) > 0, "detections at the second worker", WAIT_S)
    first.put(DETECTED, *records[2 * third :])
    by_two = final(first, settled(first))
    assert by_two == by_one
