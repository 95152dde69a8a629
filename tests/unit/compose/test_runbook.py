"""The runbook: no alert without a section, and no command that this version does not have."""

import re
import shlex
from pathlib import Path

import click
import pytest

from cli.main import main
from tests.unit.compose.queries import alerts

RUNBOOK = (Path(__file__).parents[3] / "docs" / "runbook.md").read_text()


def _commands() -> list[str]:
    """Every `alpr ...` of the page: on a line of its own, or within a sentence."""
    return sorted(set(re.findall(r"^ {4}(alpr .+)$", RUNBOOK, re.MULTILINE) + re.findall(r"`(alpr [^`]+)`", RUNBOOK)))


@pytest.mark.parametrize("command", _commands())
def test_command_of_the_runbook_exists(command: str) -> None:
    """Command, subcommand and options are known, as a person at three in the morning trusts they are."""
    current: click.Command = main
    context = click.Context(main)
    arguments = shlex.split(command)[1:]
    while isinstance(current, click.Group):
        name = arguments.pop(0)
        found = current.get_command(context, name)
        assert found is not None, f"no command {name}"
        context = click.Context(found, info_name=name, parent=context)
        current = found
    with context:
        if "LETTER_ID" not in arguments and "NAME" not in arguments:
            current.parse_args(context, arguments)
        else:
            options = {option for parameter in current.params for option in parameter.opts}
            assert {word for word in arguments if word.startswith("-")} <= options


@pytest.mark.parametrize("alert", [alert["alert"] for alert in alerts()])
def test_alert_is_named_in_its_section(alert: str) -> None:
    """Who searches the page for the alert's name finds it."""
    assert f"`{alert}`" in RUNBOOK


def test_links_inside_the_page_lead_somewhere() -> None:
    """Each `[...](#anchor)` has its heading."""
    anchors = {heading.lower().replace(" ", "-") for heading in re.findall(r"^## (.+)$", RUNBOOK, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", RUNBOOK)) <= anchors
