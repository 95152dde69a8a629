"""Mosquitto, the MQTT broker of many camera and gate installations, as the distribution has it; off by default."""

import socket
from typing import ClassVar

from compose.local.artifacts import Artifact
from compose.local.debian import DebianProgram
from compose.local.errors import NotReady
from compose.local.ports import HOST
from compose.local.processes import Launch
from compose.local.service import Place, Service
from compose.local.tools import MOSQUITTO

# MQTT 3.1.1 (OASIS standard, 3.1 and 3.2): CONNECT with a clean session and client id "probe"; CONNACK accepted
_CONNECT = b"\x10\x11\x00\x04MQTT\x04\x02\x00\x05\x00\x05probe"
_CONNACK = b"\x20\x02\x00\x00"

_PROGRAM = DebianProgram(MOSQUITTO, "mosquitto", "usr/sbin/mosquitto")


class Mqtt(Service):
    """MQTT without passwords, on loopback."""

    name: ClassVar[str] = "mqtt"
    version: ClassVar[str] = "2"
    usual_ports: ClassVar[dict[str, int]] = {"mqtt": 1883}
    by_default: ClassVar[bool] = False
    stop_timeout_s: ClassVar[float] = 5.0

    def artifacts(self) -> tuple[Artifact, ...]:
        """The broker with its libraries, where it is not installed."""
        return _PROGRAM.artifacts()

    def prepare(self, place: Place) -> None:
        """Writes the configuration; nothing is kept over a restart."""
        place.folder.mkdir(parents=True, exist_ok=True)
        (place.folder / "mosquitto.conf").write_text(
            f"listener {place.ports['mqtt']} {HOST}\nallow_anonymous true\npersistence false\n"
        )

    def launch(self, place: Place) -> Launch:
        """The broker in the foreground."""
        return Launch(
            argv=[str(_PROGRAM.path()), "-c", str(place.folder / "mosquitto.conf")],
            environment=_PROGRAM.environment(),
        )

    def check(self, place: Place) -> None:
        """Connects as a client.

        Raises:
            NotReady: the broker does not accept it.
        """
        try:
            with socket.create_connection((HOST, place.ports["mqtt"]), timeout=5) as connection:
                connection.sendall(_CONNECT)
                if connection.recv(4) != _CONNACK:
                    raise NotReady("the broker refused a connection")
        except OSError as error:
            raise NotReady(str(error)) from error

    def environment(self, place: Place) -> dict[str, str]:
        """Address of the broker."""
        return {"ALPR_MQTT_HOST": HOST, "ALPR_MQTT_PORT": str(place.ports["mqtt"])}
