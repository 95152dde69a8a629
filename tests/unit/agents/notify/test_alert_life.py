"""The life of an alert at the desk: silences, muting, groups, escalation and the digest, on runs of one partition."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from faust.types import TP

from agents.channels.settings import NotifySettings
from agents.decisions.desk_mail import GROUPING, arrived, sent_on
from agents.decisions.notify_policy import read_policy
from schemas.clock import MICROS_PER_S, now_us
from schemas.errors import SinkUnavailable
from schemas.events import AlertAction, AlertMatcher
from schemas.topics import ALERTS, NOTIFICATION_WAKES
from streams.run import Run
from tables.notifications import KeptRecord
from tests.unit.agents.notify.alerts import alert
from tests.unit.agents.notify.test_desk import Office, to
from tests.unit.streams.doubles import FakeRecord

pytestmark = pytest.mark.thorough
GROUPS = b"group: [{group_by: [rule], group_wait: 0s, group_interval: 60s}]"
WAITING_GROUPS = b"group: [{group_by: [rule], group_wait: 30s, group_interval: 60s}]"
MUTING = b"inhibit: [{equal: [camera], for: 10m}]"
STEPS = b"""
escalate:
  - steps:
      - {after: 5m, actions: [{type: email, to: boss@y}]}
      - {after: 15m, actions: [{type: email, to: a@x}]}
"""


class Home(Office):
    """An office whose partition also gets what it sends to itself."""

    def __post_init__(self) -> None:
        self.returned = 0
        super().__post_init__()

    def with_policy(self, text: bytes) -> "Home":
        """The same with a policy, in a new process; its e-mail is the fake channel's."""
        self.policy = read_policy(text, "policy.yml")
        self.open()
        self.dispatcher.channels["email"] = self.channel  # type: ignore[index]  # a dict
        self.dispatcher._slots["email"] = asyncio.Semaphore(9)
        return self

    async def settle(self) -> None:
        """Deliver what the desk sent to itself, until nothing is left, and a wake."""
        while True:
            own = [output for output in self.outputs if output.topic == NOTIFICATION_WAKES.name][self.returned :]
            if not own:
                break
            self.returned += len(own)
            records = []
            for output in own:
                records.append(FakeRecord(self.offset, output.value, topic=output.topic, headers=output.headers))
                self.offset += 1
            await self.desk.handle(Run(TP(NOTIFICATION_WAKES.name, 0), records, 10, self, self.revoking))
        await self.wake()

    async def later(self, seconds: float) -> None:
        """Time passes, and the alarm rings."""
        self.skew_s += seconds  # type: ignore[assignment]  # whole seconds
        await self.wake()

    @property
    def sends(self) -> Counter[str]:
        """How often each destination got something."""
        return Counter({destination: len(ids) for destination, ids in self.channel.sent.items()})

    @property
    def last(self) -> dict[tuple[str, str], str]:
        """The latest outcome of each alert and recipient."""
        return {(receipt.alert_id, receipt.recipient): receipt.outcome for receipt in self.receipts}


def silence(**changes: Any) -> AlertAction:
    """A silence for an hour."""
    made = AlertAction(
        action_id="s-1", alert_id="s-1", action="silence", actor="kim", acted_at=now_us() - MICROS_PER_S,
        note="roadworks", until=now_us() + 3600 * MICROS_PER_S, matcher=AlertMatcher(plates=("ABC*",)),
    )  # fmt: skip
    return replace(made, **changes)


@pytest.fixture
async def home() -> AsyncIterator[Home]:
    """An office with short pauses."""
    settings = NotifySettings(turn_s=0.1, backoff_first_s=0.02, backoff_max_s=0.05, attempts=1000, retry_total_s=30)
    made = Home(settings, {})
    yield made
    await made.dispatcher.close()


async def test_silenced_alert_has_a_receipt_and_no_message(home: Home) -> None:
    """Outcome and detail name the silence; the next alert after its end is sent."""
    home.actions.note(silence(), now_us())
    await home.take(to("a@x"))
    [receipt] = home.receipts
    assert (receipt.outcome, receipt.detail) == ("silenced", "silence s-1 by kim: roadworks")
    assert home.sends == {}
    ended = AlertAction(
        action_id="u", alert_id="s-1", action="unsilence", actor="kim", acted_at=now_us(), silence_id="s-1"
    )
    home.actions.note(ended, now_us())
    await home.take(to("a@x", alert_id="next"))
    assert home.outcomes[-1] == ("a@x", "delivered")


