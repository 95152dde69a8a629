"""Running `alpr` in the test's own process, against the stack of the run."""

from click.testing import CliRunner, Result

from cli.main import main
from schemas.endpoints import endpoints
from schemas.wiring import codec, registry


def forget_endpoints() -> None:
    """Settings are read once a process; the next command reads the stack's."""
    for cached in (endpoints, registry, codec):
        cached.cache_clear()


def alpr(*arguments: str) -> Result:
    """Run a command."""
    return CliRunner().invoke(main, arguments, catch_exceptions=False)
