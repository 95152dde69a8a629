"""Certificates made on the fly with the openssl command: an authority, and brokers' certificates good and bad."""

import subprocess
from pathlib import Path

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class Authority:
    """A certificate authority of a test.

    Args:
        folder: where its files go.
        name: of the authority, and of its files.
    """

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.certificate = folder / f"{name}.pem"
        self._key = folder / f"{name}.key"
        self._openssl(
            "req", "-x509", *_KEY, "-keyout", self._key, "-out", self.certificate, "-days", 2, "-subj", f"/CN={name}",
            "-addext", "basicConstraints=critical,CA:TRUE",
        )  # fmt: skip

    def sign(self, name: str, names: str, days: int = 2) -> Path:
        """A key and its certificate in one PEM file, as Kafka's PEM key stores want them.

        Args:
            name: of the file.
            names: the certificate's subjectAltName.
            days: how long it is valid; -1 has expired.
        """
        key, request, signed = (self._folder / f"{name}.{kind}" for kind in ("key", "csr", "crt"))
        extension = self._folder / f"{name}.ext"
        extension.write_text(f"subjectAltName={names}\n")
        self._openssl("req", *_KEY, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        self._openssl(
            "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial",
            "-days", days, "-extfile", extension, "-out", signed,
        )  # fmt: skip
        both = self._folder / f"{name}.pem"
        both.write_text(key.read_text() + signed.read_text() + self.certificate.read_text())
        return both

    @staticmethod
    def _openssl(*arguments: object) -> None:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
