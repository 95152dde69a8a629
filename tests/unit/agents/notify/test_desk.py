"""The desk: receipts, state, hand-over and what a replay does, on runs as the transport delivers them."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from faust.types import TP

from agents.alert_life import AlertLife
from agents.channels.desk import Desk
from agents.channels.dispatch import Dispatcher
from agents.channels.settings import NotifySettings
from agents.decisions.notify_policy import NotifyPolicy
from agents.decisions.silences import AlertActions
from schemas.clock import MICROS_PER_S, now_us
from schemas.codec import EventCodec
from schemas.errors import SinkRejected, SinkUnavailable
from schemas.events import Action, Alert, DeadLetter, Receipt
from schemas.registry import MemoryRegistry
from schemas.topics import ALERTS, DLQ, NOTIFICATIONS
from streams.guard import DeadLetterGuard
from streams.run import Changes, Headers, Output, Run
from tables.notifications import Rows, all_pending
from tests.unit.agents.notify.alerts import alert
from tests.unit.agents.notify.fakes import FakeChannel
from tests.unit.streams.doubles import FakeRecord

pytestmark = pytest.mark.thorough


class MemoryTable:
    """A partition's rows."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}

    def get_many(self, run: Run, keys: Iterable[bytes]) -> dict[bytes, bytes | None]:
        """Values of keys."""
        return {key: self.rows.get(key) for key in keys}

    def scan(self, run: Run, start: bytes, stop: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Rows in key order."""
        yield from sorted((k, v) for k, v in self.rows.items() if k >= start and (stop is None or k < stop))

    def apply(self, changes: Rows) -> None:
        """What a finished run does to it."""
        for key, value in changes.items():
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value


@dataclass
class Office:
    """A desk with its tables and a transport that keeps what runs hand over."""

    settings: NotifySettings
    environment: dict[str, str]

    def __post_init__(self) -> None:
        self.codec = EventCodec(MemoryRegistry())
        self.sent, self.waiting, self.kept = MemoryTable(), MemoryTable(), MemoryTable()
        self.actions = AlertActions()
        self.policy = NotifyPolicy()
        self.digest_s = 3600.0
        self.outputs: list[Output] = []
        self.wakes: list[int] = []
        self.channel = FakeChannel()
        self.offset = 0
        self.keeps = True
        self.skew_s = 0
        self.end = 0
        self.open()

    def open(self) -> None:
        """A new process over the same tables."""
        self.revoking = asyncio.Event()
        self.dispatcher = Dispatcher({"fake": self.channel}, self.settings, dice=lambda: 1.0)
        channels = {"fake": self.channel}
        life = AlertLife(
            self.policy, self.actions, channels, self.environment, self.settings.freshness_s, self.digest_s
        )
        self.desk = Desk(
            dispatcher=self.dispatcher,
            guard=DeadLetterGuard("notify", self.codec),
            codec=self.codec,
            sent=self.sent,
            waiting=self.waiting,
            kept=self.kept,
            life=life,
            read_actions=lambda: None,
            settings=self.settings,
            wake=self.wakes.append,
            end_of=self.end_of,
            environment=self.environment,
            clock=lambda: now_us() + self.skew_s * MICROS_PER_S,
        )

    async def end_of(self, _: int) -> int:
        """Where the partition ends when it is taken over."""
        return self.end

    async def finish_run(self, run: Run, changes: Changes, outputs: Iterable[Output]) -> bool:
        """As the transport does."""
        if not self.keeps:
            return False
        for table, rows in changes.items():
            table.apply(rows)  # type: ignore[attr-defined]  # a MemoryTable
        self.outputs += outputs
        return True

    async def take(
        self, *values: bytes | Alert, topic: str = ALERTS.name, headers: Headers = (("trace", b"1"),)
    ) -> None:
        """Deliver a run."""
        records = []
        for value in values:
            raw = value if isinstance(value, bytes) else self.codec.encode(ALERTS, value)
            records.append(FakeRecord(self.offset, raw, topic=topic, headers=headers))
            self.offset += 1
        await self.desk.handle(Run(TP(topic, 0), records, 10, self, self.revoking))

    async def wake(self) -> None:
        """Deliver a wake."""
        await self.take(b"", topic="wakes")

    @property
    def receipts(self) -> list[Receipt]:
        """Receipts that were written."""
        return [self.codec.decode(NOTIFICATIONS, o.value) for o in self.outputs if o.topic == NOTIFICATIONS.name]

    @property
    def letters(self) -> list[DeadLetter]:
        """Dead letters that were written."""
        return [self.codec.decode(DLQ, o.value) for o in self.outputs if o.topic == DLQ.name]

    @property
    def outcomes(self) -> list[tuple[str, str]]:
        """Recipient and outcome of each receipt."""
        return [(receipt.recipient, receipt.outcome) for receipt in self.receipts]


def to(*names: str, **changes: Any) -> Alert:
    """An alert for these recipients."""
    return alert(actions=tuple(Action("fake", {"to": name}) for name in names), **changes)


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    """An office with short pauses."""
    settings = NotifySettings(turn_s=0.1, backoff_first_s=0.02, backoff_max_s=0.05, attempts=1000, retry_total_s=30)
    made = Office(settings, {})
    yield made
    await made.dispatcher.close()


async def test_alert_is_delivered_with_receipts(office: Office) -> None:
    """One receipt for each recipient, keyed by the alert; nothing waits afterwards."""
    made = to("a@x", "b@x")
    await office.take(made)
    assert office.outcomes == [("a@x", "delivered"), ("b@x", "delivered")]
    assert {output.key for output in office.outputs} == {made.alert_id.encode()}
    assert len(office.channel.sent["x"]) == 2
    assert office.waiting.rows == {}
    assert office.wakes == []


async def test_replayed_alert_is_not_sent_twice(office: Office) -> None:
    """The same alert again, in this process or the next, sends nothing and leaves its receipt alone."""
    made = to("a@x")
    await office.take(made)
    await office.take(made)
    office.open()
    await office.take(made, made)
    assert len(office.channel.sent["x"]) == 1
    assert office.outcomes == [("a@x", "delivered")]


async def test_replay_of_a_delivered_alert_is_not_stale(office: Office) -> None:
    """A delivered alert that is replayed when it is old keeps its receipt."""
    made = to("a@x")
    await office.take(made)
    await office.take(replace(made, freshness_s=0.0))
    assert office.outcomes == [("a@x", "delivered")]


async def test_crash_before_finish_repeats_with_the_same_id(office: Office) -> None:
    """A run that was not kept is delivered again; the same process remembers, a new one repeats under the same id."""
    made = to("a@x")
    office.keeps = False
    await office.take(made)
    assert office.outputs == []
    office.keeps, office.revoking = True, asyncio.Event()
    await office.take(made)
    assert len(office.channel.sent["x"]) == 1
    assert office.outcomes == [("a@x", "delivered")]
    office.sent.rows.clear()
    office.open()
    await office.take(made)
    first, second = office.channel.sent["x"]
    assert first == second


async def test_slow_receiver_holds_nobody_up(office: Office) -> None:
    """A run with a silent receiver is finished after a turn; its outcome is booked by a wake."""
    office.channel.closed["silent"] = asyncio.Event()
    await asyncio.wait_for(office.take(to("a@silent", "b@live")), 1)
    assert office.outcomes == [("b@live", "delivered")]
    assert [row.recipient for row in all_pending(office.waiting, None)] == ["a@silent"]  # type: ignore[arg-type]
    await asyncio.wait_for(office.take(to("c@live", alert_id="another")), 1)
    assert office.wakes == []
    office.channel.closed["silent"].set()
    await _until(lambda: office.wakes == [0])
    await office.wake()
    assert office.outcomes[-1] == ("a@silent", "delivered")
    assert office.waiting.rows == {}
    assert len(office.channel.sent["silent"]) == 1


async def test_dead_receiver_is_tried_after_a_restart(office: Office) -> None:
    """What waits in the table goes on in the next process with the first run of any kind, and is booked once."""
    office.channel.down["dead"] = SinkUnavailable("away")
    await office.take(to("a@dead"))
    await office.dispatcher.close()
    assert office.receipts == []
    office.open()
    del office.channel.down["dead"]
    await office.wake()
    await _until(lambda: office.wakes != [])
    await office.wake()
    await office.wake()
    assert office.outcomes == [("a@dead", "delivered")]
    assert office.receipts[0].attempts > 1
    assert office.waiting.rows == {}


async def test_replay_while_it_waits_sends_once(office: Office) -> None:
    """An alert that is replayed while its notification waits is not a second notification."""
    office.channel.down["dead"] = SinkUnavailable("away")
    made = to("a@dead")
    await office.take(made)
    office.open()
    await office.take(made)
    del office.channel.down["dead"]
    await _until(lambda: office.wakes != [])
    await office.wake()
    assert len(office.channel.sent["dead"]) == 1
    assert office.outcomes == [("a@dead", "delivered")]


async def test_rebalance_does_not_send_again(office: Office) -> None:
    """A new assignment of the same partition takes up what waits; what arrived meanwhile is only booked."""
    office.channel.closed["silent"] = asyncio.Event()
    await office.take(to("a@silent"))
    office.revoking.set()
    await asyncio.sleep(0.01)
    office.channel.closed["silent"].set()
    await _until(lambda: len(office.channel.sent["silent"]) == 1)
    office.revoking = asyncio.Event()
    await office.wake()
    await _until(lambda: office.wakes != [])
    await office.wake()
    assert len(office.channel.sent["silent"]) == 1
    assert office.outcomes == [("a@silent", "delivered")]


async def test_final_failure_is_a_replayable_dead_letter(office: Office) -> None:
    """What a receiver refuses for good has a failed receipt, and the alert's record is a dead letter, whole."""
    office.channel.down["x"] = SinkRejected("no such user")
    made = to("a@x", "b@y")
    await office.take(made)
    assert sorted(office.outcomes) == [("a@x", "failed"), ("b@y", "delivered")]
    [letter] = office.letters
    assert letter.topic == ALERTS.name
    assert letter.value == office.codec.encode(ALERTS, made)
    assert [(header.key, header.value) for header in letter.headers] == [("trace", b"1")]
    assert "no such user" in letter.message
    del office.channel.down["x"]
    await office.take(letter.value)  # the operator mends it and replays
    assert office.outcomes[-1] == ("a@x", "delivered")
    assert len(office.channel.sent["y"]) == 1


async def test_given_up_is_a_dead_letter_of_the_first_record(office: Office) -> None:
    """A notification that is given up beside the stream, after a restart even, brings the alert's own record."""
    office.channel.down["dead"] = SinkUnavailable("away")
    office.settings = office.settings.model_copy(update={"retry_total_s": 0.3})
    office.open()
    await office.take(to("a@dead"))
    await office.dispatcher.close()
    office.open()
    await office.wake()
    await _until(lambda: office.wakes != [])
    await office.wake()
    assert office.outcomes == [("a@dead", "failed")]
    [letter] = office.letters
    assert (letter.offset, letter.error_type) == (0, "TIMEOUT")
    assert office.waiting.rows == {}


async def test_missing_setting_and_stale(office: Office) -> None:
    """Neither is sent, tried or dead-lettered; the receipt says why."""
    await office.take(to("${NOBODY}"), to("a@x", age_s=10_000, alert_id="old"))
    assert office.outcomes == [("${NOBODY}", "failed"), ("a@x", "stale")]
    assert office.receipts[0].detail == "NOBODY is not set"
    assert office.letters == []
    assert office.channel.tries["x"] == 0


async def test_what_a_search_of_the_past_has_found_tells_nobody(office: Office) -> None:
    """Fresh or old, a historical alert is never sent, waits for nothing, and its receipt says why."""
    marked = {"context": {"historical": "true"}}
    await office.take(to("a@x", **marked), to("b@x", age_s=10_000, alert_id="old", **marked))
    assert office.outcomes == [("a@x", "refused"), ("b@x", "refused")]
    assert {receipt.detail for receipt in office.receipts} == {"historical: found by a search of the past, never sent"}
    assert office.channel.tries["x"] == 0
    assert (office.waiting.rows, office.letters, office.wakes) == ({}, [], [])
    assert {output.topic for output in office.outputs} == {NOTIFICATIONS.name}


async def test_bad_record_does_not_stop_its_neighbours(office: Office) -> None:
    """Bytes that are no alert become a dead letter; the alerts beside them are delivered."""
    await office.take(b"\x00\x00\x00\x00\x01garbage", to("a@x"), b"", b"nonsense")
    assert office.outcomes == [("a@x", "delivered")]
    assert [letter.error_type for letter in office.letters] == ["SCHEMA_VALIDATION"] * 3


async def test_defect_of_a_channel_is_a_dead_letter(office: Office) -> None:
    """A channel that raises what it must not fails its notification only, with a traceback in the letter."""
    office.channel.errors["x"] = [KeyError("defect")]
    await office.take(to("a@x", "b@y"))
    assert sorted(office.outcomes) == [("a@x", "failed"), ("b@y", "delivered")]
    [letter] = office.letters
    assert "KeyError" in (letter.stack or "")


async def test_recipient_that_went_away(office: Office) -> None:
    """A waiting notification whose variable was unset meanwhile fails with that reason, under its own id."""
    office.environment["WHO"] = "a@dead"
    office.channel.down["dead"] = SinkUnavailable("away")
    await office.take(to("${WHO}"))
    [row] = all_pending(office.waiting, None)  # type: ignore[arg-type]
    office.environment.clear()
    office.open()
    await office.wake()
    [receipt] = office.receipts
    assert (receipt.notification_id, receipt.outcome) == (row.notification_id, "failed")
    assert office.waiting.rows == {}


async def test_memory_of_the_delivered_is_bounded(office: Office) -> None:
    """Once event time has passed what is remembered, its rows go."""
    office.settings = office.settings.model_copy(update={"remember_s": 1.0})
    office.open()
    await office.take(to("a@x", age_s=50, freshness_s=60.0))
    assert len(office.sent.rows) == 2
    await office.take(to("a@x", age_s=45, alert_id="second", freshness_s=46.0))
    assert len(office.sent.rows) == 4
    office.skew_s = 5
    await office.take(to(age_s=-5, alert_id="later"))
    assert len(office.sent.rows) == 2  # the first may still pass its gate, the second not


async def test_no_secret_in_the_tables(office: Office) -> None:
    """Rows hold what the rule wrote, not what its variables stand for."""
    office.environment["TOKEN"] = "s3cr3t-value"
    office.channel.down["dead"] = SinkUnavailable("away")
    action = Action("fake", {"to": "a@dead", "header": "${TOKEN}"})
    await office.take(alert(actions=(action,)))
    assert office.waiting.rows
    assert b"s3cr3t" not in repr(office.waiting.rows).encode()


async def _until(true: Any) -> None:
    async with asyncio.timeout(3):
        while not true():  # noqa: ASYNC110 - what is waited for is not ours to signal
            await asyncio.sleep(0.005)
