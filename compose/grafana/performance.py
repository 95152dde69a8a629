"""System Performance."""

from grafana_foundation_sdk.builders import dashboard

from compose.grafana.panels import (
    RATE,
    lines,
    new_dashboard,
    quantile,
)


def performance() -> dashboard.Dashboard:
    """System Performance: where time, CPU and memory go."""
    return (
        new_dashboard("System Performance", "alpr-performance", "Edge agents, worker, API and containers.")
        .with_panel(
            lines(
                "Frames analysed",
                {"{{camera_id}}": f"sum by (camera_id) (rate(alpr_edge_frames_total{RATE}))"},
                "Frames per second and camera.",
                unit="fps",
            )
        )
        .with_panel(
            lines(
                "Frames dropped",
                {"{{camera_id}}": f"sum by (camera_id) (rate(alpr_edge_frames_dropped_total{RATE}))"},
                "Live frames that came while the agent was busy: it needs a faster model or machine.",
                unit="fps",
            )
        )
        .with_panel(
            lines(
                "Edge stages, p95",
                {"{{stage}}": quantile(0.95, "alpr_edge_stage_seconds", "stage")},
                "Detection, reading, tracking: time for a frame.",
                unit="s",
            )
        )
        .with_panel(
            lines(
                "Capture to publication, p95",
                {"{{camera_id}}": quantile(0.95, "alpr_edge_latency_seconds", "camera_id")},
                "How old a detection is when it leaves the edge.",
                unit="s",
            )
        )
        .with_panel(
            lines(
                "Published by the edge",
                {"{{camera_id}} {{stage}}": f"sum by (camera_id, stage) (rate(alpr_edge_detections_total{RATE}))"},
                "Early messages, and final ones at the end of a track.",
                unit="cps",
            )
        )
        .with_panel(
            lines(
                "Lost at the edge",
                {
                    "images {{outcome}}": "sum by (outcome) "
                    f'(rate(alpr_edge_images_total{{outcome!="uploaded"}}{RATE}))',
                    "events": f"sum(rate(alpr_edge_spool_dropped_total{RATE}))",
                },
                "Images that did not reach the store, and events that the full spool refused.",
                unit="cps",
            )
        )
        .with_panel(
            lines(
                "Records finished",
                {"{{role}}": f"sum by (role) (rate(alpr_stream_records_total{RATE}))"},
                "Throughput of each role.",
                unit="cps",
            )
        )
        .with_panel(
            lines(
                "Checkpoint, p99",
                {"{{role}}": quantile(0.99, "alpr_stream_checkpoint_seconds", "role")},
                "Outputs flushed, changelog and RocksDB written, offsets committed.",
                unit="s",
            )
        )
        .with_panel(
            lines(
                "Records in a run, mean",
                {
                    "{{role}}": f"sum by (role) (rate(alpr_stream_run_records_sum{RATE})) "
                    f"/ sum by (role) (rate(alpr_stream_run_records_count{RATE}))"
                },
                "Larger runs cost less CPU a record; they grow with the load.",
            )
        )
        .with_panel(
            lines(
                "API, p95",
                {"{{route}}": quantile(0.95, "alpr_api_request_seconds", "route")},
                "Duration of requests by route.",
                unit="s",
            )
        )
        .with_panel(
            lines(
                "API requests",
                {"{{status}}": f"sum by (status) (rate(alpr_api_requests_total{RATE}))"},
                "Requests by status.",
                unit="reqps",
            )
        )
        .with_panel(
            lines(
                "Process CPU",
                {"{{job}}": f"sum by (job) (rate(process_cpu_seconds_total{RATE}))"},
                "Cores that the platform's processes use.",
                unit="short",
            )
        )
        .with_panel(
            lines(
                "Process memory",
                {"{{job}}": "sum by (job) (process_resident_memory_bytes)"},
                "Resident memory; a steady climb is a leak.",
                unit="bytes",
            )
        )
        .with_panel(
            lines(
                "Container CPU",
                {"{{name}}": f'sum by (name) (rate(container_cpu_usage_seconds_total{{name!=""}}{RATE}))'},
                "Cores by container (cAdvisor).",
            )
        )
        .with_panel(
            lines(
                "Container memory",
                {"{{name}}": 'sum by (name) (container_memory_working_set_bytes{name!=""})'},
                "Working set by container (cAdvisor).",
                unit="bytes",
            )
        )
        .with_panel(
            lines(
                "Container network",
                {"{{name}}": f'sum by (name) (rate(container_network_transmit_bytes_total{{name!=""}}{RATE}))'},
                "Sent by container (cAdvisor).",
                unit="Bps",
            )
        )
    )
