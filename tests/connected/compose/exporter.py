"""A stand-in for worker, API and edge agent: every metric of the platform, as the platform exposes it, with figures.

``python -m tests.connected.compose.exporter`` prints its port and serves until it is ended. It is a process of its own
so that the tests' own metrics stay untouched. Every scrape finds the counters higher, so that rates are not zero.
"""

from http.server import BaseHTTPRequestHandler, HTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

from tests.unit.compose.queries import catalogue

# values that queries select by; any other label has its own name as value
_SELECTED = {"outcome": "failed"}
_DEAD_LETTERS_A_SCRAPE = 20  # enough for the alert


def count_on() -> None:
    """Touch every metric with labels."""
    for metric in catalogue():
        names = metric._labelnames  # the client has no public way to ask
        child = metric.labels(*(_SELECTED.get(name, name) for name in names)) if names else metric
        match child:
            case Counter():
                child.inc(_DEAD_LETTERS_A_SCRAPE)
            case Gauge():
                child.set(1)
            case Histogram():
                child.observe(0.2)


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer a scrape."""
        count_on()
        body = generate_latest()
        self.send_response(200)
        self.send_header("Content-Type", CONTENT_TYPE_LATEST)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    server = HTTPServer(("127.0.0.1", 0), _Page)
    print(server.server_port, flush=True)  # noqa: T201  (how the test learns the port)
    server.serve_forever()
