"""What only a real database can show: every table, migrations, policies, outages of several kinds."""

import asyncio
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from agents.sinks import sql_tables
from agents.sinks.migrations import migrate
from agents.sinks.postgres import PostgresSink
from agents.sinks.settings import TimescaleSettings
from agents.sinks.sql_tables import SqlTable
from schemas.aliases import SIGHTING_NAMES, flatten
from schemas.clock import from_datetime
from schemas.errors import SinkUnavailable
from schemas.events import AlertAction, DeadLetter, Metric, Receipt
from tests.connected.sinks.conftest import PostgresHarness
from tests.unit.agents.sinks.sightings import NOON, alert, new_id, sighting, vehicle

HYPERTABLES = {"plate_events", "vehicle_events", "camera_metrics", "alerts", "notifications"}


async def ask(dsn: str, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """One statement on a connection of its own."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        cursor = await connection.execute(statement.encode(), parameters)
        return await cursor.fetchall() if cursor.description else []


async def write(dsn: str, table: SqlTable[Any], *events: Any) -> None:
    """Write events twice; neither time may refuse any."""
    sink: PostgresSink[Any] = PostgresSink(table, dsn)
    try:
        assert await sink.write(events) == []
        assert await sink.write(events) == []
    finally:
        await sink.close()


@pytest.fixture(params=["timescale", "postgres"])
def dsn(request: pytest.FixtureRequest) -> str:
    """Both kinds of server, without a cable."""
    harness: PostgresHarness = request.getfixturevalue(request.param)
    return harness.dsn


async def test_sighting_comes_back_as_it_went_in(dsn: str) -> None:
    """Every flat field of a sighting stands in its column, to the microsecond."""
    event = sighting(new_id(), text="京-AB😀12")
    await write(dsn, sql_tables.plate_events(), event)
    names = list(SIGHTING_NAMES)
    columns = ", ".join(f'"{name}"' for name in names)
    ((*values, characters, extras, node),) = await ask(
        dsn, f"SELECT {columns}, characters, extras, node FROM plate_events WHERE event_id = %s", event.event_id
    )
    row = {
        name: from_datetime(value) if name in sql_tables.TIMES else value
        for name, value in zip(names, values, strict=True)
    }
    assert row == flatten(event)
    assert characters[0][0] == {"char": "京", "probability": 0.9}
    assert extras == {"lane": "two"}
    assert node["agent_id"] == "edge-1"


async def test_final_message_of_a_vehicle_stays(dsn: str) -> None:
    """The early message arriving after the final one changes nothing."""
    event = new_id()
    early, final = vehicle(event, is_final=False, reads=1), vehicle(event, is_final=True, reads=5)
    await write(dsn, sql_tables.vehicle_events(), early)
    await write(dsn, sql_tables.vehicle_events(), final)
    await write(dsn, sql_tables.vehicle_events(), early)
    rows = await ask(dsn, "SELECT revision, reads, is_final FROM vehicle_events WHERE event_id = %s", event)
    assert rows == [(2, 5, True)]


async def test_metrics_with_and_without_camera(dsn: str) -> None:
    """A node's metric has an empty camera; the same measurement is one row."""
    name = f"m-{new_id()}"
    metric = Metric(name=name, value=25, measured_at=NOON, camera_id="gate-1", tags={"gpu": "0"})
    await write(dsn, sql_tables.camera_metrics(), metric, replace(metric, camera_id=None), metric)
    rows = await ask(dsn, "SELECT camera_id, value, tags FROM camera_metrics WHERE name = %s ORDER BY 1", name)
    assert rows == [("", 25.0, {"gpu": "0"}), ("gate-1", 25.0, {"gpu": "0"})]


async def test_alert_with_its_proof(dsn: str) -> None:
    """Event ids are an array that can be searched; the proof is whole."""
    event = alert(new_id())
    await write(dsn, sql_tables.alerts(), event)
    rows = await ask(
        dsn,
        "SELECT rule_id, event_ids, proof -> 'suppressed', context FROM alerts"
        " WHERE alert_id = %s AND 'e2' = ANY (event_ids)",
        event.alert_id,
    )
    assert rows == [("stolen", ["e1", "e2"], 3, {"vehicle_make": "Ford"})]


async def test_alert_without_events_or_actions(dsn: str) -> None:
    """Empty arrays are empty, not NULL."""
    event = alert(new_id())
    event = replace(event, proof=replace(event.proof, event_ids=()))
    await write(dsn, sql_tables.alerts(), event)
    assert await ask(dsn, "SELECT event_ids, actions FROM alerts WHERE alert_id = %s", event.alert_id) == [([], [])]


async def test_actions_on_alerts(dsn: str) -> None:
    """Each action is one row."""
    action = AlertAction(action_id=new_id(), alert_id="a", action="silence", actor="me", acted_at=NOON, until=NOON + 1)
    await write(dsn, sql_tables.alert_actions(), action)
    rows = await ask(dsn, "SELECT action, until FROM alert_actions WHERE action_id = %s", action.action_id)
    assert [(name, from_datetime(until)) for name, until in rows] == [("silence", NOON + 1)]


async def test_latest_receipt_stands(dsn: str) -> None:
    """A replay that delivered replaces the failure, whatever the order of arrival."""
    failed = Receipt(
        notification_id=new_id(), alert_id="a", rule_id="r", channel="email", recipient="x@y", outcome="failed",
        attempts=5, captured_at=NOON, settled_at=NOON + 10,
    )  # fmt: skip
    delivered = replace(failed, outcome="delivered", settled_at=NOON + 20)
    await write(dsn, sql_tables.notifications(), delivered)
    await write(dsn, sql_tables.notifications(), failed)
    rows = await ask(dsn, "SELECT outcome FROM notifications WHERE notification_id = %s", failed.notification_id)
    assert rows == [("delivered",)]


async def test_letter_that_was_written_again_after_a_crash_is_one(dsn: str) -> None:
    """The same failure at another time of the wall clock is the same letter; its NUL is stored as a mark."""
    letter = DeadLetter(
        dead_letter_id=new_id(), topic="t", partition=1, offset=2**40, recorded_at=NOON, key=None, value=b"\0\1",
        agent="route", error_type="UNKNOWN", message="a\0b", failed_at=NOON,
    )  # fmt: skip
    await write(dsn, sql_tables.dead_letters(), letter, replace(letter, failed_at=NOON + 5))
    rows = await ask(
        dsn, 'SELECT "offset", size_bytes, message FROM dead_letters WHERE dead_letter_id = %s', letter.dead_letter_id
    )
    assert rows == [(2**40, 2, "a\ufffdb")]


async def test_hourly_view(dsn: str) -> None:
    """Sightings per hour and camera, right away, on both kinds of server."""
    camera = f"cam-{new_id()}"
    events = [sighting(new_id(), camera_id=camera, captured_at=NOON + n * 1_000_000) for n in range(3)]
    await write(dsn, sql_tables.plate_events(), *events)
    rows = await ask(
        dsn, "SELECT sightings, avg_confidence, site_id FROM plate_events_hourly WHERE camera_id = %s", camera
    )
    assert [(count, round(average, 6), site) for count, average, site in rows] == [(3, 0.93, "harbour")]


async def test_hypertables_and_policies_follow_the_settings(timescale: PostgresHarness) -> None:
    """With the extension, tables are hypertables, and a changed setting changes the standing order."""
    await timescale.sink.setup()
    rows = await timescale.query("SELECT hypertable_name FROM timescaledb_information.hypertables")
    assert {row[0] for row in rows} >= HYPERTABLES
    usual = TimescaleSettings()
    for settings, expected in (
        (TimescaleSettings(plate_retention_days=400, compress_after_days=None), {"policy_retention": "400 days"}),
        (usual, {"policy_compression": f"{usual.compress_after_days} days"}),
    ):
        async with await psycopg.AsyncConnection.connect(timescale.dsn, autocommit=True) as connection:
            await migrate(connection, settings)
        jobs = await timescale.query(
            "SELECT proc_name, coalesce(config ->> 'drop_after', config ->> 'compress_after')"
            " FROM timescaledb_information.jobs WHERE hypertable_name = 'plate_events'"
        )
        assert dict(jobs) == expected


async def test_workers_that_start_at_the_same_time(scratch_postgres: str) -> None:
    """Each migration is applied once, however many workers migrate an empty database together."""
    sinks = [PostgresSink(sql_tables.plate_events(), scratch_postgres) for _ in range(5)]
    await asyncio.gather(*(sink.setup() for sink in sinks))
    names = [row[0] for row in await ask(scratch_postgres, "SELECT name FROM schema_migrations ORDER BY 1")]
    first = ["001_events.sql", "002_alerts.sql", "004_hourly.postgresql.sql", "005_folded_plates.sql"]
    assert names[:4] == first
    assert {"006_merged.sql", "007_hourly_without_merged.postgresql.sql"} <= set(names)
    for sink in sinks:
        await sink.close()


async def test_database_that_was_wiped(scratch_postgres: str) -> None:
    """A schema that vanishes under a running sink is made again, and the batch goes through."""
    sink = PostgresSink(sql_tables.plate_events(), scratch_postgres)
    await sink.write([sighting(new_id())])
    await ask(scratch_postgres, "DROP SCHEMA public CASCADE")
    await ask(scratch_postgres, "CREATE SCHEMA public")
    with pytest.raises(SinkUnavailable, match="42P01"):
        await sink.write([sighting("after")])
    assert await sink.write([sighting("after")]) == []
    assert await ask(scratch_postgres, "SELECT event_id FROM plate_events") == [("after",)]
    await sink.close()


async def test_locked_table_ends_in_time(scratch_postgres: str) -> None:
    """A statement that waits for a lock ends with the time-out, and the sink goes on afterwards."""
    sink = PostgresSink(sql_tables.plate_events(), scratch_postgres, TimescaleSettings(statement_timeout_s=0.5))
    await sink.setup()
    async with await psycopg.AsyncConnection.connect(scratch_postgres) as blocker:
        await blocker.execute("LOCK TABLE plate_events IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(SinkUnavailable, match="57014"):
            await asyncio.wait_for(sink.write([sighting("a")]), 10)
    assert await sink.write([sighting("a")]) == []
    await sink.close()


async def test_read_only_database_and_lost_session(scratch_postgres: str) -> None:
    """A standby that takes no writes, and a session that the administrator ended, are passing troubles."""
    sink = PostgresSink(sql_tables.plate_events(), scratch_postgres)
    await sink.setup()
    name = urlsplit(scratch_postgres).path[1:]
    await ask(scratch_postgres, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    end_sessions = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    )
    await ask(scratch_postgres, end_sessions, name)
    for _ in range(2):  # the ended session, then the read-only one
        with pytest.raises(SinkUnavailable):
            await sink.write([sighting("a")])
    async with await psycopg.AsyncConnection.connect(scratch_postgres, autocommit=True) as administrator:
        await administrator.execute("SET default_transaction_read_only = off")
        await administrator.execute(f'ALTER DATABASE "{name}" RESET ALL'.encode())
    await ask(scratch_postgres, end_sessions, name)
    with pytest.raises(SinkUnavailable):
        await sink.write([sighting("a")])
    assert await sink.write([sighting("a")]) == []
    await sink.close()


async def test_concurrent_writers_of_one_event(scratch_postgres: str) -> None:
    """Two workers around a rebalance may write the same events in any order: the highest revision stands."""
    sinks = [PostgresSink(sql_tables.plate_events(), scratch_postgres) for _ in range(2)]
    await sinks[0].setup()
    ids = [f"e{n}" for n in range(200)]

    async def push(sink: PostgresSink[Any], revision: int, order: list[str]) -> None:
        batch = [sighting(event, revision) for event in order]
        for _ in range(10):  # two unordered upserts may deadlock: a passing trouble
            try:
                assert await sink.write(batch) == []
            except SinkUnavailable:
                continue
            return
        pytest.fail("never written")

    for revision in (1, 2, 3):
        await asyncio.gather(push(sinks[0], revision, ids), push(sinks[1], revision + 1, ids[::-1]))
    rows = await ask(scratch_postgres, "SELECT revision, count(*) FROM plate_events GROUP BY 1")
    assert rows == [(4, 200)]
    for sink in sinks:
        await sink.close()


async def test_server_that_is_restarted(stack: Any, plain_postgres: str) -> None:
    """A stopped server is unavailable, and after its return everything that was acknowledged is there."""
    sink = PostgresSink(sql_tables.plate_events(), plain_postgres)
    before, during = sighting(new_id()), sighting(new_id())
    await sink.write([before])
    await asyncio.to_thread(stack.stop, "postgres")
    with pytest.raises(SinkUnavailable):
        await sink.write([during])
    await asyncio.to_thread(stack.start, "postgres")
    assert await sink.write([during]) == []
    rows = await ask(
        plain_postgres, "SELECT count(*) FROM plate_events WHERE event_id IN (%s, %s)", before.event_id, during.event_id
    )
    assert rows == [(2,)]
    await sink.close()
