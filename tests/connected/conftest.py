"""Real servers for the connected tests: started once per run, watched, and gone afterwards.

Fixture `stack` gives every test the same running servers on free ports with fresh data. Two environment
variables change that: `ALPR_TEST_STACK=NAME` uses a stack that is already up (`alpr stack up --name NAME`), for a
fast inner loop; `ALPR_TEST_SERVICES=kafka,mail` starts just these. A server that dies while nobody asked it to
ends the whole run at once, with exit code 3 and its name, since every later failure would only blur the cause.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from compose.local.services import chosen
from compose.local.stack import Stack
from compose.local.watch import Guardian, Watchdog

EXIT_SERVER_DIED = 3


class RunningStack:
    """The servers of this run: their addresses, and a hand on each for outage tests.

    Attributes:
        env: the `ALPR_*` settings, which are in os.environ as well.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._stopped: set[str] = set()
        self.env: dict[str, str] = {}
        self._export()

    def kill(self, service: str) -> None:
        """Ends a server as a crash would (SIGKILL)."""
        self._stopped.add(service)
        self._stack.kill_service(service)

    def stop(self, service: str) -> None:
        """Stops a server cleanly."""
        self._stopped.add(service)
        self._stack.stop_service(service)

    def start(self, service: str) -> None:
        """Starts a server again on its ports and data, or one that is not in the default set (`postgres`, `mqtt`)."""
        self._stack.start_service(service)
        self._stopped.discard(service)
        self._export()

    def restore(self) -> None:
        """Starts what tests have left stopped."""
        for service in sorted(self._stopped):
            self.start(service)

    def _export(self) -> None:
        self.env.update(self._stack.endpoints())
        os.environ.update(self.env)

    def _setting(self, name: str) -> str:
        if name not in self.env:
            raise LookupError(f"{name}: its service is not part of this run's stack")
        return self.env[name]

    @property
    def log_folder(self) -> Path:
        """Where the servers' logs are, one `NAME.log` each."""
        return self._stack.folder / "logs"

    @property
    def kafka_bootstrap(self) -> str:
        """`host:port` of the broker."""
        return self._setting("ALPR_KAFKA_BOOTSTRAP")

    @property
    def registry_url(self) -> str:
        """Base URL of the registry's Confluent API."""
        return self._setting("ALPR_REGISTRY_URL")

    @property
    def timescale_dsn(self) -> str:
        """Connection URL of TimescaleDB."""
        return self._setting("ALPR_TIMESCALE_DSN")

    @property
    def postgres_dsn(self) -> str:
        """Connection URL of plain PostgreSQL; `start("postgres")` first."""
        return self._setting("ALPR_POSTGRES_DSN")

    @property
    def opensearch_url(self) -> str:
        """Base URL of OpenSearch."""
        return self._setting("ALPR_OPENSEARCH_URL")

    @property
    def s3_endpoint(self) -> str:
        """Base URL of the S3 server."""
        return self._setting("ALPR_S3_ENDPOINT")

    @property
    def s3_access_key(self) -> str:
        """Access key."""
        return self._setting("ALPR_S3_ACCESS_KEY")

    @property
    def s3_secret_key(self) -> str:
        """Secret key."""
        return self._setting("ALPR_S3_SECRET_KEY")

    @property
    def s3_bucket(self) -> str:
        """Bucket of the plate images; it exists."""
        return self._setting("ALPR_S3_BUCKET")

    @property
    def smtp_host(self) -> str:
        """Host of the mail sink."""
        return self._setting("ALPR_SMTP_HOST")

    @property
    def smtp_port(self) -> int:
        """SMTP port of the mail sink."""
        return int(self._setting("ALPR_SMTP_PORT"))

    @property
    def mail_api_url(self) -> str:
        """Base URL of the mail sink's web page; its REST API is below /api/v1."""
        return self._setting("ALPR_MAIL_API_URL")

    @property
    def mqtt_address(self) -> tuple[str, int]:
        """Host and port of the MQTT broker; `start("mqtt")` first."""
        return self._setting("ALPR_MQTT_HOST"), int(self._setting("ALPR_MQTT_PORT"))


def _chosen_services() -> tuple[str, ...]:
    return tuple(name for name in os.environ.get("ALPR_TEST_SERVICES", "").split(",") if name)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Downloads and builds servers before the first test, whose time limit does not foresee minutes of that."""
    if session.config.option.collectonly or os.environ.get("ALPR_TEST_STACK"):
        return
    if any("stack" in getattr(item, "fixturenames", ()) for item in session.items):
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        say = reporter.write_line if reporter is not None else print
        Stack("fetch", services=chosen(_chosen_services()), report=say).fetch()


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest) -> Iterator[RunningStack]:
    """The running servers of this run, with the `ALPR_*` environment variables set."""
    before = dict(os.environ)
    borrowed = os.environ.get("ALPR_TEST_STACK")
    servers = Stack(borrowed or f"test-{os.getpid()}-{time.time():.0f}", services=chosen(_chosen_services()))
    guardian = None
    if borrowed is None:
        guardian = Guardian(servers)
        servers.start(free_ports=True, fresh=True)
    elif not servers.services():
        pytest.exit(f"ALPR_TEST_STACK={borrowed}: not up; start it with: alpr stack up --name {borrowed}", 2)
    running = RunningStack(servers)

    def end_run(name: str, how: str) -> None:
        current = os.environ.get("PYTEST_CURRENT_TEST", "between two tests")
        text = f"server {name} died: {how}\nIt died during: {current}\nThis run ends: its servers are incomplete."
        _end_run(request.config, f"\n\n{text}\n", guardian)

    try:
        with Watchdog(servers, end_run):
            yield running
            if borrowed is not None:
                running.restore()
    finally:
        if borrowed is None:
            servers.destroy()
        if guardian is not None:
            guardian.release()
        os.environ.clear()
        os.environ.update(before)


def _end_run(config: pytest.Config, text: str, guardian: Guardian | None) -> None:
    """Writes `text` to the real standard error and ends the process.

    What tests have started (workers, APIs) ends with it; the guardian is left alive and stops the other servers.
    """
    capture = config.pluginmanager.get_plugin("capturemanager")
    if capture is not None:
        capture.suspend_global_capture(in_=False)
    os.write(2, text.encode())
    if guardian is not None:  # a borrowed stack's servers may be children of ours after a restart: leave them
        for child in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if child.pid != guardian.pid:
                    child.terminate()
    os._exit(EXIT_SERVER_DIED)
