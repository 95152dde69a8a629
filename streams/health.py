"""Whether a worker lives and whether its roles are ready, as plain data for the pages and the metrics."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from streams.role_app import RoleApp


@dataclass(frozen=True, slots=True)
class Readiness:
    """State of one role.

    Attributes:
        role: its name.
        ready: nothing below is in the way.
        waiting_for: what is, in words; empty when ready.
        partitions: how many of its source topics' partitions this worker has. None at all is fine: other workers
            have them.
        lag_records: committed offset to end, over those partitions; None until measured.
        lag_by_topic: the same by topic.
    """

    role: str
    ready: bool
    waiting_for: tuple[str, ...]
    partitions: int
    lag_records: int | None
    lag_by_topic: dict[str, int] = field(default_factory=dict)


def readiness(app: "RoleApp") -> Readiness:
    """Look at a role."""
    waiting: list[str] = []
    partitions = 0
    if not app.is_running:
        waiting.append("start")
    elif not app.is_recovered:
        waiting.append("assignment and recovery of tables")
    else:
        partitions = sum(tp.topic not in app.tables.changelog_topics for tp in app.consumer.assignment())
    waiting += [f"broadcast {state.topic}" for state in app.broadcasts if not state.is_ready]
    lag_records = app.lag.latest.total if app.lag.is_known else None
    if lag_records is None:
        waiting.append("lag measurement")
    elif lag_records > app.settings.ready_max_lag_records:
        waiting.append(f"lag of {lag_records} records to fall to {app.settings.ready_max_lag_records}")
    return Readiness(app.role.name, not waiting, tuple(waiting), partitions, lag_records, app.lag.latest.by_topic())


def ready_report(apps: Iterable["RoleApp"]) -> tuple[bool, dict[str, Any]]:
    """Readiness of the worker: all of its roles. Also shown as a metric."""
    roles = [readiness(app) for app in apps]
    ready = all(role.ready for role in roles)
    return ready, {"status": "ready" if ready else "not ready", "roles": {role.role: asdict(role) for role in roles}}


def health_report(apps: Iterable["RoleApp"]) -> tuple[bool, dict[str, Any]]:
    """Life of the worker: every role runs. A role that crashes ends the worker, so this is seldom false."""
    running = {app.role.name: app.is_running for app in apps}
    healthy = all(running.values())
    return healthy, {"status": "healthy" if healthy else "unhealthy", "running": running}