async def test_a_replay_under_a_silence_leaves_the_receipt_alone(home: Home) -> None:
    """What was delivered stays delivered."""
    made = to("a@x")
    await home.take(made)
    home.actions.note(silence(), now_us())
    await home.take(made)
    assert home.outcomes == [("a@x", "delivered")]


async def test_silenced_and_stale_is_silenced_and_in_no_digest(home: Home) -> None:
    """A late alert that a silence covers is told to nobody."""
    home.actions.note(silence(), now_us())
    await home.take(to("a@x", age_s=10_000))
    await home.settle()
    await home.later(4000)
    assert home.outcomes == [("a@x", "silenced")]
    assert home.sends == {}


async def test_graver_alert_mutes_the_lesser_one(home: Home) -> None:
    """At the same camera and for the same key; elsewhere, and the other way round, nothing is muted."""
    home.with_policy(MUTING)
    grave = to("a@x", alert_id="grave", severity="critical")
    lesser = to("a@x", alert_id="lesser", severity="low")
    await home.take(grave)
    await home.settle()
    await home.take(
        lesser, replace(lesser, alert_id="elsewhere", camera_id="gate-9"), replace(lesser, alert_id="other", key="Z")
    )
    await home.take(replace(grave, alert_id="grave-2"))
    await home.settle()
    outcome = {alert_id: outcome for (alert_id, _), outcome in home.last.items()}
    assert outcome == {
        "grave": "delivered", "lesser": "inhibited", "elsewhere": "delivered", "other": "delivered",
        "grave-2": "delivered",
    }  # fmt: skip
    assert any("grave of rule stolen" in (receipt.detail or "") for receipt in home.receipts)


async def test_first_alert_of_a_group_goes_at_once_the_others_together(home: Home) -> None:
    """Without group_wait nothing is delayed but what follows a message; each alert is in exactly one message."""
    home.with_policy(GROUPS)
    await home.take(*(to("a@x", "b@y", alert_id=f"n{n}") for n in range(4)))
    await home.settle()
    assert home.sends == {"x": 1, "y": 1}
    await home.later(61)
    assert home.sends == {"x": 2, "y": 2}
    assert len(home.last) == 8
    assert set(home.last.values()) == {"delivered"}
    details = [receipt.detail or "" for receipt in home.receipts if receipt.recipient == "a@x"]
    assert sum("with 2 others in message" in detail for detail in details) == 3
    await home.later(61)
    assert home.kept.rows == {}


async def test_group_survives_a_restart(home: Home) -> None:
    """What waits for its group's message is in the table; the next process tells it, once."""
    home.with_policy(WAITING_GROUPS)
    await home.take(to("a@x", alert_id="one"), to("a@x", alert_id="two"))
    await home.settle()
    assert home.sends == {}
    await home.dispatcher.close()
    home.with_policy(WAITING_GROUPS)
    await home.later(31)
    await home.later(31)
    assert home.sends == {"x": 1}
    assert home.last == {("one", "a@x"): "delivered", ("two", "a@x"): "delivered"}


async def test_group_message_that_waits_for_its_receiver_survives_a_restart(home: Home) -> None:
    """Between two tries the message is a row of its own; each alert gets its receipt in the end, under one id."""
    home.with_policy(WAITING_GROUPS)
    home.channel.down["x"] = SinkUnavailable("away")
    await home.take(to("a@x", alert_id="one"), to("a@x", alert_id="two"))
    await home.settle()
    await home.later(31)
    assert len(home.waiting.rows) == 1
    [name] = home.waiting.rows
    await home.dispatcher.close()
    del home.channel.down["x"]
    home.with_policy(WAITING_GROUPS)
    await home.wake()
    async with asyncio.timeout(3):
        while not home.wakes:  # noqa: ASYNC110 - what is waited for is not ours to signal
            await asyncio.sleep(0.005)
    await home.wake()
    assert home.channel.sent["x"] == [name.decode()]
    assert home.last == {("one", "a@x"): "delivered", ("two", "a@x"): "delivered"}
    assert home.waiting.rows == {}


