"""Programs of the Linux distribution (Debian, Ubuntu and kin) for people who may not install packages.

apt can work in folders of its own: it fetches the lists and the packages that the machine lacks as any user, and
`dpkg-deb` unpacks them without touching the system (apt.conf(5), apt-get(8), dpkg-deb(1)). The signatures of the lists
are checked with the machine's own keys. A program that is installed already, and new enough, wins.
"""

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from platform import freedesktop_os_release

from compose.local.artifacts import Artifact
from compose.local.errors import FetchFailed
from compose.local.registries import run
from compose.local.tools import APT_GET, DPKG_DEB, Tool, version_of


@dataclass(frozen=True, slots=True)
class DebianProgram:
    """A program that is either installed, or unpacked into the cache from the distribution's packages.

    Attributes:
        tool: how to find it installed, and the oldest version that works.
        package: package that holds it; what it depends on and the machine lacks comes along.
        inside: its path below the root of the package.
    """

    tool: Tool
    package: str
    inside: str

    def artifacts(self) -> tuple[Artifact, ...]:
        """What must be fetched: nothing where it is installed."""
        return () if self.tool.usable() else (self._artifact(),)

    def path(self) -> Path:
        """The executable; unpacked, it exists once the artifact does."""
        return self.tool.usable() or self._artifact().folder / self.inside

    def environment(self) -> dict[str, str]:
        """Variables that it needs to find the libraries that came with it."""
        if self.tool.usable():
            return {}
        folders = sorted(self._artifact().folder.glob("usr/lib/*-linux-*"))
        known = os.environ.get("LD_LIBRARY_PATH")
        return {"LD_LIBRARY_PATH": os.pathsep.join([*map(str, folders), *([known] if known else [])])}

    def _artifact(self) -> Artifact:
        tools = tuple(replace(tool, mend=_mend(self.tool)) for tool in (APT_GET, DPKG_DEB))
        return Artifact(self.tool.name, _distribution(), "fetching the distribution's package", tools, self._make)

    def _make(self, folder: Path) -> None:
        unpack(folder, self.package)
        program = folder / self.inside
        found = version_of(program, self.tool.version_args) if program.exists() else ()
        # a program that only misses its libraries prints no version here, so an unknown one is let through
        if not program.exists() or (found and found < self.tool.minimum):
            have = ".".join(map(str, found)) or "none"
            want = ".".join(map(str, self.tool.minimum))
            raise FetchFailed(
                f"{self.package}: this system's packages have {have}, {want} is needed. {_mend(self.tool)}"
            )


def unpack(folder: Path, package: str) -> None:
    """Unpacks `package`, and what it depends on and this machine lacks, into `folder`.

    Raises:
        FetchFailed: apt found no such package, could not reach its mirror, or a package is damaged.
    """
    work = folder / "apt"
    for name in ("lists/partial", "cache/archives/partial"):
        (work / name).mkdir(parents=True)
    configuration = work / "apt.conf"
    configuration.write_text(_configuration(work))
    apt_get = [str(APT_GET.require()), "-qq", "-y", "-c", str(configuration)]
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C.UTF-8")
    run([*apt_get, "update"], cwd=folder, environment=environment)
    run([*apt_get, "install", "--download-only", package], cwd=folder, environment=environment)
    for archive in sorted((work / "cache" / "archives").glob("*.deb")):
        run([str(DPKG_DEB.require()), "-x", str(archive), str(folder)], cwd=folder, environment=environment)
    shutil.rmtree(work)
    shutil.rmtree(folder / "usr" / "share", ignore_errors=True)  # manuals and web assets: ten times the program


def _configuration(work: Path) -> str:
    """Settings of apt: everything in `work`, the system's state only read, and none of its hooks."""
    return f"""\
Dir::State::lists "{work}/lists";
Dir::Cache "{work}/cache";
Dir::Cache::archives "{work}/cache/archives";
Debug::NoLocking "true";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
"""


def _distribution() -> str:
    """`debian-12`: what an unpacked program belongs to, as part of its folder's name."""
    try:
        release = freedesktop_os_release()
    except OSError:
        return "unknown"
    return f"{release['ID']}-{release.get('VERSION_ID', 'rolling')}"


def _mend(tool: Tool) -> str:
    wanted = ".".join(map(str, tool.minimum))
    return f"{tool.mend}  (not Debian or Ubuntu: put {tool.name} {wanted} or newer on the PATH)"
