"""An S3 server: Versity's gateway over a plain folder, built from its Go module."""

import errno
import os
from pathlib import Path
from typing import ClassVar

import urllib3
from minio import Minio
from minio.error import MinioException
from urllib3.exceptions import HTTPError

from compose.local.artifacts import Artifact
from compose.local.errors import NotReady
from compose.local.processes import Launch
from compose.local.registries import go_install
from compose.local.service import Place, Service
from compose.local.tools import GO

_VERSION = "v1.8.0"
ACCESS_KEY = "alpr"
SECRET_KEY = "alpr-secret"  # noqa: S105  (the documented key of a loopback server)
BUCKET = "alpr-plate-images"


class S3(Service):
    """S3 API with metadata, tags, presigned URLs, multipart and versioning; lifecycle rules are not implemented."""

    name: ClassVar[str] = "s3"
    version: ClassVar[str] = _VERSION.removeprefix("v")
    usual_ports: ClassVar[dict[str, int]] = {"http": 9000}
    stop_timeout_s: ClassVar[float] = 5.0

    def artifacts(self) -> tuple[Artifact, ...]:
        """The gateway's binary."""
        return (Artifact(self.name, self.version, "building from source", (GO,), _build),)

    def prepare(self, place: Place) -> None:
        """Makes the folders that hold objects, old versions and, where needed, metadata."""
        for folder in (place.data, place.folder / "versions", place.folder / "metadata"):
            folder.mkdir(parents=True, exist_ok=True)

    def launch(self, place: Place) -> Launch:
        """Metadata goes into extended attributes, or beside the objects where the file system has none."""
        sidecar = [] if _has_extended_attributes(place.data) else ["--sidecar", str(place.folder / "metadata")]
        return Launch(
            argv=[
                str(self.artifacts()[0].folder / "versitygw"),
                "--port",
                place.address("http"),
                "--quiet",
                "posix",
                "--versioning-dir",
                str(place.folder / "versions"),
                *sidecar,
                str(place.data),
            ],
            environment={"ROOT_ACCESS_KEY": ACCESS_KEY, "ROOT_SECRET_KEY": SECRET_KEY},
        )

    def check(self, place: Place) -> None:
        """Lists the buckets with a signed request.

        Raises:
            NotReady: no answer, or the keys are refused.
        """
        try:
            _client(place).list_buckets()
        except (MinioException, HTTPError) as error:
            raise NotReady(str(error)) from error

    def after_start(self, place: Place) -> None:
        """Makes the bucket of the plate images."""
        client = _client(place)
        if not client.bucket_exists(bucket_name=BUCKET):
            client.make_bucket(bucket_name=BUCKET)

    def environment(self, place: Place) -> dict[str, str]:
        """Endpoint, keys and bucket."""
        return {
            "ALPR_S3_ENDPOINT": f"http://{place.address('http')}",
            "ALPR_S3_ACCESS_KEY": ACCESS_KEY,
            "ALPR_S3_SECRET_KEY": SECRET_KEY,
            "ALPR_S3_BUCKET": BUCKET,
        }


def _client(place: Place) -> Minio:
    """A client that fails at once instead of retrying, so that the caller decides how long to wait."""
    return Minio(
        endpoint=place.address("http"),
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        secure=False,
        region="us-east-1",
        http_client=urllib3.PoolManager(timeout=5.0, retries=False),
    )


def _has_extended_attributes(folder: Path) -> bool:
    """True if files below `folder` can carry user attributes (tmpfs on older kernels cannot)."""
    try:
        os.setxattr(folder, "user.alpr-probe", b"1")
    except OSError as error:
        if error.errno in {errno.ENOTSUP, errno.EPERM}:
            return False
        raise
    os.removexattr(folder, "user.alpr-probe")
    return True


def _build(folder: Path) -> None:
    go_install(folder, "github.com/versity/versitygw/cmd/versitygw", _VERSION)
