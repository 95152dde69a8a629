"""The committed dashboards and alerts: current, complete, and about metrics that exist."""

import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from compose.grafana.build import rendered
from tests.unit.compose.queries import (
    COMPOSE,
    DASHBOARDS,
    LOKI,
    PROMETHEUS,
    Query,
    alert_queries,
    alerts,
    dashboards,
    panel_queries,
    series_labels,
    with_interval,
)

ADDED_BY_PROMETHEUS = {"job", "instance"}
RUNBOOK = Path(__file__).parents[3] / "docs" / "runbook.md"
LOG_LABELS = {"service_name"}  # what compose/otel/collector.yml makes a label in Loki


def _panels() -> list[Any]:
    return [
        pytest.param(panel, id=f"{title}: {panel['title']}")
        for title, dashboard in dashboards().items()
        for panel in dashboard["panels"]
    ]


def test_committed_dashboards_are_what_the_code_renders() -> None:
    """Nobody edits the JSON, or forgets `python -m compose.grafana.build`."""
    assert {path.name: path.read_text() for path in DASHBOARDS.iterdir()} == rendered()


def test_the_four_dashboards() -> None:
    """They have the titles by which people ask for them, and addresses that stay."""
    assert {title: dashboard["uid"] for title, dashboard in dashboards().items()} == {
        "ALPR Overview": "alpr-overview",
        "System Performance": "alpr-performance",
        "Kafka & Database": "alpr-kafka-database",
        "Logs Explorer": "alpr-logs",
    }


@pytest.mark.parametrize("panel", _panels())
def test_panel_explains_itself(panel: dict[str, Any]) -> None:
    """It says what it shows, in which unit (logs have none), and asks a provisioned source of that type."""
    provisioned = yaml.safe_load((COMPOSE / "grafana/provisioning/datasources/alpr.yml").read_text())["datasources"]
    types = {source["uid"]: source["type"] for source in provisioned}
    assert panel["description"].endswith((".", "`"))
    assert panel["type"] == "logs" or panel["fieldConfig"]["defaults"]["unit"]
    assert panel["targets"]
    for source in [panel["datasource"], *(target["datasource"] for target in panel["targets"])]:
        assert types[source["uid"]] == source["type"]


def test_panels_do_not_overlap() -> None:
    """Each cell of the grid, which is 24 wide, belongs to one panel at most."""
    for title, dashboard in dashboards().items():
        cells: set[tuple[int, int]] = set()
        for panel in dashboard["panels"]:
            grid = panel["gridPos"]
            columns, rows = range(grid["x"], grid["x"] + grid["w"]), range(grid["y"], grid["y"] + grid["h"])
            mine = {(x, y) for x in columns for y in rows}
            assert grid["x"] + grid["w"] <= 24
            assert not cells & mine, f"{title}: {panel['title']}"
            cells |= mine


class Selectors:
    """Metrics and labels that a PromQL expression names."""

    def __init__(self, promql: str) -> None:
        self.names: set[str] = set()
        self.labels: set[str] = set()
        promql_parser.walk(promql_parser.parse(with_interval(promql)), self._visit)

    def _visit(self, node: promql_parser.Expr) -> None:
        match node:
            case promql_parser.VectorSelector():
                assert node.name is not None, "a selector without a metric's name asks for everything"
                self.names.add(node.name)
                self.labels |= {matcher.name for matcher in node.matchers.matchers}
            case promql_parser.AggregateExpr() if node.modifier is not None:
                self.labels |= set(node.modifier.labels)
            case _:
                pass


@pytest.mark.parametrize("query", panel_queries(PROMETHEUS) + alert_queries(), ids=str)
def test_promql_names_metrics_and_labels_that_exist(query: Query) -> None:
    """A metric that was renamed, or a label that it does not carry, would show an empty panel for ever."""
    used = Selectors(query.text)
    known = series_labels()
    assert used.names
    for name in used.names:
        if name.startswith("alpr_"):
            assert name in known
            assert used.labels <= known[name] | ADDED_BY_PROMETHEUS
        else:
            assert name.startswith(("process_", "container_")) or name in {"up", "ALERTS"}


def test_every_metric_is_looked_at() -> None:
    """What the platform measures stands on some dashboard or in some alert."""
    used = {name for query in panel_queries(PROMETHEUS) + alert_queries() for name in Selectors(query.text).names}
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in used}
    measured = {re.sub(r"_(bucket|sum|count)$", "", name) for name in series_labels()}
    assert measured - shown == set()


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_alert_says_what_to_do(alert: dict[str, Any]) -> None:
    """It has a severity, a sentence, and a section of the runbook."""
    assert alert["labels"]["severity"] in {"warning", "critical"}
    assert alert["annotations"]["summary"]
    path, _, anchor = alert["annotations"]["runbook"].partition("#")
    assert path == "docs/runbook.md"
    headings = re.findall(r"^## (.+)$", RUNBOOK.read_text(), re.MULTILINE)
    assert anchor in {re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-")) for heading in headings}


@pytest.mark.parametrize("query", panel_queries(LOKI), ids=str)
def test_logql_is_well_formed(query: Query) -> None:
    """Brackets and quotes balance, the selector uses labels that exist, and line filters compile (no Loki here)."""
    variables = dashboards()["Logs Explorer"]["templating"]["list"]
    text = query.text
    for variable in variables:
        text = text.replace(f"${variable['name']}", variable["query"])
    assert "$" not in text
    selector = re.search(r"\{([^}]*)\}", text)
    assert selector is not None
    matchers = re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"', selector[1])
    assert {name for name, _ in matchers} <= LOG_LABELS
    assert all(value for _, value in matchers), "Loki refuses a selector that also matches nothing"
    filters = re.findall(r"\|~ `([^`]*)`", text)
    for pattern in filters:
        re.compile(pattern)
    rest = re.sub(r"`[^`]*`|\"[^\"]*\"", "", text)
    for opening, closing in ("()", "[]", "{}"):
        assert rest.count(opening) == rest.count(closing)
    assert not set(rest) & set('`"')
