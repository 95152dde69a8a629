"""Prometheus with the platform's scrape settings and alert rules, as the distribution has it; off by default."""

import json
import os
import shutil
import urllib.request
from pathlib import Path
from typing import ClassVar

from compose.local.artifacts import Artifact
from compose.local.debian import DebianProgram
from compose.local.errors import NotReady
from compose.local.ports import HOST
from compose.local.processes import Launch
from compose.local.service import Place, Service
from compose.local.tools import PROMETHEUS

CONFIGURATION = Path(__file__).parents[2] / "prometheus"
_TARGETS = {"alpr-worker": 6066, "alpr-api": 8000, "alpr-edge": 9100}

PROGRAM = DebianProgram(PROMETHEUS, "prometheus", "usr/bin/prometheus")


class Prometheus(Service):
    """Metrics of worker, API and edge agent on their usual ports, every five seconds, and the alerts on them."""

    name: ClassVar[str] = "prometheus"
    version: ClassVar[str] = "2"
    usual_ports: ClassVar[dict[str, int]] = {"http": 9090}
    by_default: ClassVar[bool] = False

    def artifacts(self) -> tuple[Artifact, ...]:
        """Server and promtool, where they are not installed."""
        return PROGRAM.artifacts()

    def prepare(self, place: Place) -> None:
        """Copies settings and alerts, the same as in the containers, and writes whom to ask (JSON is YAML)."""
        place.data.mkdir(parents=True, exist_ok=True)
        for name in ("prometheus.yml", "alerts.yml"):
            shutil.copy(CONFIGURATION / name, place.folder / name)
        targets = [{"labels": {"job": job}, "targets": [f"{HOST}:{port}"]} for job, port in _TARGETS.items()]
        (place.folder / "targets.yml").write_text(json.dumps(targets, indent=2))
        key = place.folder / "api_key"
        key.touch(mode=0o600)
        key.write_text(os.environ.get("ALPR_API_KEY") or "none")  # the API asks for it where it has one

    def launch(self, place: Place) -> Launch:
        """The server on loopback, keeping a week."""
        return Launch(
            argv=[
                str(PROGRAM.path()),
                f"--config.file={place.folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={place.data}",
                "--storage.tsdb.retention.time=7d",
                f"--web.listen-address={place.address('http')}",
            ],
            environment=PROGRAM.environment(),
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
