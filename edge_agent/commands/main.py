"""The root command: run cameras, or one of the sub-commands."""

import sys

import click

from edge_agent.commands.models import models
from edge_agent.commands.read import read
from schemas.errors import AlprError, ConfigError


@click.group(invoke_without_command=True)
def edge_agent() -> None:
    """Edge agent."""


edge_agent.add_command(read)
edge_agent.add_command(models)


def main() -> None:
    """Runs the command line; errors of ours are one line on standard error, exit code 2 for wrong settings, else 1."""
    try:
        edge_agent(prog_name="python -m edge_agent")
    except AlprError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(2 if isinstance(error, ConfigError) else 1)
