"""Kafka & Database."""

from grafana_foundation_sdk.builders import dashboard

from compose.grafana.panels import (
    AMBER,
    GREEN,
    RATE,
    RED,
    bars,
    counted,
    levels,
    lines,
    new_dashboard,
    number,
    quantile,
    sql_lines,
    sql_table,
)


def kafka_and_database() -> dashboard.Dashboard:
    """Kafka & Database: does anything pile up, and does every store take what it is given?"""
    return (
        new_dashboard("Kafka & Database", "alpr-kafka-database", "Lag, checkpoints, sinks, dead letters, sizes.")
        .with_panel(
            number(
                "Largest lag",
                "max(sum by (role) (alpr_stream_lag_records))",
                "Records that the slowest role is behind.",
                thresholds=levels((None, GREEN), (1000, AMBER), (50000, RED)),
                width=6,
            )
        )
        .with_panel(
            number(
                "Stores that answer",
                "min(alpr_sink_up)",
                "0: a store is down; its records wait in Kafka.",
                thresholds=levels((None, RED), (1, GREEN)),
                width=6,
            )
        )
        .with_panel(
            number(
                "Rebalances, 1 h",
                counted("alpr_stream_rebalances_total", "1h"),
                "Many: workers come and go, or sessions time out.",
                thresholds=levels((None, GREEN), (20, AMBER)),
                width=6,
            )
        )
        .with_panel(
            number(
                "Events on edge disks",
                "sum(alpr_edge_spooled_events)",
                "Events that wait for Kafka at the edge.",
                thresholds=levels((None, GREEN), (1, AMBER)),
                width=6,
            )
        )
        .with_panel(
            bars(
                "Roles",
                "min by (role) (alpr_stream_ready)",
                "{{role}}",
                "Red: the role waits for its partitions, recovers its tables, or lags beyond its limit.",
                thresholds=levels((None, RED), (1, GREEN)),
                width=12,
            )
        )
        .with_panel(
            bars(
                "Stores",
                "min by (sink) (alpr_sink_up)",
                "{{sink}}",
                "Red: the last call was not answered; the store's records wait in Kafka.",
                thresholds=levels((None, RED), (1, GREEN)),
                width=12,
            )
        )
        .with_panel(
            lines(
                "Lag by role",
                {"{{role}}": "sum by (role) (alpr_stream_lag_records)"},
                "Records between the committed offset and the end.",
            )
        )
        .with_panel(
            lines(
                "Lag by partition, top 10",
                {"{{topic}}/{{partition}}": "topk(10, sum by (topic, partition) (alpr_stream_lag_records))"},
                "One partition far above the others: a hot camera, or a stuck agent.",
            )
        )
        .with_panel(
            lines(
                "Watermark lag by partition",
                {"{{partition}}": "max by (partition) (alpr_watermark_lag_seconds)"},
                "Age of the event time to which a partition's detections are complete: the lateness of its slowest "
                "camera, and more while raw detections wait.",
                unit="s",
                width=24,
            )
        )
        .with_panel(
            lines(
                "Waiting in the worker",
                {
                    "outputs, {{role}}": "sum by (role) (alpr_stream_unacknowledged_outputs)",
                    "table keys, {{role}}": "sum by (role) (alpr_stream_staged_keys)",
                },
                "Outputs that Kafka has not acknowledged, table keys that wait for a checkpoint.",
            )
        )
        .with_panel(
            lines(
                "Dead letters",
                {"{{agent}} {{error_type}}": f"sum by (agent, error_type) (rate(alpr_dead_letters_total{RATE}))"},
                "Records that could not be handled.",
                unit="cps",
            )
        )
        .with_panel(
            lines(
                "Sink writes, p95",
                {"{{sink}}": quantile(0.95, "alpr_sink_write_seconds", "sink")},
                "Duration of a batch.",
                unit="s",
            )
        )
        .with_panel(
            lines(
                "Sink records",
                {"{{sink}} {{outcome}}": f"sum by (sink, outcome) (rate(alpr_sink_records_total{RATE}))"},
                "Written and rejected.",
                unit="cps",
            )
        )
        .with_panel(
            lines(
                "Sink outages",
                {"{{sink}}": f"sum by (sink) (rate(alpr_sink_unavailable_total{RATE}))"},
                "Calls that a store did not answer.",
                unit="cps",
            )
        )
        .with_panel(
            sql_lines(
                "Capture to database, mean",
                """select $__timeGroupAlias(ingested_at, '1m'),
                      avg(extract(epoch from ingested_at - captured_at)) as value from plate_events
                      where $__timeFilter(ingested_at) group by 1 order by 1""",
                "Age of a sighting when its row was written.",
                unit="s",
            )
        )
        .with_panel(
            sql_table(
                "Tables",
                """select relname as "table", n_live_tup as rows,
                      pg_size_pretty(pg_total_relation_size(relid)) as size from pg_stat_user_tables
                      where schemaname = 'public' order by relname""",
                "Rows and size (hypertables keep theirs in chunks: see the next panel).",
            )
        )
        .with_panel(
            sql_table(
                "Hypertables",
                """select h.hypertable_name as hypertable, h.num_chunks as chunks,
                      pg_size_pretty(hypertable_size(
                        format('%I.%I', h.hypertable_schema, h.hypertable_name)::regclass)) as size
                      from timescaledb_information.hypertables h order by 1""",
                "Chunks and size of what grows with time.",
            )
        )
        .with_panel(
            sql_table(
                "Latest dead letters",
                """select failed_at as "time", agent, error_type, topic, "partition", "offset", message,
                retry_count as retries
                      from dead_letters where $__timeFilter(failed_at) order by failed_at desc limit 50""",
                "`alpr dlq show` prints one, `alpr dlq replay` sends them back.",
                width=24,
            )
        )
        .with_panel(
            sql_table(
                "Database sessions",
                """select state, count(pid) as sessions,
                      count(pid) filter (where wait_event_type = 'Lock') as "waiting for a lock",
                      max(now() - state_change)::text as longest
                      from unnest(array['active', 'idle', 'idle in transaction']) as state
                      left join pg_stat_activity using (state) group by 1 order by 1""",
                "Connections by state; long ones idle in transaction hold locks.",
            )
        )
    )
