"""The Faust app of one role: configured for runs, watched, and strict about agents that fail."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import faust
from faust.exceptions import ImproperlyConfigured
from faust.tables.manager import TableManager
from faust.types import AgentT, ServiceT, TopicT
from yarl import URL

from schemas.kafka_security import KafkaSecurity
from streams.broadcast import Broadcast
from streams.consumer import RunConsumer
from streams.ends import partition_ends
from streams.lag import LagWatch
from streams.outbox import Outbox
from streams.role import Role
from streams.run import RunFailed, RunRevoked
from streams.security import faust_credentials
from streams.settings import StreamSettings
from streams.table import RunTable
from telemetry.log import get_logger

try:
    import uvloop
except ImportError:  # not on every platform; asyncio's own loop does
    uvloop = None  # type: ignore[assignment]  # the optional module

log = get_logger(__name__)
REQUEST_TIMEOUT_S = 90.0


class RoleApp(faust.App):
    """A role as a Faust app (consumer group ``alpr-<role>``). Building it connects to nothing.

    Args:
        role: from the manifest.
        settings: of the worker.
        bootstrap: Kafka servers, ``host:port[,host:port]``.
        security: Kafka login.
        primary: whether this is the app that the ``faust`` command starts; it has the web pages.
    """

    def __init__(
        self,
        role: Role,
        settings: StreamSettings,
        bootstrap: str,
        security: KafkaSecurity | None = None,
        *,
        primary: bool = False,
    ) -> None:
        self.role = role
        self.settings = settings
        self.bootstrap = bootstrap
        self.kafka_security = security or KafkaSecurity()
        self.broadcasts: list[Broadcast] = []
        self.companions: list[RoleApp] = []  # other roles of the worker, where this one is the primary
        self.lag = LagWatch(self, partition_ends(bootstrap, self.kafka_security), settings.lag_interval_s)
        super().__init__(
            role.app_id,
            broker=broker_urls(bootstrap, settings),
            broker_credentials=faust_credentials(self.kafka_security),
            store="memory://",  # of plain Faust tables; RunTable brings its own
            datadir=settings.datadir / role.name,
            autodiscover=False,
            stream_wait_empty=True,
            stream_recovery_delay=settings.recovery_delay_s,
            topic_disable_leader=True,
            topic_replication_factor=settings.changelog_replication,
            table_standby_replicas=settings.table_replicas,
            consumer_auto_offset_reset="earliest",
            consumer_max_fetch_size=settings.fetch_partition_bytes,
            broker_max_poll_records=None,
            broker_commit_interval=settings.commit_interval_s,
            broker_session_timeout=settings.session_timeout_s,
            broker_heartbeat_interval=settings.session_timeout_s / 10,
            broker_rebalance_timeout=settings.rebalance_timeout_s,
            broker_request_timeout=max(REQUEST_TIMEOUT_S, settings.session_timeout_s),
            producer_linger=settings.linger_ms / 1000,
            producer_max_batch_size=131_072,
            producer_max_request_size=settings.max_message_bytes,
            web_enabled=primary,
            web_bind=settings.web_bind,
            web_port=settings.web_port,
            web_host=settings.web_bind,
            web_router_enabled=False,
            web_tables_enabled=False,  # tables hold plates
            web_graph_enabled=False,
            web_stats_enabled=False,
            worker_redirect_stdouts=False,
            Worker="streams.worker:StreamWorker",
        )

    # -- what agent modules use

    def runs(self, topic: str, **options: Any) -> TopicT:
        """A topic that agents of this role receive in runs: ``@app.agent(app.runs("alpr.plates.routed"))``."""
        return self.topic(topic, key_serializer="raw", value_serializer="run", **options)

    def run_table(self, name: str, *, partitions: int, help: str = "") -> RunTable:
        """A table of this role; its changelog is ``alpr-<role>-<name>-changelog``.

        Args:
            name: plural noun.
            partitions: of the topic whose runs change it; never changes afterwards.
            help: what it holds, for ``faust -A streams tables``.
        """
        options = {
            "driver": "rocksdict",
            "write_buffer_size": self.settings.table_write_buffer_bytes,
            "block_cache_size": self.settings.table_cache_bytes,
        }
        changelog = self.topic(
            self.role.changelog_topic(name), key_serializer="raw", value_serializer="run", partitions=partitions,
            compacting=True, deleting=False, acks=False, internal=True, maxsize=131_072, allow_empty=True,
        )  # fmt: skip
        # recovery buffers two runs: one would make Faust go on reading the changelogs of active tables after recovery
        table = RunTable(
            self, name=name, key_type=bytes, value_type=bytes, partitions=partitions, changelog_topic=changelog,
            help=help, options=options, recovery_buffer_size=2, standby_buffer_size=1, beacon=self.beacon,
        )  # fmt: skip
        self.tables.add(table)
        return table

    def broadcast(self, topic: str) -> Broadcast:
        """A compacted topic that every worker of this role holds whole, as `Broadcast`.

        Runs are delivered only when all broadcasts of the role have been read to their ends.
        """
        broadcast = Broadcast(topic, self.bootstrap, self.kafka_security)
        self.broadcasts.append(broadcast)
        return broadcast

    def agent(self, channel: Any = None, *, concurrency: int = 1, **options: Any) -> Callable[[Any], AgentT[Any]]:
        """As in Faust, for one instance: runs of a partition are finished in order.

        Raises:
            ImproperlyConfigured: more than one instance was asked for.
        """
        if concurrency != 1:
            raise ImproperlyConfigured("an agent of runs has concurrency=1: runs of a partition are finished in order")
        decorate: Callable[[Any], AgentT[Any]] = super().agent(channel, concurrency=concurrency, **options)
        return decorate

    # -- what the transport and the pages ask

    @property
    def run_consumer(self) -> RunConsumer:
        """The role's consumer."""
        assert isinstance(self.consumer, RunConsumer)
        return self.consumer

    @property
    def outbox(self) -> Outbox:
        """The way out for records beside a run. Checkpoints wait for them; nothing repeats them after a crash."""
        return self.run_consumer.outbox

    @property
    def is_recovered(self) -> bool:
        """Whether partitions are assigned and their tables are up to date."""
        assert isinstance(self.tables, TableManager)
        return self.tables.recovery.completed.is_set() and not self.rebalancing

    @property
    def may_deliver(self) -> bool:
        """Whether all broadcast state is there."""
        return all(broadcast.is_ready for broadcast in self.broadcasts)

    def source_topics(self) -> set[str]:
        """Topics that agents read and broadcasts follow; they must exist before the worker starts."""
        topics = {topic for agent in self.agents.values() for topic in agent.get_topic_names()}
        return topics | {broadcast.topic for broadcast in self.broadcasts}

    @property
    def is_running(self) -> bool:
        """Whether the role does its work: started, not crashed, its consumer alive."""
        return bool(self.started and not self.should_stop and self.consumer.started and not self.consumer.should_stop)

    # -- life

    def worker_init(self) -> None:
        """The ``faust`` command has found this app: choose the event loop before it makes one."""
        if uvloop is not None:
            asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        super().worker_init()

    def on_init_dependencies(self) -> Iterable[ServiceT]:
        """Start the watch and the broadcasts with the app."""
        return [*self.broadcasts, self.lag, *super().on_init_dependencies()]

    async def on_start(self) -> None:
        """Start the other roles beside this one: none waits for another's recovery."""
        await super().on_start()
        for companion in self.companions:
            companion.finalize()
            companion.in_worker = self.in_worker
            companion.beacon.reattach(self.beacon)  # a crash there is a crash of the worker
            self.add_future(companion.maybe_start())

    async def on_stop(self) -> None:
        """Stop all roles side by side, so that their settle times do not add up."""
        stopping = [companion.stop() for companion in self.companions if companion.started]
        results = await asyncio.gather(super().on_stop(), *stopping, return_exceptions=True)
        for app, result in zip([self, *self.companions], results, strict=False):
            if isinstance(result, BaseException):
                log.error("role did not stop cleanly", role=app.role.name, error=repr(result))

    def _create_directories(self) -> None:
        self.conf.datadir.mkdir(parents=True, exist_ok=True)
        super()._create_directories()

    async def _on_agent_error(self, agent: AgentT[Any], exc: BaseException) -> None:
        """An agent's body raised. Faust would acknowledge and go on; we stop before anything is lost."""
        if isinstance(exc, RunRevoked):
            log.info("run given up", agent=agent.name, reason=str(exc))
            return
        log.error("agent failed", role=self.role.name, agent=agent.name, error=repr(exc), exc_info=exc)
        failure = RunFailed(f"agent {agent.name} raised {exc!r}")
        failure.__cause__ = exc
        await self.crash(failure)


def broker_urls(bootstrap: str, settings: StreamSettings) -> list[URL]:
    """Faust broker URLs of the bootstrap servers, with the transport's options on the first."""
    query = settings.run_options().query()
    hosts = [host.strip() for host in bootstrap.split(",") if host.strip()]
    urls = [URL(f"runs+kafka://{host}") for host in hosts]
    return [urls[0].with_query(query), *urls[1:]]
