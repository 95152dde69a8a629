"""Agents of the notify role: alerts to people, receipts to ``alpr.notifications``."""

import asyncio
import os
from functools import cache
from pathlib import Path
from typing import Any

from aiokafka.errors import KafkaError  # type: ignore[import-untyped]  # it has no types
from faust.types import TP

import alert_rules
from agents.alert_actions import ActionFeed
from agents.alert_life import AlertLife
from agents.channels.desk import Desk
from agents.channels.dispatch import Dispatcher
from agents.channels.settings import notify_settings
from agents.channels.wiring import open_channels
from agents.decisions.notify_policy import NotifyPolicy, load_policy
from agents.decisions.silences import AlertActions
from schemas.endpoints import endpoints
from schemas.errors import SinkUnavailable
from schemas.topics import ALERT_ACTIONS, ALERTS, NOTIFICATION_WAKES
from schemas.wiring import codec
from streams.guard import DeadLetterGuard
from streams.outbox import Outbox
from streams.roles import role_app
from streams.run import Output
from tables.alert_life import LIFE
from tables.notifications import PENDING, SENT
from telemetry.log import get_logger

POLICY = Path(alert_rules.__file__).parent / "notify_policy.yml"
log = get_logger(__name__)
app = role_app("notify")
sent_notifications = app.run_table(
    SENT, partitions=ALERTS.partitions, help="What was delivered, so that it is not delivered again"
)
pending_notifications = app.run_table(
    PENDING, partitions=ALERTS.partitions, help="Notifications that wait for their receiver"
)
alert_life = app.run_table(
    LIFE, partitions=ALERTS.partitions, help="Alerts that are told later: groups, escalations, digests; what mutes what"
)
alert_actions = app.broadcast(ALERT_ACTIONS.name)
_sends: set[asyncio.Task[None]] = set()


@app.agent(app.runs(ALERTS.name))
async def notify(runs: Any) -> None:
    """Deliver alerts by mail, Slack, webhook and SMS, and write a receipt for each notification."""
    async for run in runs:
        await desk().handle(run)


@app.agent(app.runs(NOTIFICATION_WAKES.name))
async def wake(runs: Any) -> None:
    """Book what was retried beside the stream, and tell what is due: groups, escalations, digests."""
    async for run in runs:
        await desk().handle(run)


def open_policy() -> NotifyPolicy:
    """The policy of the settings; a broken one stops the worker before it starts.

    Raises:
        ConfigError: something in it is wrong, with its place.
    """
    chosen = notify_settings().policy
    policy = NotifyPolicy() if chosen is None and not POLICY.is_file() else load_policy(chosen or POLICY)
    log.info(
        "notification policy", inhibitions=len(policy.inhibitions), groups=len(policy.groupings),
        escalations=len(policy.escalations),
    )  # fmt: skip
    return policy


policy = open_policy()
feed = ActionFeed(AlertActions(), codec())
alert_actions.on_change(feed.note)


@cache
def dispatcher() -> Dispatcher:
    """The process's dispatcher, made at first use."""
    channels, close = open_channels(notify_settings(), endpoints())
    return Dispatcher(channels, notify_settings(), close=close)


@cache
def desk() -> Desk:
    """The process's desk, made at first use."""
    return Desk(
        dispatcher=dispatcher(),
        guard=DeadLetterGuard("notify", codec()),
        codec=codec(),
        sent=sent_notifications,
        waiting=pending_notifications,
        kept=alert_life,
        life=AlertLife(
            policy,
            feed.actions,
            dispatcher().channels,
            os.environ,
            notify_settings().freshness_s,
            notify_settings().digest_s,
        ),
        read_actions=feed.read,
        settings=notify_settings(),
        wake=ask_for_run,
        end_of=end_of,
    )


async def end_of(partition: int) -> int:
    """The offset that the next alert of a partition will have.

    Raises:
        SinkUnavailable: Kafka does not answer.
    """
    tp = TP(ALERTS.name, partition)
    try:
        ends = await app.consumer.highwaters(tp)
    except KafkaError as error:
        raise SinkUnavailable(f"Kafka does not tell the end of {ALERTS.name}: {error}") from error
    return int(ends[tp])


def ask_for_run(partition: int) -> None:
    """Send a wake to a partition."""
    if app.should_stop:
        return
    outbox: Outbox = app.producer.outbox  # type: ignore[attr-defined]  # the run transport's producer
    outbox.put([Output(NOTIFICATION_WAKES.name, None, None, partition)])
    task = asyncio.ensure_future(outbox.pump())
    _sends.add(task)
    task.add_done_callback(_sends.discard)


@app.on_partitions_assigned.connect  # type: ignore[arg-type]  # Faust passes `signal` among the keywords
async def resume(_: Any, assigned: set[TP], **__: Any) -> None:
    """Look at what waits in each partition, even where no alert comes."""
    for tp in assigned:
        if tp.topic == ALERTS.name:
            ask_for_run(tp.partition)


@app.on_before_shutdown.connect  # type: ignore[arg-type]  # Faust passes `signal` among the keywords
async def let_go(_: Any, **__: Any) -> None:
    """Close the channels' connections."""
    if dispatcher.cache_info().currsize:
        await dispatcher().close()
