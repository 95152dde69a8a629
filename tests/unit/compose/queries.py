"""The committed dashboards and alerts as tests read them: every query with the place that it stands in."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import Counter, Gauge, Histogram

from telemetry import metrics

COMPOSE = Path(__file__).parents[3] / "compose"
DASHBOARDS = COMPOSE / "grafana" / "dashboards"
ALERTS = COMPOSE / "prometheus" / "alerts.yml"
PROMETHEUS, TIMESCALEDB, LOKI = "prometheus", "timescaledb", "loki"


@dataclass(frozen=True, slots=True)
class Query:
    """One query.

    Attributes:
        where: dashboard and panel, or alert.
        source: uid of the data source.
        text: PromQL, SQL or LogQL as it is committed.
        shape: what the panel makes of the answer: `table`, `time_series`, or "" where the source decides.
    """

    where: str
    source: str
    text: str
    shape: str = ""

    def __str__(self) -> str:
        """What pytest shows."""
        return self.where


def dashboards() -> dict[str, Any]:
    """Title to content."""
    found = [json.loads(path.read_text()) for path in sorted(DASHBOARDS.glob("*.json"))]
    return {dashboard["title"]: dashboard for dashboard in found}


def panel_queries(source: str) -> list[Query]:
    """Every query of the dashboards that goes to a source."""
    return [
        Query(
            f"{title}: {panel['title']} {target['refId']}",
            source,
            target.get("rawSql") or target["expr"],
            target.get("format", ""),
        )
        for title, dashboard in dashboards().items()
        for panel in dashboard["panels"]
        for target in panel["targets"]
        if target["datasource"]["uid"] == source
    ]


def alerts() -> list[dict[str, Any]]:
    """Every alert rule."""
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def alert_queries() -> list[Query]:
    """The condition of every alert."""
    return [Query(rule["alert"], PROMETHEUS, rule["expr"]) for rule in alerts()]


def catalogue() -> list[Counter | Gauge | Histogram]:
    """Every metric of `telemetry.metrics`."""
    return [item for item in vars(metrics).values() if isinstance(item, Counter | Gauge | Histogram)]


def series_labels() -> dict[str, frozenset[str]]:
    """Name of every series that the platform exposes, to its labels."""
    found = {}
    for metric in catalogue():
        (family,) = metric.describe()
        labels = frozenset(metric._labelnames)  # the client has no public way to ask
        match family.type:
            case "counter":
                found[f"{family.name}_total"] = labels
            case "histogram":
                found[f"{family.name}_bucket"] = labels | {"le"}
                found[f"{family.name}_sum"] = found[f"{family.name}_count"] = labels
            case _:
                found[family.name] = labels
    return found


def with_interval(promql: str, rate_interval: str = "1m") -> str:
    """The query with Grafana's variable replaced, as Grafana sends it."""
    return promql.replace("$__rate_interval", rate_interval)
