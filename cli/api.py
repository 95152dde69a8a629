"""`alpr api`: the query API on uvicorn."""

from typing import Any

import click
import uvicorn
from pydantic import ValidationError

from cli.errors import CommandError
from query_api.app import create_app
from query_api.settings import ApiSettings
from query_api.wiring import real_ports
from schemas.endpoints import endpoints
from schemas.errors import ConfigError
from telemetry import log


@click.command()
@click.option("--host", help="Address to listen on (ALPR_API_HOST; default 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (ALPR_API_PORT; default 8000).")
@click.option("--insecure", is_flag=True, help="Allow an address beyond loopback without an API key.")
def api(host: str | None, port: int | None, insecure: bool) -> None:
    """Serve ingest, search, alerts and statistics over HTTP.

    With ALPR_API_KEY set, clients send it as X-API-Key. Without it only loopback is served.
    """
    given: dict[str, Any] = {"host": host, "port": port, "insecure": insecure or None}
    try:
        settings = ApiSettings(**{name: value for name, value in given.items() if value is not None}).checked()
        app = create_app(settings, real_ports(settings, endpoints()))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise CommandError(f"settings: {wrong}") from error
    except ConfigError as error:
        raise CommandError(str(error)) from error
    log.configure()
    # its access log would hold plates, which stand in queries; the API writes one of its own
    uvicorn.run(app, host=settings.host, port=settings.port, access_log=False, server_header=False, log_level="info")