async def test_waiting_on_purpose_makes_nothing_stale(home: Home) -> None:
    """An alert that was fresh when it joined its group is told, however long the group waits."""
    home.with_policy(WAITING_GROUPS)
    await home.take(to("a@x", age_s=890))
    await home.settle()
    await home.later(31)
    assert home.outcomes == [("a@x", "delivered")]


async def test_group_that_an_outage_held_up_is_stale_and_in_the_digest(home: Home) -> None:
    """What was not sent for an hour is not news any more."""
    home.with_policy(WAITING_GROUPS)
    await home.take(to("a@x", alert_id="one"), to("a@x", alert_id="two"))
    await home.settle()
    await home.later(3600)
    assert set(home.last.values()) == {"stale"}
    assert home.sends == {}
    await home.settle()
    await home.later(3601)
    assert home.sends == {"x": 1}


async def test_desk_wakes_itself_when_something_is_due(home: Home) -> None:
    """Nobody else needs to send anything."""
    home.with_policy(b"group: [{group_by: [rule], group_wait: 150ms, group_interval: 1s}]")
    await home.take(to("a@x"))
    await home.settle()
    home.wakes.clear()
    async with asyncio.timeout(3):
        while not home.wakes:  # noqa: ASYNC110 - what is waited for is not ours to signal
            await asyncio.sleep(0.005)
    await home.wake()
    assert home.outcomes == [("a@x", "delivered")]


@pytest.mark.parametrize(("policy", "recipients"), [(WAITING_GROUPS, {"x": 1}), (STEPS, {"x": 1, "y": 1})])
async def test_what_is_known_as_delivered_is_not_told_again(
    home: Home, policy: bytes, recipients: dict[str, int]
) -> None:
    """Rows that come back after a rebuild of the table alone repeat nothing, in a new process either."""
    home.with_policy(policy)
    await home.take(to("a@x", alert_id="one"), *([to("a@x", alert_id="two")] if policy == WAITING_GROUPS else []))
    await home.settle()
    before = dict(home.kept.rows)
    await home.later(301 if policy == STEPS else 31)
    assert home.sends == recipients
    home.kept.rows = before
    home.with_policy(policy)
    await home.wake()
    assert home.sends == recipients


async def test_silence_that_comes_while_a_group_waits(home: Home) -> None:
    """The silenced alert drops out of the message; the other one is told alone, under its own id."""
    home.with_policy(WAITING_GROUPS)
    await home.take(to("a@x", alert_id="one"), to("a@x", alert_id="two", plate_text="XYZ1"))
    await home.settle()
    home.actions.note(silence(), now_us())
    await home.later(31)
    assert home.last == {("one", "a@x"): "silenced", ("two", "a@x"): "delivered"}


async def test_replayed_alert_of_a_group_is_told_once(home: Home) -> None:
    """While it waits, and after it was told."""
    home.with_policy(WAITING_GROUPS)
    made = to("a@x")
    for _ in range(2):
        await home.take(made)
        await home.settle()
    await home.later(31)
    await home.take(made)
    await home.settle()
    await home.later(100)
    assert home.sends == {"x": 1}


async def test_unacknowledged_alert_escalates_step_by_step(home: Home) -> None:
    """Each step once, with an id of its own, even to somebody who was told before."""
    home.with_policy(STEPS)
    await home.take(to("a@x"))
    await home.later(301)
    assert home.sends == {"x": 1, "y": 1}
    home.with_policy(STEPS)  # a restart between the steps
    await home.wake()
    await home.later(601)
    assert home.sends == {"x": 2, "y": 1}
    await home.later(5000)
    assert home.sends == {"x": 2, "y": 1}
    assert home.kept.rows == {}


@pytest.mark.parametrize("action", ["acknowledge", "resolve"])
async def test_acknowledged_alert_does_not_escalate(home: Home, action: str) -> None:
    """Once somebody takes care of it nobody else is called, whatever order things come in."""
    home.with_policy(STEPS)
    made = to("a@x")
    await home.take(made)
    taken = AlertAction(action_id="k", alert_id=made.alert_id, action=action, actor="kim", acted_at=now_us())
    home.actions.note(taken, now_us())
    await home.later(301)
    await home.later(1000)
    assert home.sends == {"x": 1}


