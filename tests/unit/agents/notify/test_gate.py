"""The gate at the desk: an alert opens once, never after a restart, a replay or a time-out, and has a receipt."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.channels.gate import GateChannel
from agents.channels.http_calls import HttpCalls
from agents.channels.message import Messages
from agents.channels.mqtt import rendered_topic
from agents.channels.mqtt_connection import NO_SUBSCRIBERS, Broker, MqttBrokers, Publication
from agents.channels.port import NotSent
from agents.channels.settings import NotifySettings
from agents.channels.webhook import WebhookChannel
from schemas.endpoints import Endpoints
from schemas.errors import AlprError, SinkRejected, SinkUnavailable
from schemas.events import Action, Alert
from streams.guard import RETRY_HEADER
from tests.unit.agents.notify.alerts import alert, notification
from tests.unit.agents.notify.receivers import HttpReceiver
from tests.unit.agents.notify.test_desk import Office

SURE = {"next_plate": "ABC124", "next_plate_likelihood": "0.08", "revision": "1"}
GATE = Action("gate", {"gate": "north", "topic": "gates/{{ camera_id }}"})
pytestmark = pytest.mark.thorough


class FakeBrokers(MqttBrokers):
    """Takes what is published; `errors` come first."""

    def __init__(self) -> None:
        self.published: list[Publication] = []
        self.errors: list[AlprError] = []
        self.answer = "Success"
        self.silent = False

    async def publish(self, broker: Broker, message: Publication) -> str:
        """As told."""
        await asyncio.sleep(0)
        if self.errors:
            raise self.errors.pop(0)
        self.published.append(message)
        if self.silent:
            await asyncio.sleep(60)
        return self.answer


class GateOffice(Office):
    """An office with a gate."""

    def open(self) -> None:
        """A new process over the same tables."""
        if not hasattr(self, "brokers"):
            self.brokers = FakeBrokers()
        super().open()
        messages, calls = Messages("http://api.example:8000"), HttpCalls(0.3, 0.4, keep_alive=False)
        webhook = WebhookChannel(self.settings, messages, calls)
        self.gate = GateChannel(self.settings, Endpoints(), messages, self.brokers, webhook)
        self.dispatcher.channels = {"fake": self.channel, "gate": self.gate}
        self.dispatcher._slots["gate"] = asyncio.Semaphore(4)

    @property
    def decisions(self) -> list[tuple[str, str]]:
        """Outcome and detail of each receipt of the gate."""
        return [(r.outcome, r.detail or "") for r in self.receipts if r.channel == "gate"]

    async def settle(self) -> None:
        """Let what goes on beside the stream end, and book it."""
        for _ in range(100):
            await asyncio.sleep(0.02)
            if self.wakes:
                self.wakes.clear()
                await self.wake()
                return


def opening(age_s: float = 0.1, **changes: Any) -> Alert:
    """An alert that opens the gate, unless a change speaks against it."""
    made = alert(age_s, (GATE,), **{"context": {**SURE, "camera_id": "gate-1"}, **changes})
    return replace(made, proof=replace(made.proof, matched_plate="ABC123"))


def made_office() -> GateOffice:
    """With short pauses."""
    return GateOffice(NotifySettings(turn_s=0.1, backoff_first_s=0.02, backoff_max_s=0.05, attempts=1000), {})


@pytest.fixture
async def office() -> AsyncIterator[GateOffice]:
    """The office of a test."""
    made = made_office()
    yield made
    await made.dispatcher.close()


async def test_a_fresh_alert_opens_once(office: GateOffice) -> None:
    """The command is on the gate's topic, not retained, with an expiry; the same alert again sends nothing."""
    made = opening()
    await office.take(made)
    await office.take(made)
    [message] = office.brokers.published
    assert (message.topic, message.retain, message.qos) == ("gates/gate-1", False, 1)
    assert message.expires_in_s is not None
    assert 0 < message.expires_in_s <= 5
    assert office.decisions == [("delivered", "open: Success")]


async def test_what_stood_there_before_is_refused(office: GateOffice) -> None:
    """An alert from before this process took the partition over stays shut: the last owner may have opened."""
    office.end = 3
    await office.take(opening())
    assert office.brokers.published == []
    [(outcome, detail)] = office.decisions
    assert outcome == "refused"
    assert detail.startswith("replayed: recorded before")


async def test_a_refusal_is_final(office: GateOffice) -> None:
    """An alert that was refused is not opened by a copy of it that comes later, while it is still fresh."""
    office.end = 1
    made = opening()
    await office.take(made)
    await office.take(made)
    assert office.brokers.published == []
    assert len(office.decisions) == 1


async def test_crash_before_the_checkpoint_does_not_open_again(office: GateOffice) -> None:
    """A command went out and the process died before its row was kept: its successor refuses the same record."""
    office.keeps = False
    made = opening()
    await office.take(made)
    assert len(office.brokers.published) == 1
    office.keeps, office.offset, office.end = True, 0, 1
    office.open()
    await office.take(made)
    assert len(office.brokers.published) == 1
    assert [outcome for outcome, _ in office.decisions] == ["refused"]


async def test_restart_in_the_middle_does_not_open_again(office: GateOffice) -> None:
    """A command without an answer yet is not sent again by the next process: its row becomes a refusal."""
    office.brokers.silent = True
    await office.take(opening())
    assert office.waiting.rows
    office.open()
    await office.wake()
    assert len(office.brokers.published) == 1
    [(outcome, detail)] = office.decisions
    assert (outcome, detail.partition(":")[0]) == ("refused", "interrupted")
    assert not office.waiting.rows


