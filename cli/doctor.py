"""`alpr doctor`: what this machine lacks for the platform, which servers refuse it, and what mends each."""

import sys
from itertools import chain

import click
from rich.console import Console

from cli.connection_checks import connection_findings
from compose.local.checks import findings
from compose.local.errors import StackError
from compose.local.services import chosen
from schemas.endpoints import endpoints


@click.command()
@click.option("--name", default="local", show_default=True, help="Name of the stack whose ports count as ours.")
@click.option("--with", "extra", default="", metavar="A,B", help="Check for these services as well.")
def doctor(name: str, extra: str) -> None:
    """Look for what the local stack needs, and whether Kafka lets us in; exit code 1 if something must be mended."""
    console = Console(highlight=False, soft_wrap=True)
    missing = 0
    try:
        services = chosen(extra=tuple(part.strip() for part in extra.split(",") if part.strip()))
        for finding in chain(findings(services, name), connection_findings(endpoints())):
            if finding.is_good:
                console.print("[green]ok     [/green]", end=" ")
            elif finding.is_required:
                missing += 1
                console.print("[red]mend   [/red]", end=" ")
            else:
                console.print("[yellow]hint   [/yellow]", end=" ")
            console.print(f"{finding.subject}: {finding.detail}", markup=False)
            if finding.mend:
                console.print(f"        mend it with: {finding.mend}", markup=False)
    except (StackError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    if missing:
        console.print(f"{missing} of these must be mended." if missing > 1 else "One of these must be mended.")
        sys.exit(1)
    console.print("Ready: alpr stack up")
