"""Plain PostgreSQL 15 from the system's packages, for what the TimescaleDB build cannot do: concurrency and load.

PostgreSQL refuses to run as root. Started by root, it runs as `postgres` (or `nobody`), and because that user
cannot enter root's home, its data then lives under /var/tmp.
"""

import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from typing import ClassVar

import psycopg

from compose.local.errors import StackError, StartFailed
from compose.local.ports import HOST
from compose.local.processes import Launch
from compose.local.service import Place, Service
from compose.local.services.sql_probe import select_one
from compose.local.tools import POSTGRES, Tool


class Postgres(Service):
    """PostgreSQL with user, password and database alpr; off by default."""

    name: ClassVar[str] = "postgres"
    version: ClassVar[str] = "15"
    usual_ports: ClassVar[dict[str, int]] = {"postgresql": 5433}
    by_default: ClassVar[bool] = False
    tools: ClassVar[tuple[Tool, ...]] = (POSTGRES,)
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # "fast": ends sessions, writes a checkpoint

    def folder(self, stack_folder: Path) -> Path:
        """The usual place, or one that another user can reach when root starts it."""
        if os.geteuid() != 0:
            return stack_folder / self.name
        return Path("/var/tmp/alpr-stacks") / stack_folder.name / self.name  # noqa: S108  (0700, owned by the server's user)

    def prepare(self, place: Place) -> None:
        """Runs initdb the first time.

        Raises:
            StartFailed: initdb failed.
        """
        user = _server_user()
        place.folder.mkdir(parents=True, exist_ok=True)
        if user is not None:
            shutil.chown(place.folder, user)
            place.folder.chmod(0o700)
        if (place.data / "PG_VERSION").exists():
            return
        initdb = POSTGRES.require().with_name("initdb")
        done = subprocess.run(
            [initdb, "-D", place.data, "-U", "alpr", "--auth=trust", "--encoding=UTF8", "--no-locale", "-N"],
            capture_output=True,
            text=True,
            cwd=place.folder,
            user=user,
            group=None if user is None else pwd.getpwnam(user).pw_gid,
            extra_groups=None if user is None else [],
            check=False,
        )
        if done.returncode != 0:
            raise StartFailed(f"postgres: initdb failed:\n{done.stdout}{done.stderr}")

    def launch(self, place: Place) -> Launch:
        """The server on loopback, its socket in its own folder."""
        settings = {
            "listen_addresses": HOST,
            "port": place.ports["postgresql"],
            "unix_socket_directories": place.folder,
            "fsync": "off",  # a local stack may lose its data with the machine's power, not with its own end
            "max_connections": 100,
            "shared_buffers": "64MB",
        }
        return Launch(
            argv=[
                str(POSTGRES.require()),
                "-D",
                str(place.data),
                *(f"--{key}={value}" for key, value in settings.items()),
            ],
            environment={},
            user=_server_user(),
        )

    def check(self, place: Place) -> None:
        """`SELECT 1` in the database that always exists.

        Raises:
            NotReady: no answer.
        """
        select_one(f"postgresql://alpr:alpr@{place.address('postgresql')}/postgres")

    def after_start(self, place: Place) -> None:
        """Makes the database alpr."""
        dsn = f"postgresql://alpr:alpr@{place.address('postgresql')}/postgres"
        with psycopg.connect(dsn, autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = 'alpr'").fetchone() is None:
                connection.execute("CREATE DATABASE alpr")

    def environment(self, place: Place) -> dict[str, str]:
        """Connection URL, beside that of TimescaleDB."""
        return {"ALPR_POSTGRES_DSN": f"postgresql://alpr:alpr@{place.address('postgresql')}/alpr"}


def _server_user() -> str | None:
    """Who the server runs as: None for the caller, unless that is root.

    Raises:
        StackError: we are root and there is neither `postgres` nor `nobody`.
    """
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in names:
            return name
    raise StackError("postgres does not run as root, and there is no user 'postgres' or 'nobody' to run it as")
