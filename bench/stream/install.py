"""The peers, pinned and built once per machine, in the same cache as the servers of `compose.local`."""

import os
import shutil
import sys
from hashlib import sha256
from pathlib import Path

from compose.local.artifacts import Artifact, Report
from compose.local.registries import run
from compose.local.tools import MAVEN

QUIX_PACKAGES = (
    "quixstreams==3.28.0",
    "confluent-kafka==2.12.2",
    "rocksdict==0.3.29",
    "fastavro==1.13.1",
)
KAFKA_STREAMS_VERSION = "4.1.0"
JAVA_SOURCES = Path(__file__).parent / "kafka_streams"


def quix_python(report: Report) -> Path:
    """The interpreter of an environment with Quix Streams.

    Raises:
        FetchFailed: pip ended with an error.
    """
    version = QUIX_PACKAGES[0].partition("==")[2]
    recipe = _digest("\n".join((sys.version, *QUIX_PACKAGES)).encode())
    artifact = Artifact("bench-quix", f"{version}-{recipe}", "installing packages", (), _make_quix)
    return artifact.ensure(report) / "bin" / "python"


def kafka_streams_classpath(report: Report) -> str:
    """The class path of the compiled job in `kafka_streams/`.

    Raises:
        ToolMissing: there is no Maven.
        FetchFailed: Maven ended with an error; a JDK of 17 or later is needed.
    """
    files = sorted(path for path in JAVA_SOURCES.rglob("*") if path.suffix in (".java", ".xml"))
    recipe = _digest(b"".join(path.read_bytes() for path in files))
    version = f"{KAFKA_STREAMS_VERSION}-{recipe}"
    artifact = Artifact("bench-kafka-streams", version, "building", (MAVEN,), _make_kafka_streams)
    folder = artifact.ensure(report)
    return f"{folder}/classes{os.pathsep}{folder}/libs/*"


def _make_quix(folder: Path) -> None:
    environment = dict(os.environ)
    run([sys.executable, "-m", "venv", str(folder)], cwd=folder, environment=environment)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, *QUIX_PACKAGES], cwd=folder, environment=environment)


def _make_kafka_streams(folder: Path) -> None:
    source = folder / "source"
    shutil.copytree(JAVA_SOURCES, source, ignore=shutil.ignore_patterns("target"))
    run([str(MAVEN.require()), "--batch-mode", "--quiet", "package"], cwd=source, environment=dict(os.environ))
    for part in ("classes", "libs"):
        (source / "target" / part).rename(folder / part)
    shutil.rmtree(source)


def _digest(recipe: bytes) -> str:
    return sha256(recipe).hexdigest()[:8]
