"""Scenarios on the platform's own roles, with real stores behind them."""

import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.topics import DETECTED, ROUTED, SIGHTINGS
from tests.chaos.broker import Broker
from tests.chaos.conftest import SESSION
from tests.chaos.platform import STORE_ROLES, Platform, PlatformScenario, server_on
from tests.chaos.verdict import Verdict
from tests.chaos.waiting import until

Held = Callable[[Verdict], None]
ROLES = tuple(STORE_ROLES.split(","))


@pytest.fixture(scope="module")
def platform(stack: Any, broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """Topics and the offline core, for all scenarios."""
    return Platform(stack, broker, tmp_path_factory.mktemp("offline"))


@pytest.fixture
def scenario(platform: Platform, stack: Any, tmp_path: Path) -> Iterator[PlatformScenario]:
    """A scenario whose workers end with the test; servers that a failed one has left stopped are started again."""
    scenario = PlatformScenario(platform, tmp_path, SESSION)
    yield scenario
    scenario.close()
    stack.restore()


def sightings(scenario: PlatformScenario) -> int:
    """Records on the topic of sightings."""
    return scenario.platform.broker.end(SIGHTINGS.name)


def goes_on(scenario: PlatformScenario, records: int = 200) -> None:
    """Wait until so many more sightings have been sent."""
    goal = sightings(scenario) + records
    until(lambda: sightings(scenario) >= goal, f"{records} more sightings", 120, 0.2)


def test_kill_9_with_stores(scenario: PlatformScenario, held: Held) -> None:
    """SIGKILL with the state kept, twice, and wiped: topics, tables and both stores are exact."""
    worker = scenario.worker(STORE_ROLES)
    with scenario.traffic(per_s=300):
        for wipe in (False, False, True):
            goes_on(scenario)
            worker.kill()
            if wipe:
                shutil.rmtree(worker.datadir)
            worker.restart()
    scenario.wait_done(worker, roles=ROLES)
    assert worker.stop() == 0
    held(scenario.judge("platform: kill -9 kept, kept, wiped", worker, repeats_allowed=True, stores=True))


def test_a_broker_stops_and_starts(scenario: PlatformScenario, stack: Any, held: Held) -> None:
    """Kafka is away for some seconds while detections come in: all roles live through it."""
    worker = scenario.worker(STORE_ROLES)
    worker.wait_until_ready()
    with scenario.traffic(per_s=300):
        goes_on(scenario)
        stack.stop("kafka")
        time.sleep(5)
        stack.start("kafka")
    scenario.wait_done(worker, roles=ROLES)
    assert worker.stop() == 0
    held(scenario.judge("platform: broker stopped and started", worker, stores=True))


def test_a_registry_that_is_away(scenario: PlatformScenario, stack: Any, held: Held) -> None:
    """Without the registry at the start nothing is taken for bad; in the middle nobody misses it."""
    stack.kill("schema-registry")
    worker = scenario.worker()
    with scenario.traffic(per_s=300):
        until(lambda: "unavailable" in worker.log.read_text(), "the wait for the registry")
        stack.start("schema-registry")
        goes_on(scenario)  # both agents have their schemas
        stack.kill("schema-registry")
        goes_on(scenario)
        stack.start("schema-registry")
    scenario.wait_done(worker)
    assert worker.stop() == 0
    held(scenario.judge("platform: registry away at the start and in the middle", worker))


def test_workers_join_and_leave(scenario: PlatformScenario, held: Held) -> None:
    """Two workers, a third that joins and leaves by SIGTERM, and another that joins and is killed."""
    first, second = scenario.worker(), scenario.worker()
    with scenario.traffic(per_s=300):
        for worker in (first, second):
            until(worker.is_ready_for_partitions, "partitions")
        goes_on(scenario)
        third = scenario.worker()
        until(third.is_ready_for_partitions, "partitions of the third worker")
        goes_on(scenario)
        assert third.stop() == 0
        goes_on(scenario)
        assert second.stop() == 0
    scenario.wait_done(first)
    until(lambda: first.partitions() == DETECTED.partitions + ROUTED.partitions, "everything with the first worker")
    assert first.stop() == 0
    held(scenario.judge("platform: three workers join and leave", first))


def test_a_store_that_stands_still(scenario: PlatformScenario, stack: Any, held: Held) -> None:
    """TimescaleDB answers nothing for some seconds: the core goes on, and the rows come when it is back."""
    worker = scenario.worker(STORE_ROLES)
    worker.wait_until_ready()
    with scenario.traffic(per_s=300):
        goes_on(scenario)
        server = server_on(stack.timescale_dsn)
        server.send_signal(signal.SIGSTOP)
        try:
            goes_on(scenario, 600)
        finally:
            server.send_signal(signal.SIGCONT)
    scenario.wait_done(worker, roles=ROLES)
    assert worker.stop() == 0
    held(scenario.judge("platform: TimescaleDB stands still", worker, stores=True))
