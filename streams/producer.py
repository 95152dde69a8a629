"""The producer of the run transport: Faust's, with a flush that means what it says and an outbox for runs."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

from faust.exceptions import ImproperlyConfigured
from faust.transport.drivers import aiokafka as driver
from faust.transport.producer import ProducerBuffer

from streams.options import RunOptions
from streams.outbox import Outbox
from streams.outbox_clients import AiokafkaOutbox, ConfluentOutbox


class TrackedBuffer(ProducerBuffer):
    """Faust's buffer for ``topic.send`` and plain tables, which also knows about the record in its hands."""

    sending = 0

    async def _send_pending(self, fut: Any) -> None:
        self.sending += 1
        try:
            await super()._send_pending(fut)
        finally:
            self.sending -= 1


class RunProducer(driver.Producer):
    """Faust's producer with an outbox. Faust's own setting ``broker_producer`` is never used by Faust 0.15."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.buffer = self._tracked = TrackedBuffer(loop=self.loop, beacon=self.beacon)
        self.buffer.app = self.app
        self.outbox: Outbox = self._new_outbox()
        self._plain_sends: set[asyncio.Future[Any]] = set()

    def _new_outbox(self) -> Outbox:
        transport = self.transport
        assert isinstance(transport, driver.Transport)
        options: RunOptions = transport.options  # type: ignore[attr-defined]  # of RunTransport
        if options.producer == "aiokafka":
            return AiokafkaOutbox(self, options.max_unacknowledged)
        security = getattr(self.app, "kafka_security", None)
        if security is None and (self.app.conf.broker_credentials or self.app.conf.ssl_context):
            raise ImproperlyConfigured(
                "broker_credentials cannot be handed to librdkafka: give the app a kafka_security "
                "(schemas.kafka_security.KafkaSecurity), or use producer=aiokafka in the broker URL"
            )
        bootstrap = ",".join(driver.server_list(transport.url, transport.default_port))
        return ConfluentOutbox(
            {"bootstrap.servers": bootstrap, **(security.librdkafka() if security else {})},
            linger_ms=self.linger_ms,
            max_message_bytes=self.max_request_size,
            compression=options.compression,
            max_unacknowledged=options.max_unacknowledged,
        )

    def _settings_extra(self) -> Mapping[str, Any]:
        return {"acks": "all", "enable_idempotence": True}

    async def on_start(self) -> None:
        """Connect both clients."""
        await super().on_start()
        await self.outbox.start()

    async def on_stop(self) -> None:
        """Let both clients go."""
        await super().on_stop()
        await self.outbox.stop()

    async def send(self, *args: Any, **kwargs: Any) -> Any:
        """Send one record the plain way, as ``topic.send`` does. `flush` waits for its delivery."""
        future = cast("asyncio.Future[Any]", await super().send(*args, **kwargs))
        self._plain_sends.add(future)
        future.add_done_callback(self._plain_delivered)
        return future

    def _plain_delivered(self, future: "asyncio.Future[Any]") -> None:
        self._plain_sends.discard(future)
        error = asyncio.CancelledError() if future.cancelled() else future.exception()
        if error is not None:
            self.outbox.fail(error)

    async def flush(self) -> None:
        """Return when Kafka has everything. Faust's own gives up after 0.1 s without progress.

        Raises:
            DeliveryError: a record was refused, now or before.
        """
        if self._producer is None:
            return
        while self._tracked.size or self._tracked.sending:
            await self._tracked.flush()
            await asyncio.sleep(0)
        while self._plain_sends:
            await asyncio.wait(set(self._plain_sends))
        await self.outbox.flush()
