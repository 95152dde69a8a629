"""The clock: what is written into the log, when, and when not."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from agents.clock import QUIET_AFTER_S, ClockWriter
from schemas.errors import RegistryUnavailable
from schemas.events import Clock
from schemas.record_kinds import is_event, is_of
from schemas.topics import CLOCKS, ROUTED
from streams.outbox import DeliveryError
from streams.run import Output
from tests.unit.agents.detections import CODEC, SECOND, T0


@dataclass
class Role:
    """A role with some partitions."""

    owned: list[int] = field(default_factory=lambda: [1, 4])
    waiting_since: int | None = None
    is_known: bool = True
    error: Exception | None = None
    sent: list[Output] = field(default_factory=list)

    def partitions(self, topic: str) -> list[int]:
        """As `agents.clock.Progress`."""
        assert topic == ROUTED.name
        return self.owned

    def routed_until(self, now: int) -> int | None:
        """As `agents.clock.Progress`."""
        if not self.is_known:
            return None
        return now if self.waiting_since is None else min(now, self.waiting_since)

    async def send(self, outputs: Iterable[Output]) -> None:
        """As `agents.clock.Progress`."""
        if self.error is not None:
            raise self.error
        self.sent += outputs


class Times:
    """A wall clock and a stop watch."""

    def __init__(self) -> None:
        self.passed_s = 1000.0
        self.detection_s = 1000.0

    def writer(self, role: Role) -> ClockWriter:
        """A clock on these times that goes slower, every five seconds, when it is quiet."""
        return ClockWriter(
            role, CODEC, 5.0, lambda: self.detection_s, lambda: T0 + int(self.passed_s * SECOND), lambda: self.passed_s
        )


async def test_every_partition_gets_the_time() -> None:
    """One record each, told apart by its header."""
    role = Role()
    await Times().writer(role).write()
    assert [(one.topic, one.partition, one.key) for one in role.sent] == [
        (ROUTED.name, 1, None),
        (ROUTED.name, 4, None),
    ]
    assert all(is_of(Clock, one.headers) and not is_event(one.headers) for one in role.sent)
    assert CODEC.decode(CLOCKS, role.sent[0].value) == Clock(at=T0 + 1000 * SECOND)


async def test_time_does_not_overtake_what_is_to_be_routed() -> None:
    """Detections wait in the log: the clock stands where the oldest one is."""
    role = Role(waiting_since=T0 + 7)
    await Times().writer(role).write()
    assert CODEC.decode(CLOCKS, role.sent[0].value) == Clock(at=T0 + 7)


@pytest.mark.parametrize("role", [Role(owned=[]), Role(is_known=False)])
async def test_nothing_is_written_without_partitions_or_knowledge(role: Role) -> None:
    """A worker that owns nothing, or does not know what waits, says no time."""
    await Times().writer(role).write()
    assert role.sent == []


async def test_quiet_clock_goes_slower() -> None:
    """A minute after the last detection it is written every few seconds only."""
    times, role = Times(), Role(owned=[0])
    writer = times.writer(role)
    for _ in range(10):
        times.passed_s += 1
        await writer.write()
    assert len(role.sent) == 10
    times.passed_s += QUIET_AFTER_S
    for _ in range(10):
        times.passed_s += 1
        await writer.write()
    assert len(role.sent) == 12


@pytest.mark.parametrize("error", [RegistryUnavailable("away"), DeliveryError("refused")])
async def test_failure_is_left_to_others(error: Exception) -> None:
    """The clock neither stops the worker nor counts as written."""
    role = Role(error=error)
    writer = Times().writer(role)
    await writer.write()
    role.error = None
    await writer.write()
    assert len(role.sent) == 2