async def test_a_replayed_dead_letter_is_refused(office: GateOffice) -> None:
    """However young it is, what comes back from the dead letters does not open."""
    await office.wake()
    await office.take(opening(), headers=((RETRY_HEADER, b"1"),))
    assert office.brokers.published == []
    assert [outcome for outcome, _ in office.decisions] == ["refused"]


async def test_no_answer_is_not_repeated(office: GateOffice) -> None:
    """The broker was lost after the command had gone: nobody knows, so it fails for good and goes out once."""
    office.brokers.errors = [SinkUnavailable("lost before it answered")]
    await office.take(opening())
    await office.settle()
    assert office.brokers.published == []
    [(outcome, detail)] = office.decisions
    assert (outcome, "may have opened" in detail) == ("failed", True)


async def test_what_was_not_sent_is_tried_again(office: GateOffice) -> None:
    """A broker that could not be reached gets the command when it is back, within the age of the read."""
    office.brokers.errors = [NotSent("not there"), NotSent("not there")]
    await office.take(opening())
    await office.settle()
    assert len(office.brokers.published) == 1
    assert [outcome for outcome, _ in office.decisions] == ["delivered"]


async def test_a_broker_that_stays_away_gets_nothing_late(office: GateOffice) -> None:
    """When the read has become too old the tries end; a broker that is back then hears nothing."""
    action = Action("gate", {**GATE.params, "max_age_ms": "300"})
    office.brokers.errors = [NotSent("not there") for _ in range(1000)]
    await office.take(replace(opening(), actions=(action,)))
    await office.settle()
    office.brokers.errors.clear()
    assert office.brokers.published == []
    assert [outcome for outcome, _ in office.decisions] == ["failed"]


async def test_nobody_listens_is_a_failure(office: GateOffice) -> None:
    """A command that no controller hears is not reported as opened."""
    office.brokers.answer = NO_SUBSCRIBERS
    await office.take(opening())
    assert [outcome for outcome, _ in office.decisions] == ["failed"]


async def test_an_older_revision_is_refused(office: GateOffice) -> None:
    """Once a newer revision of a sighting is known, an alert of the older one does not open."""
    newer = opening(
        alert_id="7c3e2a9e-6b1d-5d63-9d1a-6a2f6a9b8c02", context={**SURE, "revision": "2", "camera_id": "c"}
    )
    await office.take(newer)
    await office.take(opening())
    assert [outcome for outcome, _ in office.decisions] == ["delivered", "refused"]
    assert office.decisions[1][1].startswith("superseded: revision 2")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ages_s=st.lists(st.floats(-30, 900), min_size=1, max_size=6),
    end=st.integers(0, 6),
    repeats=st.integers(1, 3),
    merged=st.sets(st.integers(0, 5)),
)
async def test_no_stale_or_replayed_read_ever_opens(
    ages_s: list[float], end: int, repeats: int, merged: set[int]
) -> None:
    """Over any log, takeover and replays, each command is of a fresh, first, unmerged read, and goes out once."""
    office = made_office()
    office.end = end
    alerts = [
        opening(
            age_s,
            alert_id=f"alert-{number}",
            context={**SURE, "camera_id": f"c{number}", **({"merged_into": "x"} if number in merged else {})},
        )
        for number, age_s in enumerate(ages_s)
    ]
    for _ in range(repeats):
        for made in alerts:
            await office.take(made)
    may = {
        f"gates/c{number}"
        for number, age_s in enumerate(ages_s)
        if -1.1 < age_s < 5 and number >= end and number not in merged
    }
    topics = [message.topic for message in office.brokers.published]
    assert len(topics) == len(set(topics))
    assert set(topics) <= may
    assert len({receipt.alert_id for receipt in office.receipts}) == len(alerts)
    await office.dispatcher.close()


async def test_webhook_gate_is_signed_and_not_repeated() -> None:
    """By webhook the command is a signed CloudEvent; 500 is not repeated, 503 and a refused connection may be."""
    server = HttpReceiver()
    await server.start()
    office = made_office()
    params = {"gate": "north", "url": f"{server.url}/open", "secret": "${KEY}"}
    made = notification(office.gate, params, {"KEY": "a-secret-key"}, context=SURE, captured_at=opening().captured_at)
    assert (await office.gate.send(made)).startswith("open: 200")
    [request] = server.requests
    assert request.json["type"] == "alpr.gate.open.v1"
    assert request.json["data"]["command_id"] == request.headers["idempotency-key"] == made.notification_id
    assert request.headers["webhook-signature"].startswith("v1,")
    server.answer = (500, {}, b"oops")
    with pytest.raises(SinkRejected, match="may have opened"):
        await office.gate.send(made)
    server.answer = (503, {"Retry-After": "1"}, b"busy")
    with pytest.raises(NotSent):
        await office.gate.send(made)
    await server.stop()
    with pytest.raises(NotSent):
        await office.gate.send(made)
    await office.dispatcher.close()


async def test_no_value_adds_a_level_to_the_topic() -> None:
    """A plate or camera that holds a slash or a wildcard stays within its level; a template with one is refused."""
    office = made_office()
    hostile = {**SURE, "camera_id": "../north/#"}
    made = notification(office.gate, {"topic": "gates/{{ camera_id }}/x"}, context=hostile)
    assert rendered_topic(made, Messages("")) == "gates/.._north__/x"
    for topic in ("gates/#", "+", "{{ '' }}"):
        with pytest.raises(SinkRejected):
            rendered_topic(notification(office.gate, {"topic": topic}, context=SURE), Messages(""))
    await office.dispatcher.close()
