"""TimescaleDB's standing orders: retention, columnar chunks, refresh of the hourly view.

They follow the settings, so they are no migrations. What is already as it should be is left alone: taking a policy away
and adding it again would start its job anew with every worker.
"""

from psycopg import sql

from agents.sinks.database import Connection
from agents.sinks.settings import TimescaleSettings

REFRESH_DAYS = 31  # route refuses detections older than 30 days: nothing changes before that


async def set_policies(connection: Connection, settings: TimescaleSettings) -> None:
    """Make the policies what the settings say. Runs in the caller's transaction.

    Raises:
        psycopg.Error: as the server gave it.
    """
    for table, days in (
        ("plate_events", settings.plate_retention_days),
        ("vehicle_events", settings.plate_retention_days),
        ("visits", settings.plate_retention_days),
        ("camera_metrics", settings.metric_retention_days),
    ):
        await _set_retention(connection, table, days)
    for table, segment in (("plate_events", "camera_id"), ("camera_metrics", "name, camera_id")):
        await _set_compression(connection, table, segment, settings.compress_after_days)
    await _set_refresh(connection, settings.plate_retention_days)


async def _stands(connection: Connection, job: str, table: str, key: str) -> int | None:
    """Days that a policy has now; None without one."""
    cursor = await connection.execute(
        "SELECT extract(day FROM (config ->> %s)::interval)::int FROM timescaledb_information.jobs"
        " WHERE proc_name = %s AND hypertable_name IN (%s, (SELECT materialization_hypertable_name"
        " FROM timescaledb_information.continuous_aggregates WHERE view_name = %s))",
        (key, job, table, table),
    )
    row = await cursor.fetchone()
    return None if row is None else row[0]


async def _set_retention(connection: Connection, table: str, days: int | None) -> None:
    if await _stands(connection, "policy_retention", table, "drop_after") == days:
        return
    await connection.execute("SELECT remove_retention_policy(%s, if_exists => true)", (table,))
    if days is not None:
        await connection.execute(
            "SELECT add_retention_policy(%s, drop_after => make_interval(days => %s))", (table, days)
        )


async def _set_compression(connection: Connection, table: str, segment: str, days: int | None) -> None:
    if await _stands(connection, "policy_compression", table, "compress_after") == days:
        return
    await connection.execute("SELECT remove_compression_policy(%s, if_exists => true)", (table,))
    if days is None:
        return
    await connection.execute(
        sql.SQL("ALTER TABLE {} SET (timescaledb.compress, timescaledb.compress_segmentby = {})").format(
            sql.Identifier(table), sql.Literal(segment)
        )
    )
    await connection.execute(
        "SELECT add_compression_policy(%s, compress_after => make_interval(days => %s))", (table, days)
    )


async def _set_refresh(connection: Connection, retention_days: int | None) -> None:
    """Refresh the last month of the hourly view, but nothing that retention has dropped: that would empty it."""
    days = REFRESH_DAYS if retention_days is None else min(REFRESH_DAYS, max(1, retention_days - 1))
    view = "plate_events_hourly"
    if await _stands(connection, "policy_refresh_continuous_aggregate", view, "start_offset") == days:
        return
    await connection.execute("SELECT remove_continuous_aggregate_policy(%s, if_exists => true)", (view,))
    await connection.execute(
        "SELECT add_continuous_aggregate_policy(%s, start_offset => make_interval(days => %s),"
        " end_offset => INTERVAL '1 hour', schedule_interval => INTERVAL '10 minutes')",
        (view, days),
    )
