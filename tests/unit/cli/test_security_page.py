"""docs/security.md: what it tells people to set exists."""

import re
from pathlib import Path

from cli.settings import groups
from cli.topic_rights import PROCESSES

PAGE = (Path(__file__).parents[3] / "docs" / "security.md").read_text()


def test_every_variable_exists() -> None:
    """A variable that was renamed must be renamed there."""
    known = {setting.name for _, found in groups() for setting in found}
    assert set(re.findall(r"ALPR_\w+[A-Z]", PAGE)) <= known


def test_processes_are_those_of_the_command() -> None:
    """`alpr topics acls --for` takes the names that the page has."""
    assert {"core", "edge", "api", "operator"} <= PROCESSES.keys()
    assert set(re.findall(r"--for (\w+)", PAGE)) <= PROCESSES.keys()
