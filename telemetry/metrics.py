"""Every Prometheus metric of the platform, in one place: dashboards and alerts name these and no others.

Names follow Prometheus' conventions (base units, ``_total`` on counters). Labels are bounded: topics, agents, roles,
cameras, channels - never a plate.
"""

from prometheus_client import Counter, Gauge, Histogram

_FAST_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LATENCY_S = (0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 900)
_RUN_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)

# -- stream core

STREAM_RECORDS = Counter("alpr_stream_records_total", "Records that agents have finished", ["role", "topic"])
STREAM_RUN_RECORDS = Histogram("alpr_stream_run_records", "Records in a partition run", ["role"], buckets=_RUN_SIZES)
STREAM_CHECKPOINT_SECONDS = Histogram(
    "alpr_stream_checkpoint_seconds", "Duration of a checkpoint", ["role"], buckets=_FAST_S
)
STREAM_LAG = Gauge(
    "alpr_stream_lag_records", "Records between the committed offset and the end", ["role", "topic", "partition"]
)
STREAM_STAGED_KEYS = Gauge("alpr_stream_staged_keys", "Table keys that wait for the next checkpoint", ["role"])
STREAM_UNACKNOWLEDGED = Gauge("alpr_stream_unacknowledged_outputs", "Outputs that Kafka has not acknowledged", ["role"])
STREAM_REBALANCES = Counter("alpr_stream_rebalances_total", "Rebalances", ["role"])
STREAM_READY = Gauge("alpr_stream_ready", "1 when the role is assigned, recovered and within its lag limit", ["role"])

# -- the plates' way

DETECTIONS = Counter(
    "alpr_detections_total", "Raw detections by what became of them", ["outcome"]
)  # routed, vehicle, metric, ignored, sampled, dead_letter
CAMERA_DETECTIONS = Counter("alpr_camera_detections_total", "Valid detections by camera", ["camera_id"])
SIGHTINGS = Counter("alpr_sightings_total", "Sightings by kind of revision", ["kind"])  # new, revised, merged
WATERMARK_LAG = Gauge(
    "alpr_watermark_lag_seconds",
    "Time since the event time up to which a partition's reads are complete",
    ["partition"],
)
DUPLICATES = Counter("alpr_duplicates_total", "Detections that joined a pass that was known already")
GATE_SIGHTINGS = Counter(
    "alpr_gate_sightings_total", "Sightings at gate cameras by what they are", ["gate"]
)  # entry, exit, no_direction, no_site
VISITS = Counter("alpr_visits_total", "Revisions of visits by outcome", ["outcome"])
ALERTS = Counter("alpr_alerts_total", "Alerts that fired", ["rule", "severity"])
ALERTS_SUPPRESSED = Counter("alpr_alerts_suppressed_total", "Matches held back by a rule's suppression", ["rule"])
CORRELATION_LATE = Counter("alpr_correlation_late_total", "Events that came too late for a correlation", ["rule"])
CORRELATION_LOST = Counter(
    "alpr_correlation_lost_total", "What did not count for a correlation because of a bound", ["rule", "what"]
)
RULES_LOADED = Gauge("alpr_rules_loaded", "Enabled rules")
DEAD_LETTERS = Counter("alpr_dead_letters_total", "Dead letters written", ["agent", "error_type"])
NOTIFICATIONS = Counter("alpr_notifications_total", "Notifications by outcome", ["channel", "outcome"])
NOTIFY_SECONDS = Histogram(
    "alpr_notify_seconds",
    "From the capture of the trigger to the settled notification",
    ["channel"],
    buckets=_LATENCY_S,
)
NOTIFY_RETRIES = Counter("alpr_notify_retries_total", "Tries of notifications that failed for now", ["channel"])
NOTIFY_RATE_LIMITED = Counter(
    "alpr_notify_rate_limited_total", "Notifications that waited for a rate limit", ["channel"]
)
NOTIFY_CIRCUITS_OPEN = Gauge("alpr_notify_circuits_open", "Receivers that do not answer now", ["channel"])
SIGHTING_TO_DELIVERY_SECONDS = Histogram(
    "alpr_sighting_to_delivery_seconds",
    "From the alert's record in Kafka to its delivery",
    ["channel"],
    buckets=_LATENCY_S,
)

# -- sinks

SINK_RECORDS = Counter(
    "alpr_sink_records_total", "Records by what a sink did", ["sink", "outcome"]
)  # written, rejected
SINK_WRITE_SECONDS = Histogram("alpr_sink_write_seconds", "Duration of a batch write", ["sink"], buckets=_FAST_S)
SINK_UNAVAILABLE = Counter("alpr_sink_unavailable_total", "Times that a sink did not answer", ["sink"])
SINK_UP = Gauge("alpr_sink_up", "1 when the last call to the sink was answered", ["sink"])

# -- edge agent

EDGE_FRAMES = Counter("alpr_edge_frames_total", "Frames that were analysed", ["camera_id"])
EDGE_FRAMES_DROPPED = Counter("alpr_edge_frames_dropped_total", "Live frames that came too fast", ["camera_id"])
EDGE_DETECTIONS = Counter("alpr_edge_detections_total", "Detections published", ["camera_id", "stage"])  # early, final
EDGE_STAGE_SECONDS = Histogram("alpr_edge_stage_seconds", "Time of a stage for a frame", ["stage"], buckets=_FAST_S)
EDGE_LATENCY_SECONDS = Histogram(
    "alpr_edge_latency_seconds", "From the capture of a frame to the publication", ["camera_id"], buckets=_LATENCY_S
)
EDGE_CAMERA_UP = Gauge("alpr_edge_camera_up", "1 while the camera delivers frames", ["camera_id"])
EDGE_SPOOLED = Gauge("alpr_edge_spooled_events", "Events that wait on disk for Kafka")
EDGE_SPOOL_DROPPED = Counter("alpr_edge_spool_dropped_total", "Events lost because the spool was full")
EDGE_IMAGES = Counter("alpr_edge_images_total", "Images by what became of them", ["outcome"])  # uploaded, failed

# -- query API

API_REQUESTS = Counter("alpr_api_requests_total", "Requests by route and status", ["route", "method", "status"])
API_SECONDS = Histogram("alpr_api_request_seconds", "Duration of a request", ["route"], buckets=_FAST_S)
