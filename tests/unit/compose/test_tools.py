"""Programs of the machine: found, judged by version, and named with the command that installs them."""

from pathlib import Path

import pytest

from compose.local.errors import FetchFailed, ToolMissing
from compose.local.registries import _pom, run
from compose.local.tools import Tool, parse_version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("v20.20.2", (20, 20, 2)),
        ('openjdk version "25.0.2" 2026-01-20', (25, 0, 2)),
        ("postgres (PostgreSQL) 15.18", (15, 18)),
        ("\x1b[1mApache Maven 3.8.7\x1b[m", (3, 8, 7)),
        ("11", (11,)),
        ("command not found", ()),
    ],
)
def test_version_is_read_from_what_programs_print(text: str, version: tuple[int, ...]) -> None:
    """The first dotted number counts, colours do not."""
    assert parse_version(text) == version


def _script(folder: Path, body: str) -> Path:
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(("body", "words"), [("echo 1.9", "version 1.9"), ("exit 1", "version unknown")])
def test_too_old_or_broken_program_is_refused(tmp_path: Path, body: str, words: str) -> None:
    """A program below the minimum, or one that prints no version, counts as missing."""
    path = _script(tmp_path, body)
    tool = Tool("program", lambda: path, ("--version",), (2,), "apt-get install -y program", "tests")
    with pytest.raises(ToolMissing, match=words) as raised:
        tool.require()
    assert raised.value.mend == "apt-get install -y program"


def test_new_enough_program_is_accepted(tmp_path: Path) -> None:
    """The path comes back."""
    path = _script(tmp_path, "echo program 2.0.1")
    assert Tool("program", lambda: path, (), (2,), "", "").require() == path


def test_pom_names_type_classifier_and_leaves_out_dependencies() -> None:
    """A five-part coordinate becomes type and classifier; `transitive=False` becomes an exclusion of everything."""
    text = _pom(("g:a:1:tar.gz:all",), transitive=False)
    assert "<type>tar.gz</type><classifier>all</classifier>" in text
    assert "<exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion>" in text
    assert "<exclusions>" not in _pom(("g:a:1",), transitive=True)


def test_failed_client_is_quoted(tmp_path: Path) -> None:
    """The error holds the command, its exit code and its last lines, wherever it printed them."""
    path = _script(tmp_path, "echo on stdout; echo on stderr >&2; exit 3")
    with pytest.raises(FetchFailed) as raised:
        run([str(path), "install"], cwd=tmp_path, environment={})
    assert f"{path} install ended with 3" in str(raised.value)
    assert "on stdout" in str(raised.value)
    assert "on stderr" in str(raised.value)
