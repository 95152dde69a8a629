"""`alpr stack`: the servers that the platform needs, started on this machine without containers."""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click
from rich import box
from rich.console import Console
from rich.table import Table

from compose.local.errors import StackError
from compose.local.services import CATALOGUE, chosen
from compose.local.stack import Stack
from compose.local.status import ServiceStatus

_console = Console()


@contextmanager
def _shown_errors() -> Iterator[None]:
    """Turns an error of the stack into a message for a person and exit code 1."""
    try:
        yield
    except (StackError, ValueError) as error:
        raise click.ClickException(str(error)) from error


def _say(line: str) -> None:
    """Prints one line; whoever reads may go away (`alpr stack up | head -1`) without stopping the start."""
    with suppress(BrokenPipeError):
        click.echo(line)


def _names(value: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in value.split(",") if name.strip())


_name_option = click.option("--name", default="local", show_default=True, help="Name of the stack.")
_only_option = click.option("--only", default="", metavar="A,B", help="Just these services.")
_with_option = click.option(
    "--with", "extra", default="", metavar="A,B", help="These services on top of the default ones."
)


@click.group()
def stack() -> None:
    """Start, stop and look at the local servers (Kafka, registry, databases, S3, mail)."""


@stack.command()
@_name_option
@click.option("--free-ports", is_flag=True, help="Take free ports instead of the usual ones.")
@click.option("--fresh", is_flag=True, help="Wipe the data of the services first.")
@_only_option
@_with_option
def up(name: str, free_ports: bool, fresh: bool, only: str, extra: str) -> None:
    """Start the stack and wait until every service is healthy."""
    with _shown_errors():
        it = Stack(name, services=chosen(_names(only), _names(extra)), report=_say)
        it.start(free_ports=free_ports, fresh=fresh)
        _say("")
        for key, value in it.endpoints().items():
            _say(f"{key}={value}")


@stack.command()
@_name_option
def down(name: str) -> None:
    """Stop every service of the stack; its data stays."""
    with _shown_errors():
        Stack(name, report=_say).stop()


@stack.command()
@_name_option
@_only_option
@_with_option
def fetch(name: str, only: str, extra: str) -> None:
    """Download and build the servers without starting them."""
    with _shown_errors():
        it = Stack(name, services=chosen(_names(only), _names(extra)), report=_say)
        it.fetch()
        _say("everything is there")


@stack.command()
@_name_option
def status(name: str) -> None:
    """Show every service; exit code 1 if one that should run does not."""
    with _shown_errors():
        found = Stack(name).services()
    if not found:
        raise click.ClickException(f"stack {name} is not running; start it with: alpr stack up --name {name}")
    _console.print(_table(found))
    sick = [service for service in found if service.problem]
    for service in sick:
        _say(f"{service.name}: {service.problem}; its log: {service.log}")
    if sick:
        sys.exit(1)


@stack.command()
@click.argument("service", type=click.Choice(list(CATALOGUE)))
@_name_option
@click.option("-f", "--follow", is_flag=True, help="Go on as the log grows.")
@click.option("-n", "--lines", default=100, show_default=True, help="How many lines from the end.")
def logs(service: str, name: str, follow: bool, lines: int) -> None:
    """Show the log of SERVICE."""
    with _shown_errors():
        path = Stack(name).log_path(service)
    if not path.exists():
        raise click.ClickException(f"{service} has no log in stack {name}: it was never started")
    arguments = ["tail", "-n", str(lines), *(["-F"] if follow else []), str(path)]
    try:
        sys.exit(subprocess.run(arguments, check=False).returncode)
    except KeyboardInterrupt:
        sys.exit(0)


@stack.command()
@_name_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of shell lines.")
def env(name: str, as_json: bool) -> None:
    """Print the settings of the running stack: eval "$(alpr stack env)"."""
    with _shown_errors():
        settings = Stack(name).endpoints()
    if not settings:
        raise click.ClickException(f"stack {name} is not running; start it with: alpr stack up --name {name}")
    if as_json:
        print(json.dumps(settings, indent=2))
    else:
        for key, value in settings.items():
            print(f"export {key}={shlex.quote(value)}")


def _table(found: list[ServiceStatus]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("service", "version", "port", "pid", "health", "memory", "up"):
        table.add_column(title, overflow="fold")
    for one in found:
        hidden = CATALOGUE[one.name].internal_ports
        table.add_row(
            one.name,
            one.version,
            ", ".join(str(port) for key, port in one.ports.items() if key not in hidden),
            str(one.pid),
            _health(one),
            f"{one.rss_bytes / 2**20:.0f} MB",
            _duration(one.uptime_s),
        )
    return table


def _health(one: ServiceStatus) -> str:
    """One word; the reason stands below the table, where it has room."""
    if not one.problem:
        return "[green]healthy[/green]"
    return "[red]not healthy[/red]" if one.is_alive else "[red]dead[/red]"


def _duration(seconds: float) -> str:
    """`2 h 5 min`, `5 min 3 s` or `3 s`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