async def test_escalation_of_a_silenced_alert_is_held_back(home: Home) -> None:
    """A silence holds for escalations, too."""
    home.with_policy(STEPS)
    await home.take(to("a@x"))
    home.actions.note(silence(), now_us())
    await home.later(301)
    assert home.outcomes[-1] == ("boss@y", "silenced")
    assert home.sends == {"x": 1}


async def test_escalation_that_is_hours_late_calls_nobody(home: Home) -> None:
    """After a long outage a step is stale."""
    home.with_policy(STEPS)
    await home.take(to("a@x"))
    await home.later(20_000)
    assert home.outcomes[-1] == ("boss@y", "stale")
    assert home.sends == {"x": 1}


async def test_stale_alerts_are_told_in_one_digest_a_recipient(home: Home) -> None:
    """However many there are, and however often they are replayed; their receipts stay stale."""
    late = [to("a@x", "b@y", age_s=5000 + n, alert_id=f"n{n}") for n in range(30)]
    await home.take(*late)
    await home.settle()
    await home.take(*late[:5])
    await home.settle()
    assert home.sends == {}
    await home.later(3601)
    assert home.sends == {"x": 1, "y": 1}
    assert {outcome for (alert_id, _), outcome in home.last.items() if alert_id.startswith("n")} == {"stale"}
    digests = [receipt for receipt in home.receipts if receipt.outcome == "delivered"]
    assert len(digests) == 2
    await home.take(*late[:5])
    await home.settle()
    await home.later(3601)
    assert home.sends == {"x": 1, "y": 1}


async def test_without_an_interval_there_is_no_digest(home: Home) -> None:
    """The setting 0 keeps stale alerts silent, as receipts alone."""
    home.digest_s = 0.0
    home.open()
    await home.take(to("a@x", age_s=5000))
    await home.settle()
    await home.later(10_000)
    assert home.outcomes == [("a@x", "stale")]
    assert home.sends == {}


async def test_dead_letter_of_a_group_is_the_alert_s_own_record(home: Home) -> None:
    """When a message is given up, each alert of it can be replayed by itself, from where it was raised."""
    home.settings = home.settings.model_copy(update={"attempts": 1})
    home.with_policy(WAITING_GROUPS)
    home.channel.down["x"] = SinkUnavailable("away")
    await home.take(to("a@x", alert_id="one"), to("a@x", alert_id="two"))
    await home.settle()
    await home.later(31)
    assert home.last == {("one", "a@x"): "failed", ("two", "a@x"): "failed"}
    assert [(letter.topic, letter.offset) for letter in home.letters] == [("alpr.alerts", 0), ("alpr.alerts", 1)]
    assert [header.key for header in home.letters[0].headers] == ["trace"]


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("alpr-stage", b"nonsense"), ("alpr-origin", b"t/0/0/0")),
        (("alpr-stage", b"grouping"), ("alpr-origin", b"t/x")),
        (("alpr-stage", b"grouping"), ("alpr-origin", None)),
        (("alpr-stage", b"\xff"), ("alpr-origin", b"t/0/0/0")),
    ],
    ids=repr,
)
async def test_what_others_write_there_is_a_dead_letter(home: Home, headers: Any) -> None:
    """A record on the notifier's own topic that is none of its own stops nothing."""
    raw = home.codec.encode(ALERTS, alert())
    await home.take(raw, topic=NOTIFICATION_WAKES.name, headers=headers)
    assert [letter.error_type for letter in home.letters] == ["SCHEMA_VALIDATION"]


def test_mail_to_itself_keeps_the_record_whole() -> None:
    """Key, value, headers and place come back as they were."""
    record = KeptRecord("alpr.alerts", 3, 77, 1234, b"k\x00ey", b"value", (("trace", b"1"), ("none", None)))
    output = sent_on(record, GROUPING, "g", ("email", "a@x"))
    back = arrived(FakeRecord(5, output.value, topic=output.topic, headers=output.headers))
    assert (back.stage, back.record, back.recipient) == (GROUPING, record, ("email", "a@x"))
