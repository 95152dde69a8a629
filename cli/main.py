"""The `alpr` command: one group whose subcommands are loaded when they are used.

Each subcommand lives in a module of its own and may need packages of one extra only; loading it lazily keeps
`alpr stack` working on an install that has no Faust, and `alpr --help` fast.
"""

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import click

from schemas.errors import AlprError


class Lazy(NamedTuple):
    """A subcommand that is not imported yet.

    Attributes:
        where: its `module:attribute`.
        summary: what `alpr --help` says about it.
        extras: the install extras that hold its packages.
    """

    where: str
    summary: str
    extras: str = "stream"


COMMANDS: Mapping[str, Lazy] = MappingProxyType(
    {
        "stack": Lazy("cli.stack:stack", "Start, stop and look at the local servers.", "stack"),
        "doctor": Lazy("cli.doctor:doctor", "Look for what the local stack needs.", "stack"),
        "demo": Lazy("cli.demo:demo", "Camera to alert on real services, with a summary.", "stack,stream,edge,api"),
        "api": Lazy("cli.api:api", "Serve ingest, search, alerts and statistics over HTTP.", "api"),
        "topics": Lazy("cli.topics:topics", "Create and check the Kafka topics."),
        "rules": Lazy("cli.rules:rules", "Check, test and explain alert rules."),
        "schemas": Lazy("cli.schemas:schemas", "Register Avro schemas and check their compatibility."),
        "cameras": Lazy("cli.cameras:cameras", "List, add, change and delete cameras."),
        "alerts": Lazy("cli.alerts:alerts", "Acknowledge, resolve, label and silence alerts."),
        "dlq": Lazy("cli.dlq:dlq", "Look at dead letters, replay or discard them."),
        "settings": Lazy("cli.settings:settings", "List every environment variable that is read.", "stream,edge,api"),
    }
)
"""Subcommands by name; one whose module does not exist is not listed."""


class LazyGroup(click.Group):
    """A group that imports a subcommand's module when the subcommand is looked up."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands whose modules are there, without importing them."""
        there = [name for name, lazy in COMMANDS.items() if _exists(lazy.where.partition(":")[0])]
        return [*super().list_commands(ctx), *there]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error of ours is one message, not a stack trace."""
        try:
            return super().invoke(ctx)
        except AlprError as error:
            if isinstance(error, click.ClickException):
                raise
            raise click.ClickException(str(error)) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Lists the commands with their summaries, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].summary) for name in self.list_commands(ctx)])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or None for an unknown name.

        Raises:
            click.ClickException: a package that the command needs is not installed.
        """
        lazy = COMMANDS.get(cmd_name)
        if lazy is None:
            return super().get_command(ctx, cmd_name)
        module_name, _, attribute = lazy.where.partition(":")
        if not _exists(module_name):
            return None
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name is not None and error.name.partition(".")[0] in {"cli", "compose", "schemas"}:
                raise  # a mistake in the project, not a missing extra
            raise click.ClickException(
                f"`alpr {cmd_name}` needs the package {error.name}, which this install lacks. "
                f"Mend it with: {sys.executable} -m pip install 'alpr-platform[{lazy.extras}]'"
            ) from error
        command = getattr(module, attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{lazy.where} is no click command")
        return command


def _exists(module_name: str) -> bool:
    return importlib.util.find_spec(module_name) is not None


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="alpr-platform", prog_name="alpr")
def main() -> None:
    """Open ALPR event platform: from camera to alert."""


if __name__ == "__main__":
    main()
