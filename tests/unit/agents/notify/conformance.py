"""What every channel must do, whatever it speaks. A channel's test class brings the receiver."""

import asyncio
from abc import ABC, abstractmethod
from typing import Any

import pytest
from structlog.testing import capture_logs

from agents.channels.dispatch import Dispatcher
from agents.channels.port import Channel, Notification
from agents.channels.settings import NotifySettings
from agents.decisions.notification import receipt_of
from schemas.clock import MICROS_PER_S, now_us
from schemas.errors import SinkRejected, SinkUnavailable
from tests.unit.agents.notify.alerts import HOSTILE_TEXTS

SECRET = "s3cr3t-Token-0123456789"
FAST = {"attempt_timeout_s": 0.4, "connect_timeout_s": 0.3, "image_wait_s": 0.0, "backoff_first_s": 0.05}


class ChannelConformance(ABC):
    """Tests that each channel inherits. `SECRET` is the credential that its receiver asks for."""

    @abstractmethod
    async def start(self) -> None:
        """Start the receiver, strict about the credential, and keep the channel."""

    @abstractmethod
    async def stop(self) -> None:
        """Stop the receiver; the port refuses connections afterwards."""

    @abstractmethod
    async def restart(self) -> None:
        """The receiver is back on the same port."""

    @abstractmethod
    def channel(self) -> Channel:
        """The channel under test."""

    @abstractmethod
    def notification(self, **changes: Any) -> Notification:
        """A notification for the receiver; changes apply to the alert."""

    @abstractmethod
    def delivered(self) -> list[str]:
        """The readable text of each message that the receiver accepted."""

    @abstractmethod
    def refuse_for_now(self) -> float | None:
        """Make the receiver answer that it may work later; returns the seconds that it asks for."""

    @abstractmethod
    def refuse_for_good(self) -> None:
        """Make the receiver answer that it will never work."""

    @abstractmethod
    def hang(self) -> None:
        """Make the receiver keep silent."""

    @abstractmethod
    def echo_secret(self) -> None:
        """Make the receiver refuse with the credential in its answer."""

    @abstractmethod
    def accept_again(self) -> None:
        """Take `refuse_for_now` back."""

    @abstractmethod
    def be_slow(self) -> None:
        """Make the receiver take its time, within the limit."""

    def ids(self) -> list[str] | None:
        """The id by which each message that came can be told from a repeat; None: the protocol has no place for it."""
        return None

    @pytest.fixture(autouse=True)
    async def receiver(self) -> Any:
        """The receiver runs during a test."""
        await self.start()
        yield
        await self.channel().close()
        await self.stop()

    async def test_delivers_once(self) -> None:
        """A notification arrives once, with message, plate and link, and the answer is reported."""
        detail = await self.channel().send(self.notification())
        assert detail
        [text] = self.delivered()
        assert "Stolen vehicle ABC123 seen at gate-1" in text
        assert "/events/11111111-1111-5111-8111-111111111111" in text

    async def test_concurrent_sends_do_not_mix(self) -> None:
        """Ten notifications at a time arrive as ten messages, each with its own text."""
        await asyncio.gather(*(self.channel().send(self.notification(message=f"number <{n}>")) for n in range(10)))
        texts = self.delivered()
        assert len(texts) == 10
        for n in range(10):
            assert sum(f"number <{n}>" in text or f"number &lt;{n}&gt;" in text for text in texts) == 1

    async def test_temporary_refusal_is_unavailable(self) -> None:
        """An answer that may change is `SinkUnavailable`, with the pause that was asked for."""
        asked_s = self.refuse_for_now()
        with pytest.raises(SinkUnavailable) as caught:
            await self.channel().send(self.notification())
        assert caught.value.retry_after_s == asked_s
        assert self.delivered() == []

    async def test_permanent_refusal_is_rejected(self) -> None:
        """An answer that will not change is `SinkRejected`."""
        self.refuse_for_good()
        with pytest.raises(SinkRejected):
            await self.channel().send(self.notification())

    async def test_silence_is_unavailable(self) -> None:
        """A receiver that does not answer in time is `SinkUnavailable`."""
        self.hang()
        with pytest.raises(SinkUnavailable):
            await asyncio.wait_for(self.channel().send(self.notification()), 5)

    async def test_away_and_back(self) -> None:
        """A receiver that is not there is `SinkUnavailable`; when it is back, the same channel delivers."""
        notification = self.notification()
        await self.stop()
        with pytest.raises(SinkUnavailable):
            await self.channel().send(notification)
        await self.restart()
        assert await self.channel().send(notification)
        assert len(self.delivered()) == 1

    async def test_slow_is_delivered(self) -> None:
        """A receiver that takes its time, within the limit, gets one message."""
        self.be_slow()
        assert await self.channel().send(self.notification())
        assert len(self.delivered()) == 1

    async def test_a_repeat_carries_the_same_id(self) -> None:
        """A try that was refused for now and the next one can be told for one message, where the protocol allows it."""
        notification = self.notification()
        self.refuse_for_now()
        with pytest.raises(SinkUnavailable):
            await self.channel().send(notification)
        self.accept_again()
        await self.channel().send(notification)
        assert len(self.delivered()) == 1
        ids = self.ids()
        assert ids is None or set(ids) == {notification.notification_id}

    async def test_patience_delivers_once(self) -> None:
        """Through the dispatcher: a receiver that is away at first gets the message once when it is back."""
        notification = self.notification()
        settings = NotifySettings(**FAST)
        dispatcher = Dispatcher({notification.channel: self.channel()}, settings)
        await self.stop()
        delivery = dispatcher.start(notification, now_us() + 20 * MICROS_PER_S)
        await delivery.parked.wait()
        await self.restart()
        settled = await delivery.result
        assert (settled.outcome, settled.error) == ("delivered", None)
        assert settled.attempts > 1
        assert len(self.delivered()) == 1

    async def test_asked_pause_is_kept(self) -> None:
        """Through the dispatcher: nobody knocks before the pause is over that a receiver asked for."""
        asked_s = self.refuse_for_now()
        notification = self.notification()
        dispatcher = Dispatcher({notification.channel: self.channel()}, NotifySettings(**FAST))
        delivery = dispatcher.start(notification, now_us() + 20 * MICROS_PER_S)
        await delivery.parked.wait()
        if asked_s is not None:
            await asyncio.sleep(0.3)
            assert delivery.attempts == 1
        else:
            self.accept_again()
            assert (await delivery.result).outcome == "delivered"
        delivery.result.cancel()

    @pytest.mark.parametrize("kind", sorted(HOSTILE_TEXTS))
    async def test_any_text_is_delivered(self, kind: str) -> None:
        """Emoji, right-to-left, markup, controls and 10,000 characters arrive as text and break nothing."""
        text = HOSTILE_TEXTS[kind]
        await self.channel().send(self.notification(message=text, plate_text=text[:40] or None))
        [arrived] = self.delivered()
        if kind in {"emoji", "rtl"}:
            assert text in arrived

    async def test_secret_stays_secret(self, caplog: pytest.LogCaptureFixture) -> None:
        """A credential that the receiver echoes is in no log (of the client library's neither), error or receipt."""
        caplog.set_level("DEBUG")
        self.echo_secret()
        notification = self.notification()
        settings = NotifySettings(attempts=1, **FAST)
        dispatcher = Dispatcher({notification.channel: self.channel()}, settings)
        with capture_logs() as logs:
            settled = await dispatcher.start(notification, now_us() + 5 * MICROS_PER_S).result
        assert settled.outcome == "failed"
        assert SECRET not in settled.detail
        assert SECRET not in repr(logs)
        ours = [record.getMessage() for record in caplog.records if record.name != "mail.log"]  # the receiver's own
        assert SECRET not in repr(ours)
        assert logs
        assert SECRET not in repr(receipt_of(notification, settled))
        assert SECRET not in repr(notification)

    async def test_same_notification_has_the_same_id(self) -> None:
        """The receiver can tell a repeat: the notification id does not depend on when it is made."""
        first, second = self.notification(), self.notification()
        assert first.notification_id == second.notification_id
