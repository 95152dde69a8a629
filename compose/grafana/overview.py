"""ALPR Overview."""

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


def overview() -> dashboard.Dashboard:
    """ALPR Overview: is the platform doing its job?"""
    return (
        new_dashboard("ALPR Overview", "alpr-overview", "Plates in, sightings, alerts out, and what they took.")
        .with_panel(
            number(
                "Roles ready",
                "min(alpr_stream_ready)",
                "0: a role is not ready; see Kafka & Database.",
                thresholds=levels((None, RED), (1, GREEN)),
            )
        )
        .with_panel(number("Cameras delivering", "sum(alpr_edge_camera_up)", "Cameras that deliver frames now."))
        .with_panel(
            number("Detections / min", "60 * sum(rate(alpr_detections_total[5m]))", "Raw detections that were judged.")
        )
        .with_panel(number("Alerts, 1 h", counted("alpr_alerts_total", "1h"), "Alerts that rules fired.", width=2))
        .with_panel(
            number(
                "Rules",
                "max(alpr_rules_loaded)",
                "Enabled rules; 0: nothing can fire.",
                width=2,
                thresholds=levels((None, RED), (1, GREEN)),
            )
        )
        .with_panel(
            number(
                "Failed notifications, 1 h",
                counted('alpr_notifications_total{outcome="failed"}', "1h"),
                "Given up after all retries: somebody was not told.",
                thresholds=levels((None, GREEN), (0.5, RED)),
            )
        )
        .with_panel(
            number(
                "Dead letters, 1 h",
                counted("alpr_dead_letters_total", "1h"),
                "Records that could not be handled; `alpr dlq list`.",
                thresholds=levels((None, GREEN), (0.5, AMBER), (100, RED)),
            )
        )
        .with_panel(
            bars(
                "What is wrong, since when",
                'max by (alertname, severity) (ALERTS{alertstate="firing"})',
                "{{severity}}: {{alertname}}",
                "Firing alerts. docs/runbook.md says for each what it means, where to look and what to do.",
                thresholds=levels((None, GREEN), (1, RED)),
                no_value="nothing fires",
            )
        )
        .with_panel(
            lines(
                "Detections by outcome",
                {"{{outcome}}": f"sum by (outcome) (rate(alpr_detections_total{RATE}))"},
                "What routing did with raw detections.",
                unit="cps",
            )
        )
        .with_panel(
            lines(
                "Sightings and duplicates",
                {
                    "{{kind}}": f"sum by (kind) (rate(alpr_sightings_total{RATE}))",
                    "joined a pass": f"sum(rate(alpr_duplicates_total{RATE}))",
                },
                "New and revised sightings, and detections that joined a known pass.",
                unit="cps",
            )
        )
        .with_panel(
            lines(
                "Capture to notification",
                {
                    "p50": quantile(0.5, "alpr_notify_seconds"),
                    "p99": quantile(0.99, "alpr_notify_seconds"),
                    "p99 of it from alert to delivery": quantile(0.99, "alpr_sighting_to_delivery_seconds"),
                },
                "From the frame to the settled notification, and the part of it that notifying takes.",
                unit="s",
            )
        )
        .with_panel(
            lines(
                "Alerts by rule",
                {
                    "{{rule}}": f"sum by (rule) (rate(alpr_alerts_total{RATE}))",
                    "suppressed": f"sum(rate(alpr_alerts_suppressed_total{RATE}))",
                },
                "Alerts, and matches that a rule's suppression held back.",
                unit="cps",
            )
        )
        .with_panel(
            lines(
                "Too late for correlations",
                {"{{rule}}": f"sum by (rule) (rate(alpr_correlation_late_total{RATE}))"},
                "Events that came after their time was decided on: the lateness of a camera is too short for it.",
                unit="cps",
            )
        )
        .with_panel(
            lines(
                "Beyond a bound of correlations",
                {"{{rule}} {{what}}": f"sum by (rule, what) (rate(alpr_correlation_lost_total{RATE}))"},
                "What did not count because a group was too busy; docs/correlations.md has the bounds.",
                unit="cps",
            )
        )
        .with_panel(
            lines(
                "Detections by camera",
                {"{{camera_id}}": f"sum by (camera_id) (rate(alpr_camera_detections_total{RATE}))"},
                "A camera that falls to nothing in daylight is blind, moved, or cut off.",
                unit="cps",
            )
        )
        .with_panel(
            lines(
                "Notifications by outcome",
                {"{{channel}} {{outcome}}": f"sum by (channel, outcome) (rate(alpr_notifications_total{RATE}))"},
                "Delivered, failed, and what was held back (stale, silenced, refused by a gate).",
                unit="cps",
                width=6,
            )
        )
        .with_panel(
            lines(
                "Notifications that wait",
                {
                    "{{channel}} retries": f"sum by (channel) (rate(alpr_notify_retries_total{RATE}))",
                    "{{channel}} rate limited": f"sum by (channel) (rate(alpr_notify_rate_limited_total{RATE}))",
                    "{{channel}} receivers down": "sum by (channel) (alpr_notify_circuits_open)",
                },
                "Tries that failed for now, what waits for its rate limit, and how many receivers do not answer.",
                width=6,
            )
        )
        .with_panel(
            lines(
                "Gates",
                {"{{gate}}": f"sum by (gate) (rate(alpr_gate_sightings_total{RATE}))"},
                "At entries and exits of sites; `no_direction` and `no_site` lack what the registry should say.",
                unit="cps",
            )
        )
        .with_panel(
            lines(
                "Visits by outcome",
                {"{{outcome}}": f"sum by (outcome) (rate(alpr_visits_total{RATE}))"},
                "Many `exit_only` and `exit_missed`: a gate reads badly, or is not registered.",
                unit="cps",
            )
        )
        .with_panel(
            sql_lines(
                "Vehicles at each site",
                """select $__timeGroupAlias(measured_at, '1m'), tags ->> 'site_id' as metric, max(value) as value
                      from camera_metrics where $__timeFilter(measured_at) and name = 'site_occupancy' group by 1, 2
                      order by 1""",
                "Open visits by event time: vehicles that entered and have not left.",
            )
        )
        .with_panel(
            sql_table(
                "Sites",
                """select site_id as site, count(*) filter (where outcome = 'open') as inside,
                      count(*) filter (where outcome = 'completed') as completed,
                      count(*) filter (where outcome in ('exit_only', 'exit_missed', 'expired')) as incomplete,
                      round((percentile_cont(0.5) within group (order by dwell_s) / 60)::numeric, 1) as median_minutes
                      from visits where $__timeFilter(started_at) and outcome <> 'withdrawn' group by 1
                      order by 2 desc""",
                "Visits that began in this time: still inside, completed, without an entry or exit.",
            )
        )
        .with_panel(
            sql_lines(
                "Sightings per camera",
                """select $__timeGroupAlias(captured_at, '1m'), camera_id as metric, count(*) as value
                      from plate_events where $__timeFilter(captured_at) and merged_into is null group by 1, 2
                      order by 1""",
                "By event time, from the database: what people will find when they search.",
            )
        )
        .with_panel(
            sql_lines(
                "Mean confidence",
                """select $__timeGroupAlias(captured_at, '5m'), camera_id as metric,
                      avg(plate_confidence) as value from plate_events
                      where $__timeFilter(captured_at) and plate_confidence is not null group by 1, 2 order by 1""",
                "A camera whose confidence sinks is dirty, moved or dark.",
                unit="percentunit",
            )
        )
        .with_panel(
            sql_table(
                "Latest alerts",
                """select fired_at as "time", severity, rule_name as rule, plate_text as plate, camera_id as camera,
                      round(likelihood::numeric, 3) as likelihood, message from alerts
                      where $__timeFilter(fired_at) order by fired_at desc limit 50""",
                "What fired, with the likelihood that it is the listed plate.",
                width=24,
            )
        )
        .with_panel(
            sql_table(
                "Busiest cameras",
                """select camera_id as camera, count(*) as sightings, sum(reads) as reads,
                      round(avg(plate_confidence)::numeric, 2) as confidence, max(captured_at) as last from plate_events
                      where $__timeFilter(captured_at) and merged_into is null group by 1 order by 2 desc limit 20""",
                "Sightings, reads and the last one for each camera.",
            )
        )
        .with_panel(
            sql_table(
                "Notifications",
                """select channel, outcome, count(*) as notifications, max(settled_at) as last from notifications
                      where $__timeFilter(captured_at) group by 1, 2 order by 1, 2""",
                "What became of notifications.",
            )
        )
        .with_panel(
            sql_table(
                "Undelivered notifications",
                """select settled_at as "time", channel, recipient, outcome, attempts, detail, alert_id
                      from notifications where $__timeFilter(captured_at) and outcome <> 'delivered'
                      order by settled_at desc limit 50""",
                "Who was not told, and why.",
                width=24,
            )
        )
    )
