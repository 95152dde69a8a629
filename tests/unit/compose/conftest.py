"""Toy servers: real processes of a few lines, so that the stack's machinery is tested without any download."""

import sys
import textwrap
import urllib.request
from pathlib import Path
from typing import ClassVar

import pytest

from compose.local.errors import NotReady
from compose.local.processes import Launch
from compose.local.service import Place, Service
from compose.local.services import CATALOGUE

_SERVER = textwrap.dedent("""
    import http.server, sys
    print("toy server starts", flush=True)
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200); self.end_headers(); self.wfile.write(b"ok")
        def log_message(self, *_): pass
    http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
""")


class Toy(Service):
    """An HTTP server of the standard library."""

    name: ClassVar[str] = "toy"
    version: ClassVar[str] = "1"
    usual_ports: ClassVar[dict[str, int]] = {"http": 19_871}
    by_default: ClassVar[bool] = False
    start_timeout_s: ClassVar[float] = 10.0
    code: ClassVar[str] = _SERVER

    def prepare(self, place: Place) -> None:
        """Leaves a file, by which tests see whether data was kept."""
        place.folder.mkdir(parents=True, exist_ok=True)
        with (place.folder / "starts").open("a") as starts:
            starts.write("x")

    def launch(self, place: Place) -> Launch:
        """The server above."""
        return Launch(argv=[sys.executable, "-c", self.code, str(place.ports["http"])], environment={})

    def check(self, place: Place) -> None:
        """GET answers."""
        try:
            urllib.request.urlopen(f"http://{place.address('http')}", timeout=2).close()
        except OSError as error:
            raise NotReady(str(error)) from error

    def environment(self, place: Place) -> dict[str, str]:
        """A setting like those of the real services."""
        return {"ALPR_TOY_URL": f"http://{place.address('http')}"}


class BrokenToy(Toy):
    """Ends while it starts, with a word in its log."""

    name: ClassVar[str] = "broken-toy"
    code: ClassVar[str] = "print('no such spring', flush=True); raise SystemExit(7)"


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Cache and state of every test are its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Toy:
    """A service that starts."""
    service = Toy()
    monkeypatch.setitem(CATALOGUE, service.name, service)
    return service


@pytest.fixture
def broken_toy(monkeypatch: pytest.MonkeyPatch) -> BrokenToy:
    """A service that does not."""
    service = BrokenToy()
    monkeypatch.setitem(CATALOGUE, service.name, service)
    return service
