"""Programs of the distribution: installed ones win, others are unpacked without touching the system."""

import os
from pathlib import Path

import pytest

from compose.local.debian import DebianProgram
from compose.local.errors import FetchFailed, ToolMissing
from compose.local.tools import Tool

_APT_GET = """
case "$*" in
  *--version*) echo "apt 2.6.1 (amd64)";;
  *update*) ;;
  *install*--download-only*spoon*)
    folder=$(sed -n 's/^Dir::Cache::archives "\\(.*\\)";/\\1/p' "$4")
    touch "$folder/spoon_2.0_amd64.deb" "$folder/libhandle1_1.0_amd64.deb";;
  *) echo "E: Unable to locate package" >&2; exit 100;;
esac
"""
_DPKG_DEB = """
case "$1 ${2##*/}" in
  --version*) echo "Debian 'dpkg-deb' package management program version 1.21.22 (amd64).";;
  *spoon*) mkdir -p "$3/usr/bin" "$3/usr/share/doc"
           printf '#!/bin/sh\\necho spoon SPOON_VERSION\\n' > "$3/usr/bin/spoon"
           chmod +x "$3/usr/bin/spoon"; touch "$3/usr/share/doc/big";;
  *libhandle*) mkdir -p "$3/usr/lib/x86_64-linux-gnu"; touch "$3/usr/lib/x86_64-linux-gnu/libhandle.so.1";;
esac
"""


def _script(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def _spoon(installed: Path | None, package: str = "spoon") -> DebianProgram:
    tool = Tool("spoon", lambda: installed, ("--version",), (2,), "apt-get install -y spoon", "stirs")
    return DebianProgram(tool, package, "usr/bin/spoon")


@pytest.fixture
def apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose apt knows the packages of a spoon in version 2.0."""
    programs = tmp_path / "programs"
    _script(programs / "apt-get", _APT_GET)
    _script(programs / "dpkg-deb", _DPKG_DEB.replace("SPOON_VERSION", "2.0"))
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return programs


def test_installed_program_wins(tmp_path: Path) -> None:
    """Nothing is fetched, and the program runs in the caller's environment."""
    path = _script(tmp_path / "spoon", "echo spoon 2.1")
    program = _spoon(path)
    assert program.artifacts() == ()
    assert program.path() == path
    assert program.environment() == {}


@pytest.mark.parametrize("installed", ["echo spoon 1.9", None])
def test_program_is_unpacked_with_its_libraries(
    apt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: str | None
) -> None:
    """Absent or too old, it comes from the packages, finds its libraries, and leaves no apt lists behind."""
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/lib")
    program = _spoon(_script(tmp_path / "spoon", installed) if installed else None)
    (artifact,) = program.artifacts()
    folder = artifact.ensure()
    assert program.path() == folder / "usr/bin/spoon"
    assert os.access(program.path(), os.X_OK)
    assert program.environment() == {"LD_LIBRARY_PATH": f"{folder}/usr/lib/x86_64-linux-gnu:/opt/lib"}
    assert sorted(path.name for path in folder.iterdir()) == ["usr"]
    assert not (folder / "usr/share").exists()


def test_packages_that_are_too_old_are_refused(apt: Path) -> None:
    """An old distribution gets a message with both versions and the way out, and nothing is cached."""
    _script(apt / "dpkg-deb", _DPKG_DEB.replace("SPOON_VERSION", "1.4"))
    (artifact,) = _spoon(None).artifacts()
    with pytest.raises(FetchFailed, match=r"have 1\.4, 2 is needed.*put spoon 2 or newer on the PATH"):
        artifact.ensure()
    assert not artifact.is_cached


def test_unknown_package_is_quoted(apt: Path) -> None:
    """What apt said is part of the error."""
    (artifact,) = _spoon(None, "fork").artifacts()
    with pytest.raises(FetchFailed, match="Unable to locate package"):
        artifact.ensure()


def test_machine_without_apt_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other distributions put the program on the PATH themselves."""
    monkeypatch.setenv("PATH", str(tmp_path))
    (artifact,) = _spoon(None).artifacts()
    with pytest.raises(ToolMissing, match="not Debian or Ubuntu: put spoon 2 or newer on the PATH"):
        artifact.ensure()
