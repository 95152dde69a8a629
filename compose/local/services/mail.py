"""Mailpit: an SMTP server that keeps every mail and shows it by web page and REST API; built from its Go module."""

import smtplib
from pathlib import Path
from typing import ClassVar

from compose.local.artifacts import Artifact
from compose.local.errors import NotReady
from compose.local.ports import HOST
from compose.local.processes import Launch
from compose.local.registries import go_install
from compose.local.service import Place, Service
from compose.local.services.http_probe import get_json
from compose.local.tools import GO

_VERSION = "v1.27.11"


class Mail(Service):
    """SMTP sink; it never relays a mail onwards."""

    name: ClassVar[str] = "mail"
    version: ClassVar[str] = _VERSION.removeprefix("v")
    usual_ports: ClassVar[dict[str, int]] = {"smtp": 1025, "api": 8025}
    stop_timeout_s: ClassVar[float] = 5.0

    def artifacts(self) -> tuple[Artifact, ...]:
        """The server's binary."""
        return (Artifact(self.name, self.version, "building from source", (GO,), _build),)

    def prepare(self, place: Place) -> None:
        """Makes the folder of its database."""
        place.data.mkdir(parents=True, exist_ok=True)

    def launch(self, place: Place) -> Launch:
        """Loopback only; no look-ups, no version check, no remote fonts in the pages that it shows."""
        return Launch(
            argv=[
                str(self.artifacts()[0].folder / "mailpit"),
                "--smtp",
                place.address("smtp"),
                "--listen",
                place.address("api"),
                "--database",
                str(place.data / "mail.db"),
                "--max",
                "100000",
                "--smtp-auth-accept-any",
                "--smtp-auth-allow-insecure",
                "--smtp-disable-rdns",
                "--disable-version-check",
                "--block-remote-css-and-fonts",
            ],
            environment={},
        )

    def check(self, place: Place) -> None:
        """Reads the SMTP greeting and asks the API for its state.

        Raises:
            NotReady: either door is still closed.
        """
        try:
            with smtplib.SMTP(HOST, place.ports["smtp"], timeout=5) as session:
                session.noop()
        except (OSError, smtplib.SMTPException) as error:
            raise NotReady(f"SMTP: {error}") from error
        get_json(f"http://{place.address('api')}/api/v1/info")

    def environment(self, place: Place) -> dict[str, str]:
        """SMTP address, and the URL of web page and API."""
        return {
            "ALPR_SMTP_HOST": HOST,
            "ALPR_SMTP_PORT": str(place.ports["smtp"]),
            "ALPR_MAIL_API_URL": f"http://{place.address('api')}",
        }


def _build(folder: Path) -> None:
    go_install(folder, "github.com/axllent/mailpit", _VERSION)
