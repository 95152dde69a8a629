"""Build the four dashboards: ``python -m compose.grafana.build`` writes ``dashboards/*.json``.

A dashboard answers the questions of somebody woken at night, in this order: is it working, what is not, since when.
"""

from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from compose.grafana.kafka_database import kafka_and_database
from compose.grafana.logs_explorer import logs_explorer
from compose.grafana.overview import overview
from compose.grafana.performance import performance

FOLDER = Path(__file__).parent / "dashboards"
DASHBOARDS = {
    "alpr-overview": overview,
    "alpr-performance": performance,
    "alpr-kafka-database": kafka_and_database,
    "alpr-logs": logs_explorer,
}


def rendered() -> dict[str, str]:
    """File name to JSON of every dashboard."""
    return {
        f"{name}.json": JSONEncoder(sort_keys=True, indent=2).encode(make().build()) + "\n"
        for name, make in DASHBOARDS.items()
    }


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in rendered().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
