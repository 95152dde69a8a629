"""Apicurio Registry with its Confluent-compatible API, from the Maven archive.

The "in memory" build keeps its rows in H2; pointing H2 at a file makes schema ids survive a restart, which they
must, since every record in Kafka refers to one.
"""

import tarfile
from pathlib import Path
from typing import ClassVar

from compose.local.artifacts import Artifact
from compose.local.processes import Launch
from compose.local.registries import maven_jars
from compose.local.service import Place, Service
from compose.local.services.http_probe import get_json
from compose.local.tools import JAVA, MAVEN, Tool

_VERSION = "2.6.13.Final"


class SchemaRegistry(Service):
    """Schema registry at /apis/ccompat/v7."""

    name: ClassVar[str] = "schema-registry"
    version: ClassVar[str] = _VERSION
    usual_ports: ClassVar[dict[str, int]] = {"http": 8081}
    tools: ClassVar[tuple[Tool, ...]] = (JAVA,)

    def artifacts(self) -> tuple[Artifact, ...]:
        """The application with its libraries."""
        return (Artifact(self.name, self.version, "fetching its archive (142 MB)", (MAVEN, JAVA), _fetch),)

    def prepare(self, place: Place) -> None:
        """H2 makes its own file; only the folder is needed."""
        place.data.mkdir(parents=True, exist_ok=True)

    def launch(self, place: Place) -> Launch:
        """The Quarkus application on a small heap and a small connection pool."""
        home = self.artifacts()[0].folder
        (jar,) = home.glob("apicurio-registry-app-*-runner.jar")
        settings = {
            "quarkus.http.host": place.address("http").split(":")[0],
            "quarkus.http.port": place.ports["http"],
            "quarkus.log.level": "WARN",
            "quarkus.banner.enabled": "false",
            "quarkus.datasource.jdbc.url": f"jdbc:h2:file:{place.data / 'registry'}",
            "quarkus.datasource.jdbc.initial-size": 2,
            "quarkus.datasource.jdbc.min-size": 2,
            "quarkus.datasource.jdbc.max-size": 20,
        }
        return Launch(
            argv=[
                str(JAVA.require()),
                "-Xms64m",
                "-Xmx384m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                *(f"-D{key}={value}" for key, value in settings.items()),
                "-jar",
                str(jar),
            ],
            # the ISO format that the log otherwise asks for in twenty lines at every start
            environment={"REGISTRY_APIS_V2_DATE_FORMAT": "yyyy-MM-dd'T'HH:mm:ss'Z'"},
        )

    def check(self, place: Place) -> None:
        """Lists the subjects.

        Raises:
            NotReady: no list comes back.
        """
        get_json(f"{_url(place)}/subjects")

    def environment(self, place: Place) -> dict[str, str]:
        """Base URL of the Confluent API."""
        return {"ALPR_REGISTRY_URL": _url(place)}


def _url(place: Place) -> str:
    return f"http://{place.address('http')}/apis/ccompat/v7"


def _fetch(folder: Path) -> None:
    coordinates = f"io.apicurio:apicurio-registry-app:{_VERSION}:tar.gz:all"
    maven_jars(folder, coordinates, transitive=False)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    archive.unlink()
