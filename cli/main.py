"""The `alpr` command: one group whose subcommands are loaded when they are used.

Each subcommand lives in a module of its own and may need packages of one extra only; loading it lazily keeps
`alpr stack` working on an install that has no Faust, and `alpr --help` fast.
"""

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from types import MappingProxyType

import click

COMMANDS: Mapping[str, str] = MappingProxyType(
    {
        "stack": "cli.stack:stack",
        "doctor": "cli.doctor:doctor",
        "demo": "cli.demo:demo",
        "api": "cli.api:api",
        "topics": "cli.topics:topics",
        "rules": "cli.rules:rules",
        "schemas": "cli.schemas:schemas",
        "dlq": "cli.dlq:dlq",
        "purge": "cli.purge:purge",
    }
)
"""Subcommand to `module:attribute`; a command whose module does not exist is not listed."""


EXTRAS: Mapping[str, str] = MappingProxyType(
    {"stack": "stack", "doctor": "stack", "demo": "stack,stream,edge,api", "api": "api"}
)
"""Subcommand to the extras that hold its packages, where these are not the stream's."""


class LazyGroup(click.Group):
    """A group that imports a subcommand's module when the subcommand is looked up."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands whose modules are there, without importing them."""
        there = [name for name, where in COMMANDS.items() if _exists(where.partition(":")[0])]
        return [*super().list_commands(ctx), *there]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or None for an unknown name.

        Raises:
            click.ClickException: a package that the command needs is not installed.
        """
        where = COMMANDS.get(cmd_name)
        if where is None:
            return super().get_command(ctx, cmd_name)
        module_name, _, attribute = where.partition(":")
        if not _exists(module_name):
            return None
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name is not None and error.name.partition(".")[0] in {"cli", "compose", "schemas"}:
                raise  # a mistake in the project, not a missing extra
            raise click.ClickException(
                f"`alpr {cmd_name}` needs the package {error.name}, which this install lacks. "
                f"Mend it with: {sys.executable} -m pip install 'alpr-platform[{EXTRAS.get(cmd_name, 'stream')}]'"
            ) from error
        command = getattr(module, attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{where} is no click command")
        return command


def _exists(module_name: str) -> bool:
    return importlib.util.find_spec(module_name) is not None


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="alpr-platform", prog_name="alpr")
def main() -> None:
    """Open ALPR event platform: from camera to alert."""


if __name__ == "__main__":
    main()
