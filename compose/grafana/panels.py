"""The kinds of panels that the dashboards are made of, on grafana-foundation-sdk's builders."""

from collections.abc import Mapping

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    logs,
    loki,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import BigValueColorMode, GraphGradientMode, VisibilityMode
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
)

PROMETHEUS = DataSourceRef(type_val="prometheus", uid="prometheus")
TIMESCALEDB = DataSourceRef(type_val="postgres", uid="timescaledb")
LOKI = DataSourceRef(type_val="loki", uid="loki")

GREEN, AMBER, RED = "green", "orange", "red"
RATE = "[$__rate_interval]"


def new_dashboard(title: str, uid: str, description: str) -> dashboard.Dashboard:
    """A dashboard of the family: same tags, time range, refresh and links to the others."""
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["alpr"])
        .editable()
        .refresh("10s")
        .time("now-1h", "now")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(
            dashboard.DashboardLink("ALPR")
            .type(DashboardLinkType.DASHBOARDS)
            .tags(["alpr"])
            .as_dropdown(True)
            .keep_time(True)
        )
    )


def quantile(share: float, histogram: str, by: str = "") -> str:
    """PromQL of a quantile of a histogram of `telemetry.metrics`, over the panel's rate interval."""
    labels = f"{by}, le" if by else "le"
    return f"histogram_quantile({share}, sum by ({labels}) (rate({histogram}_bucket{RATE})))"


def counted(counter: str, window: str) -> str:
    """PromQL of what a counter of `telemetry.metrics` has counted in a window, over all of its series.

    `increase` alone sees nothing of the first count of a new label value: that series begins at 1, not at 0. So a
    series that is younger than the window counts whole, and a counter that nobody has moved yet is 0.
    """
    return f"sum(({counter} unless {counter} offset {window}) or increase({counter}[{window}])) or vector(0)"


class Sql(Dataquery):
    """A query of Grafana's PostgreSQL source, which the SDK has no class for.

    Args:
        text: SQL with Grafana's macros (`$__timeFilter(column)`).
        format_name: ``table`` or ``time_series``.
    """

    def __init__(self, text: str, format_name: str) -> None:
        self.text = text
        self.format_name = format_name

    def to_json(self) -> dict[str, object]:
        """The target as Grafana stores it."""
        return {
            "datasource": {"type": "postgres", "uid": "timescaledb"},
            "editorMode": "code",
            "format": self.format_name,
            "rawQuery": True,
            "rawSql": self.text,
            "refId": "A",
        }


class SqlTarget(Builder[Dataquery]):
    """Builder of a `Sql`, as the SDK's panels want one."""

    def __init__(self, text: str, format_name: str) -> None:
        self._query = Sql(" ".join(text.split()), format_name)

    def build(self) -> Dataquery:
        """The query."""
        return self._query


def levels(*steps: tuple[float | None, str]) -> dashboard.ThresholdsConfig:
    """Colours from a value on; the first step has None."""
    return (
        dashboard.ThresholdsConfig()
        .mode(ThresholdsMode.ABSOLUTE)
        .steps([Threshold(value=value, color=color) for value, color in steps])
    )


def number(
    title: str,
    expr: str,
    description: str,
    *,
    unit: str = "short",
    thresholds: dashboard.ThresholdsConfig | None = None,
    width: int = 4,
) -> stat.Panel:
    """One figure of now with a coloured background where it matters."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit(unit)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .no_value("–")
        .thresholds(thresholds or levels((None, GREEN)))
        .color_mode(BigValueColorMode.BACKGROUND if thresholds else BigValueColorMode.VALUE)
        .height(4)
        .span(width)
        .with_target(prometheus.Dataquery().expr(expr).instant().ref_id("A").datasource(PROMETHEUS))
    )


def lines(
    title: str, queries: Mapping[str, str], description: str, *, unit: str = "short", width: int = 12
) -> timeseries.Panel:
    """Curves over time: legend format to PromQL."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit(unit)
        .min(0)
        .line_width(1)
        .fill_opacity(12)
        .gradient_mode(GraphGradientMode.OPACITY)
        .height(8)
        .span(width)
    )
    for number_, (legend, expr) in enumerate(queries.items()):
        panel = panel.with_target(
            prometheus.Dataquery().expr(expr).legend_format(legend).ref_id(chr(65 + number_)).datasource(PROMETHEUS)
        )
    return panel


def bars(
    title: str,
    expr: str,
    legend: str,
    description: str,
    *,
    thresholds: dashboard.ThresholdsConfig,
    no_value: str = "–",
    width: int = 24,
) -> statetimeline.Panel:
    """A bar over time for each series, in the colour of its value: what was in which state, since when."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit("none")
        .no_value(no_value)
        .show_value(VisibilityMode.NEVER)
        .thresholds(thresholds)
        .color_scheme(dashboard.FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .height(6)
        .span(width)
        .with_target(prometheus.Dataquery().expr(expr).legend_format(legend).ref_id("A").datasource(PROMETHEUS))
    )


def sql_lines(title: str, text: str, description: str, *, unit: str = "short", width: int = 12) -> timeseries.Panel:
    """Curves over time from the database; the query gives time, (metric,) value."""
    return (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(TIMESCALEDB)
        .unit(unit)
        .min(0)
        .fill_opacity(25)
        .height(8)
        .span(width)
        .with_target(SqlTarget(text, "time_series"))
    )


def sql_table(title: str, text: str, description: str, *, width: int = 12, height: int = 8) -> table.Panel:
    """Rows from the database, numbers as they are."""
    return (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(TIMESCALEDB)
        .unit("none")
        .height(height)
        .span(width)
        .with_target(SqlTarget(text, "table"))
    )


def log_lines(title: str, expr: str, description: str, *, height: int = 18) -> logs.Panel:
    """Log lines, newest first."""
    return (
        logs.Panel()
        .title(title)
        .description(description)
        .datasource(LOKI)
        .show_time(True)
        .wrap_log_message(True)
        .enable_log_details(True)
        .height(height)
        .span(24)
        .with_target(loki.Dataquery().expr(expr).ref_id("A").datasource(LOKI))
    )


def log_rate(title: str, expr: str, legend: str, description: str, *, width: int = 24) -> timeseries.Panel:
    """A curve of a LogQL metric query."""
    return (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(LOKI)
        .unit("cps")
        .min(0)
        .fill_opacity(25)
        .height(6)
        .span(width)
        .with_target(loki.Dataquery().expr(expr).legend_format(legend).ref_id("A").datasource(LOKI))
    )
