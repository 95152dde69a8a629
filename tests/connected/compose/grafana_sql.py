"""What Grafana's PostgreSQL source makes of its macros, with TimescaleDB switched on as in the provisioned source.

Source: https://grafana.com/docs/grafana/latest/datasources/postgres/query-editor/#macros
"""

import re

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def expanded(sql: str, start: str, end: str) -> str:
    """The statement as it reaches the database.

    Args:
        sql: a panel's query.
        start: beginning of the dashboard's time range, ISO 8601.
        end: its end.

    Raises:
        ValueError: a macro or variable that this function does not know.
    """
    sql = re.sub(r"\$__timeFilter\(([^)]+)\)", rf"\1 BETWEEN '{start}' AND '{end}'", sql)
    sql = re.sub(r"\$__timeGroupAlias\((\w+), *'(\d+)([smhd])'\)", _time_group, sql)
    if "$" in sql:
        raise ValueError(f"unknown macro in: {sql}")
    return sql


def _time_group(match: re.Match[str]) -> str:
    column, count, unit = match.groups()
    return f"time_bucket('{int(count) * _SECONDS[unit]:.3f}s',{column}) AS \"time\""
