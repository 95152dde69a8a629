"""Prometheus, scraping the platform's own metrics; from the system's packages, off by default."""

import json
import urllib.request
from typing import ClassVar

from compose.local.errors import NotReady
from compose.local.processes import Launch
from compose.local.service import Place, Service
from compose.local.tools import PROMETHEUS, Tool

_TARGETS = {"alpr-worker": "127.0.0.1:6066", "alpr-api": "127.0.0.1:8000", "alpr-edge": "127.0.0.1:9100"}


class Prometheus(Service):
    """Metrics of worker, API and edge agent on their usual ports, every five seconds."""

    name: ClassVar[str] = "prometheus"
    version: ClassVar[str] = "2"
    usual_ports: ClassVar[dict[str, int]] = {"http": 9090}
    by_default: ClassVar[bool] = False
    tools: ClassVar[tuple[Tool, ...]] = (PROMETHEUS,)

    def prepare(self, place: Place) -> None:
        """Writes the configuration (JSON is YAML)."""
        place.data.mkdir(parents=True, exist_ok=True)
        jobs = [{"job_name": name, "static_configs": [{"targets": [target]}]} for name, target in _TARGETS.items()]
        configuration = {"global": {"scrape_interval": "5s"}, "scrape_configs": jobs}
        (place.folder / "prometheus.yml").write_text(json.dumps(configuration, indent=2))

    def launch(self, place: Place) -> Launch:
        """The server on loopback, keeping a week."""
        return Launch(
            argv=[
                str(PROMETHEUS.require()),
                f"--config.file={place.folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={place.data}",
                "--storage.tsdb.retention.time=7d",
                f"--web.listen-address={place.address('http')}",
            ],
            environment={},
        )

    def check(self, place: Place) -> None:
        """Asks whether it serves queries.

        Raises:
            NotReady: not yet.
        """
        url = f"http://{place.address('http')}/-/ready"
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError as error:
            raise NotReady(f"{url}: {error}") from error

    def environment(self, place: Place) -> dict[str, str]:
        """Base URL."""
        return {"ALPR_PROMETHEUS_URL": f"http://{place.address('http')}"}
