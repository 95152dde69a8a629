"""A Kafka with TLS, SASL (SCRAM-SHA-512 and PLAIN) and ACLs, with two more doors whose certificates are bad."""

from pathlib import Path
from typing import Any, ClassVar

from compose.local.service import Place
from compose.local.services.kafka import Kafka

DOORS = {"kafka": "SASL_SSL", "expired": "EXPIRED", "elsewhere": "ELSEWHERE"}
"""Port name to listener name; `elsewhere` has a certificate of another host."""
ADMIN = "admin"


class SecuredKafka(Kafka):
    """One broker, three TLS listeners, and an authorizer that allows nothing that no ACL allows.

    Args:
        authority: PEM file of the authority.
        certificates: port name to PEM file with key and certificate.
        passwords: user to password; `ADMIN` may do anything.
    """

    usual_ports: ClassVar[dict[str, int]] = {**Kafka.usual_ports, "expired": 9192, "elsewhere": 9292}

    def __init__(self, authority: Path, certificates: dict[str, Path], passwords: dict[str, str]) -> None:
        self._authority = authority
        self._certificates = certificates
        self._passwords = passwords

    def properties(self, place: Place) -> dict[str, object]:
        """The plain broker's, with listeners that want TLS and a login."""
        users = " ".join(f'user_{user}="{password}"' for user, password in self._passwords.items())
        plain = (
            "org.apache.kafka.common.security.plain.PlainLoginModule required "
            f'username="{ADMIN}" password="{self._passwords[ADMIN]}" {users};'
        )
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        doors = {name: f"{name}://{place.address(port)}" for port, name in DOORS.items()}
        properties = {
            **super().properties(place),
            "listeners": ",".join([*doors.values(), f"CONTROLLER://{place.address('controller')}"]),
            "advertised.listeners": ",".join(doors.values()),
            "listener.security.protocol.map": ",".join(
                [*(f"{name}:SASL_SSL" for name in doors), "CONTROLLER:PLAINTEXT"]
            ),
            "inter.broker.listener.name": "SASL_SSL",
            "sasl.mechanism.inter.broker.protocol": "PLAIN",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
            "ssl.keystore.type": "PEM",
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self._authority,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            # brokers and controller are one process; nobody but it reaches the controller's port as ANONYMOUS
            "super.users": f"User:{ADMIN};User:ANONYMOUS",
        }
        for port, name in DOORS.items():
            prefix = f"listener.name.{name.lower()}"
            properties[f"{prefix}.ssl.keystore.type"] = "PEM"
            properties[f"{prefix}.ssl.keystore.location"] = self._certificates[port]
            properties[f"{prefix}.plain.sasl.jaas.config"] = plain
            properties[f"{prefix}.scram-sha-512.sasl.jaas.config"] = scram
        return properties

    def format_options(self) -> tuple[str, ...]:
        """The users that log in by SCRAM are in the log from the start."""
        pairs = (("--add-scram", f"SCRAM-SHA-512=[name={u},password={p}]") for u, p in self._passwords.items())
        return tuple(part for pair in pairs for part in pair)

    def client_config(self, place: Place) -> dict[str, Any]:
        """The health check logs in as the administrator."""
        return {
            **super().client_config(place),
            "security.protocol": "SASL_SSL",
            "sasl.mechanisms": "PLAIN",
            "sasl.username": ADMIN,
            "sasl.password": self._passwords[ADMIN],
            "ssl.ca.location": str(self._authority),
        }
