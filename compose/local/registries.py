"""Downloads through the registries' own clients: Maven, Go modules and npm.

Each client reads the machine's own settings (mirrors, proxies, certificates), which is why nothing here opens a
connection itself. Clients of one kind run one after the other: Maven's local repository is not made for
concurrent writers, and two Go builds share the same cores anyway.
"""

import os
import shutil
import subprocess
import threading
from pathlib import Path
from xml.sax.saxutils import escape

from compose.local.errors import FetchFailed
from compose.local.tools import GO, JAVA, MAVEN, NODE, NPM

DEPENDENCY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
_TIMEOUT_S = 900
_maven_turn = threading.Lock()
_go_turn = threading.Lock()


def maven_jars(folder: Path, *coordinates: str, transitive: bool = True) -> None:
    """Copies artifacts (and what they depend on) from Maven Central into `folder`.

    Args:
        folder: receives the files flat.
        coordinates: `group:artifact:version` or `group:artifact:version:type:classifier`.
        transitive: False leaves the dependencies out.

    Raises:
        FetchFailed: Maven ended with an error.
    """
    pom = folder / "pom.xml"
    pom.write_text(_pom(coordinates, transitive=transitive))
    environment = dict(os.environ)
    if shutil.which("java") is None:  # Maven itself can run on the bundled JRE
        environment["JAVA_HOME"] = str(JAVA.require().parent.parent)
    with _maven_turn:
        run(
            [
                str(MAVEN.require()),
                "--batch-mode",
                "--quiet",
                "--file",
                str(pom),
                f"{DEPENDENCY_PLUGIN}:copy-dependencies",
                f"-DoutputDirectory={folder}",
            ],
            cwd=folder,
            environment=environment,
        )


def go_install(folder: Path, package: str, version: str) -> None:
    """Builds the command `package` at `version` into `folder`, without debug symbols.

    Raises:
        FetchFailed: the download, the checksum or the build failed.
    """
    environment = dict(os.environ, GOBIN=str(folder), CGO_ENABLED="0")
    with _go_turn:
        run(
            [str(GO.require()), "install", "-ldflags=-s -w", f"{package}@{version}"],
            cwd=folder,
            environment=environment,
        )


def npm_ci(folder: Path, manifest_dir: Path) -> None:
    """Installs what the `package.json` and `package-lock.json` of `manifest_dir` pin, without running scripts.

    Raises:
        FetchFailed: a package is missing or differs from its integrity hash.
    """
    for name in ("package.json", "package-lock.json"):
        shutil.copy(manifest_dir / name, folder / name)
    run(
        [str(NPM.require()), "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=folder,
        environment=dict(os.environ, PATH=f"{NODE.require().parent}{os.pathsep}{os.environ.get('PATH', '')}"),
    )


def _pom(coordinates: tuple[str, ...], *, transitive: bool) -> str:
    """The smallest project that has `coordinates` as its dependencies."""
    parts = []
    for coordinate in coordinates:
        group, artifact, version, *rest = coordinate.split(":")
        fields = {"groupId": group, "artifactId": artifact, "version": version}
        if rest:
            fields["type"], fields["classifier"] = rest
        body = "".join(f"<{key}>{escape(value)}</{key}>" for key, value in fields.items())
        if not transitive:
            body += "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"
        parts.append(f"<dependency>{body}</dependency>")
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>local</groupId><artifactId>stack</artifactId><version>1</version><packaging>pom</packaging>"
        f"<dependencies>{''.join(parts)}</dependencies></project>\n"
    )


def run(argv: list[str], *, cwd: Path, environment: dict[str, str]) -> None:
    """Runs a client to its end.

    Raises:
        FetchFailed: with the command and its last 15 lines.
    """
    try:
        done = subprocess.run(
            argv,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise FetchFailed(f"{' '.join(argv)}: no end after {_TIMEOUT_S} s") from error
    if done.returncode != 0:
        tail = "\n".join(done.stdout.strip().splitlines()[-15:])
        raise FetchFailed(f"{' '.join(argv)} ended with {done.returncode}:\n{tail}")
