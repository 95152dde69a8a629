"""A Mosquitto of a test's own: with a login, an access list, and TLS where it is asked for."""

import base64
import hashlib
import os
import signal
import socket
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from compose.local.debian import DebianProgram
from compose.local.tools import MOSQUITTO
from tests.connected.notify.conftest import free_port, until

USER, WATCHER = "alpr", "watcher"
PROGRAM = DebianProgram(MOSQUITTO, "mosquitto", "usr/sbin/mosquitto")


@dataclass
class Mosquitto:
    """The broker's process, and a subscriber that keeps what comes on ``ok/#``.

    Attributes:
        password: of `USER`, who may write to ``ok/#`` alone.
        certificate: PEM file with key and certificate, for TLS.
        messages: what the subscriber got.
    """

    folder: Path
    password: str
    certificate: Path | None = None
    messages: list[MQTTMessage] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.port = free_port()
        self._plain_port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: Client | None = None

    def start(self) -> None:
        """Start it, and wait until the subscriber listens."""
        users = "".join(f"{name}:{_hashed(self.password)}\n" for name in (USER, WATCHER))
        (self.folder / "users").write_text(users)
        (self.folder / "users").chmod(0o600)
        (self.folder / "acl").write_text(f"user {USER}\ntopic write ok/#\nuser {WATCHER}\ntopic read #\n")
        (self.folder / "acl").chmod(0o600)
        tls = ""
        if self.certificate is not None:
            tls = f"certfile {self.certificate}\nkeyfile {self.certificate}\n"
        (self.folder / "mosquitto.conf").write_text(
            "per_listener_settings false\nallow_anonymous false\npersistence false\n"
            f"password_file {self.folder / 'users'}\nacl_file {self.folder / 'acl'}\nuser root\n"
            f"listener {self.port} 127.0.0.1\n{tls}listener {self._plain_port} 127.0.0.1\n"
        )
        self._process = subprocess.Popen(
            [PROGRAM.path(), "-c", self.folder / "mosquitto.conf"],
            env={**os.environ, **PROGRAM.environment()},
            stdout=(self.folder / "log").open("ab"),
            stderr=subprocess.STDOUT,
        )
        until("the broker listens", self._listens, 20)
        self._watch()

    def stop(self) -> None:
        """End it as a crash would; what is frozen thaws first."""
        if self._watcher is not None:
            self._watcher.disconnect()
            self._watcher.loop_stop()
            self._watcher = None
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def freeze(self) -> None:
        """Keep silent: connections stay open, nobody answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Answer again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def texts(self) -> list[str]:
        """The payloads, once what was acknowledged before has arrived."""
        marker = f"ok/{uuid4()}"
        assert self._watcher is not None
        publisher = _client(USER, self.password)
        publisher.connect("127.0.0.1", self._plain_port)
        publisher.loop_start()
        publisher.publish(marker, b"", 1).wait_for_publish(10)
        publisher.disconnect()
        publisher.loop_stop()
        until("the marker", lambda: any(message.topic == marker for message in self.messages), 10)
        self.messages = [message for message in self.messages if message.payload]
        return [message.payload.decode() for message in self.messages]

    def _watch(self) -> None:
        subscribed = threading.Event()
        watcher = _client(WATCHER, self.password)
        watcher.on_message = lambda _, __, message: self.messages.append(message)
        watcher.on_subscribe = lambda *_: subscribed.set()
        watcher.connect("127.0.0.1", self._plain_port)
        watcher.loop_start()
        watcher.subscribe("ok/#", 1)
        assert subscribed.wait(10)
        self._watcher = watcher

    def _listens(self) -> bool:
        try:
            for port in (self.port, self._plain_port):
                socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return False
        return True


def _client(user: str, password: str) -> Any:
    made = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
    made.username_pw_set(user, password)
    return made


def _hashed(password: str) -> str:
    """As mosquitto_passwd writes it: PBKDF2-HMAC-SHA512 (RFC 8018) with 101 rounds."""
    salt = os.urandom(12)
    made = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101)
    return f"$7$101${base64.b64encode(salt).decode()}${base64.b64encode(made).decode()}"
