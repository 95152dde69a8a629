"""Every PromQL of dashboards and alerts, answered by a real Prometheus that scraped every metric of the platform."""

import shutil
import subprocess
from pathlib import Path

import pytest

from compose.local.service import Place
from compose.local.services.prometheus import Prometheus
from tests.connected.compose.conftest import Scraped
from tests.unit.compose.queries import (
    COMPOSE,
    PROMETHEUS,
    Query,
    alert_queries,
    panel_queries,
    series_labels,
    with_interval,
)

PROMETHEUS_FILES = COMPOSE / "prometheus"
CONTAINERS = ("container_",)  # cAdvisor's: there are no containers here, so these can only be accepted or refused


@pytest.mark.parametrize("query", panel_queries(PROMETHEUS), ids=str)
def test_panel_has_something_to_show(prometheus: Scraped, query: Query) -> None:
    """With every metric scraped, each query of a panel gives at least one series."""
    series = prometheus.query(with_interval(query.text, "30s"))
    if not any(prefix in query.text for prefix in CONTAINERS):
        assert series
        assert all(entry["value"][1] != "NaN" for entry in series)


@pytest.mark.parametrize("query", alert_queries(), ids=str)
def test_condition_of_an_alert_is_accepted(prometheus: Scraped, query: Query) -> None:
    """Whether it fires when it should is what `promtool test rules` shows."""
    prometheus.query(query.text)


def test_every_series_of_the_catalogue_was_scraped(prometheus: Scraped) -> None:
    """What the tests of the dashboards take for the names of series is what Prometheus really gets."""
    names = {entry["metric"]["__name__"] for entry in prometheus.query('{__name__=~"alpr_.+"}')}
    assert {name for name in names if not name.endswith("_created")} == set(series_labels())


def test_alerts_are_evaluated(prometheus: Scraped) -> None:
    """Dead letters by the dozen fire their alert in the running server."""
    (alert,) = prometheus.query('max by (alertname) (ALERTS{alertstate="firing", alertname="AlprDeadLetters"})')
    assert alert["metric"] == {"alertname": "AlprDeadLetters"}


def _promtool(promtool: Path, *arguments: str, cwd: Path) -> None:
    done = subprocess.run([promtool, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("targets", ["host", "containers"])
def test_configuration_of_the_container_is_valid(promtool: Path, tmp_path: Path, targets: str) -> None:
    """`promtool check config` accepts settings, targets and alerts where compose.yaml mounts them."""
    for name in ("prometheus.yml", "alerts.yml"):
        shutil.copy(PROMETHEUS_FILES / name, tmp_path)
    shutil.copy(PROMETHEUS_FILES / "targets" / f"{targets}.yml", tmp_path / "targets.yml")
    (tmp_path / "api_key").write_text("none")
    _promtool(promtool, "check", "config", "prometheus.yml", cwd=tmp_path)


def test_configuration_of_the_local_stack_is_valid(promtool: Path, tmp_path: Path) -> None:
    """The same of what `alpr stack up --with prometheus` writes."""
    Prometheus().prepare(Place(tmp_path, {"http": 1}))
    _promtool(promtool, "check", "config", "prometheus.yml", cwd=tmp_path)


def test_alerts_fire_and_stay_silent(promtool: Path) -> None:
    """`promtool` accepts the rules, and their tests pass."""
    _promtool(promtool, "check", "rules", "alerts.yml", cwd=PROMETHEUS_FILES)
    _promtool(promtool, "test", "rules", "alerts_test.yml", cwd=PROMETHEUS_FILES)
