"""A Prometheus with the platform's own settings, and figures for it to scrape."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from compose.local.errors import NotReady
from compose.local.ports import free_port
from compose.local.processes import spawn
from compose.local.service import Place
from compose.local.services.prometheus import PROGRAM, Prometheus

_SCRAPE_INTERVAL_S = 1
_PATIENCE_S = 60


@dataclass(frozen=True, slots=True)
class Scraped:
    """A Prometheus that has figures of every metric."""

    url: str

    def query(self, promql: str) -> list[Any]:
        """The series of an instant query, now; an error is an exception with what Prometheus said."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": promql}, timeout=30).json()
        assert answer["status"] == "success", answer["error"]
        result: list[Any] = answer["data"]["result"]
        return result


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Prometheus' own checker, fetched with it."""
    for artifact in PROGRAM.artifacts():
        artifact.ensure()
    return PROGRAM.path().with_name("promtool")


@pytest.fixture(scope="session")
def exporter_port() -> Iterator[int]:
    """A process that exposes every metric."""
    command = [sys.executable, "-m", "tests.connected.compose.exporter"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.terminate()


@pytest.fixture(scope="session")
def prometheus(promtool: Path, exporter_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    """The server of the local stack with its own configuration, but faster, and with one target for all jobs."""
    service = Prometheus()
    place = Place(tmp_path_factory.mktemp("prometheus"), {"http": free_port()})
    service.prepare(place)
    settings = yaml.safe_load((place.folder / "prometheus.yml").read_text())
    settings["global"] = {"scrape_interval": f"{_SCRAPE_INTERVAL_S}s", "evaluation_interval": "1s"}
    (place.folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    targets = json.loads((place.folder / "targets.yml").read_text())
    for entry in targets:
        entry["targets"] = [f"127.0.0.1:{exporter_port}"]
    (place.folder / "targets.yml").write_text(json.dumps(targets))
    child = spawn(service.launch(place), log_path=place.folder / "log", cwd=place.folder)
    try:
        _wait(service, place)
        scraped = Scraped(f"http://{place.address('http')}")
        _wait_for_scrapes(scraped)
        yield scraped
    finally:
        child.terminate()
        child.wait(timeout=20)
        shutil.rmtree(place.folder)


def _wait(service: Prometheus, place: Place) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return service.check(place)
        except NotReady:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _wait_for_scrapes(scraped: Scraped) -> None:
    """Until three scrapes of each job are in, and an alert has seen them."""
    deadline = time.monotonic() + _PATIENCE_S
    wanted = 'min(count_over_time(up{job=~"alpr-.+"}[1m])) >= 3 and on () count(ALERTS{alertstate="firing"}) > 0'
    while not scraped.query(wanted):
        assert time.monotonic() < deadline, "Prometheus has not scraped the exporter"
        time.sleep(0.2)
