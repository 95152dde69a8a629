"""Presigned links to the images in S3 (AWS Signature Version 4, query parameters), computed without the server."""

import asyncio
from datetime import timedelta
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import MinioException

from query_api.values import ImageLink
from schemas.clock import now_us, to_datetime
from schemas.endpoints import Endpoints
from schemas.errors import ConfigError, Unavailable

STEP_S = 300
"""Links are dated back to a multiple of this, so that a page that is loaded again finds its pictures in the browser's
cache. They live that much longer than promised."""


class S3Images:
    """`query_api.ports.ImageStore` on S3 or MinIO.

    Only the platform's own bucket is ever signed: an event's image URL comes from outside and may name anything.

    Args:
        endpoints: server, credentials and bucket.
        valid_s: how long a link works at least.
        public_endpoint: the server as browsers reach it, where that differs.
        timeout_s: longest wait for the server when it is pinged.
    """

    def __init__(self, endpoints: Endpoints, *, valid_s: int, public_endpoint: str | None, timeout_s: float) -> None:
        self._bucket = endpoints.s3_bucket
        self._valid_s = valid_s
        http = urllib3.PoolManager(timeout=urllib3.Timeout(total=timeout_s), retries=False)
        self._client = _client(endpoints, endpoints.s3_endpoint, http)
        self._signer = _client(endpoints, public_endpoint or endpoints.s3_endpoint, http)

    async def open(self) -> None:
        """Nothing to do: links need no connection."""

    async def close(self) -> None:
        """Nothing to do."""

    async def ping(self) -> None:
        """See `query_api.ports.Dependency.ping`."""
        try:
            found = await asyncio.to_thread(self._client.bucket_exists, self._bucket)
        except (MinioException, urllib3.exceptions.HTTPError, ValueError) as error:
            raise Unavailable(f"the image store does not answer as it should ({type(error).__name__})") from error
        if not found:
            raise Unavailable(f"the image store has no bucket {self._bucket}")

    def link(self, url: str | None) -> ImageLink | None:
        """See `query_api.ports.ImageStore.link`."""
        if not url:
            return None
        scheme, _, rest = url.partition("://")
        if scheme in ("http", "https"):
            return ImageLink(url, None)
        bucket, _, key = rest.partition("/")
        if scheme != "s3" or bucket != self._bucket or not key:
            return None
        signed_at = to_datetime(now_us()).replace(microsecond=0)
        signed_at -= timedelta(seconds=signed_at.timestamp() % STEP_S)
        lifetime = timedelta(seconds=min(self._valid_s + STEP_S, 7 * 86_400))
        try:
            link = self._signer.presigned_get_object(self._bucket, key, expires=lifetime, request_date=signed_at)
        except ValueError:  # a key that S3 does not allow, such as ".."
            return None
        return ImageLink(link, signed_at + lifetime)


def _client(endpoints: Endpoints, endpoint: str, http: urllib3.PoolManager) -> Minio:
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ConfigError(f"{endpoint} is no S3 endpoint; it looks like http://host:port")
    return Minio(
        endpoint=parts.netloc,
        access_key=endpoints.s3_access_key,
        secret_key=endpoints.s3_secret_key.get_secret_value(),
        secure=parts.scheme == "https",
        region=endpoints.s3_region,  # known, so that signing asks nobody
        http_client=http,
    )
