"""A webhook receiver for the demo: a real HTTP server that writes every body that it gets to a file.

Run as ``python -m cli.demo.receiver PORT FILE``.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MAX_BODY_BYTES = 1024 * 1024


class Handler(BaseHTTPRequestHandler):
    """Takes POSTs; a body that comes twice under one Idempotency-Key is written once."""

    target: Path
    seen: set[str]

    def do_GET(self) -> None:  # the standard library's name
        """Health check."""
        self._answer(200, b'{"status":"ok"}')

    def do_POST(self) -> None:  # the standard library's name
        """Write the body as a line of JSON."""
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY_BYTES:
            self._answer(413, b"{}")
            return
        body = self.rfile.read(length)
        key = self.headers.get("Idempotency-Key", "")
        if not key or key not in self.seen:
            self.seen.add(key)
            with self.target.open("a") as file:
                file.write(json.dumps({"key": key, "path": self.path, "body": body.decode(errors="replace")}) + "\n")
        self._answer(200, b'{"received":true}')

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # the standard library's name
        """Quiet: the file is the log."""


def serve(port: int, target: Path) -> None:
    """Serve on loopback until the process ends."""
    handler = type("BoundHandler", (Handler,), {"target": target, "seen": set()})
    ThreadingHTTPServer(("127.0.0.1", port), handler).serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]))
