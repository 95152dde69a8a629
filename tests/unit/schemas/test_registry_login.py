"""The schema registry's login: it is sent, a refusal says what to change, and nothing secret is shown."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from schemas.endpoints import Endpoints
from schemas.errors import ConfigError, RegistryUnavailable
from schemas.registry import HttpRegistry


class Guarded(BaseHTTPRequestHandler):
    """A registry without schemas that wants the user alpr with the password right."""

    def do_GET(self) -> None:
        """Answer the list of subjects."""
        expected = "Basic " + base64.b64encode(b"alpr:right").decode()
        is_let_in = self.headers.get("Authorization") == expected
        body = json.dumps([] if is_let_in else {"error_code": 401, "message": "no"}).encode()
        self.send_response(200 if is_let_in else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def address() -> Iterator[str]:
    """Host and port of the registry."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Guarded) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_login_of_the_settings_is_sent(address: str) -> None:
    """User and password of ALPR_REGISTRY_* open the registry."""
    settings = Endpoints(registry_url=f"http://{address}", registry_username="alpr", registry_password="right")  # type: ignore[arg-type]  # pydantic reads the text
    assert HttpRegistry.of(settings).subjects() == []


@pytest.mark.parametrize("login", [None, ("alpr", "wrong")])
def test_a_refused_login_names_the_settings(address: str, login: tuple[str, str] | None) -> None:
    """The message says what to check; it never holds the password."""
    with pytest.raises(RegistryUnavailable, match="ALPR_REGISTRY_PASSWORD") as refused:
        HttpRegistry(f"http://{address}", login=login).subjects()
    assert "wrong" not in str(refused.value)


def test_a_login_in_the_address_works_and_is_not_shown(address: str) -> None:
    """Some keep it in the URL; messages show the URL without it."""
    registry = HttpRegistry(f"http://alpr:right@{address}/")
    assert registry.subjects() == []
    assert registry.url == f"http://{address}"


@pytest.mark.parametrize("name", ["none.pem", "no-pem.txt"])
def test_a_ca_file_that_cannot_serve_is_refused(tmp_path: Path, name: str) -> None:
    """At start, with the variable to change."""
    (tmp_path / "no-pem.txt").write_text("no certificate")
    with pytest.raises(ConfigError, match="ALPR_REGISTRY_CA_FILE"):
        HttpRegistry("https://localhost", ca_file=tmp_path / name)
