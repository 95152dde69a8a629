"""The worker's pages: ``/metrics`` for Prometheus, ``/health`` and ``/ready`` for supervisors."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams.health import health_report, readiness, ready_report

if TYPE_CHECKING:
    from streams.role_app import RoleApp


def add_pages(primary: "RoleApp", apps: Sequence["RoleApp"]) -> None:
    """Serve the pages on the primary app's web server, for all roles of the worker."""

    @primary.page("/metrics")
    async def metrics(web: Any, _request: Any) -> Any:
        """Prometheus metrics of the process."""
        for app in apps:
            app.run_consumer.metrics.ready.set(readiness(app).ready)
        return web.bytes(generate_latest(), content_type=CONTENT_TYPE_LATEST.partition(";")[0])

    @primary.page("/health")
    async def health(web: Any, _request: Any) -> Any:
        """200 while every role runs, else 503."""
        healthy, report = health_report(apps)
        return web.json(report, status=200 if healthy else 503)

    @primary.page("/ready")
    async def ready(web: Any, _request: Any) -> Any:
        """200 when every role is assigned, recovered and within its lag limit, else 503 with what is missing."""
        is_ready, report = ready_report(apps)
        return web.json(report, status=200 if is_ready else 503)

    _ = (metrics, health, ready)
