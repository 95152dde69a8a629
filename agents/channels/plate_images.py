"""The plate crop for a message: fetched from the object store when it is there in time, left out when it is not."""

import asyncio
from time import monotonic
from typing import Protocol
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import MinioException

from schemas.endpoints import Endpoints
from telemetry.log import get_logger

PAUSE_S = 0.1
AWAY_S = 5.0  # a store that does not answer is left alone for that long
_MAGIC = {b"\xff\xd8\xff": "jpeg", b"\x89PNG\r\n\x1a\n": "png"}
log = get_logger(__name__)


class PlateImages(Protocol):
    """Where channels get images from."""

    async def fetch(self, url: str | None) -> tuple[bytes, str] | None:
        """Bytes and subtype (``jpeg``, ``png``) of an image; None when there is none (yet), or it is no image."""


class StoredImages:
    """Images of the platform's bucket. Other URLs are not fetched: a detection may name any address.

    Args:
        endpoints: of the object store.
        wait_s: an image that is still on its way is waited for that long.
        max_bytes: larger ones are left out.
    """

    def __init__(self, endpoints: Endpoints, wait_s: float, max_bytes: int) -> None:
        self._bucket = endpoints.s3_bucket
        self._wait_s = wait_s
        self._max_bytes = max_bytes
        self._away_until_s = 0.0
        address = urlsplit(endpoints.s3_endpoint)
        self._client = Minio(
            endpoint=address.netloc,
            access_key=endpoints.s3_access_key,
            secret_key=endpoints.s3_secret_key.get_secret_value(),
            secure=address.scheme == "https",
            region=endpoints.s3_region,
            http_client=urllib3.PoolManager(timeout=urllib3.Timeout(connect=1.0, read=2.0), retries=False, maxsize=8),
        )

    async def fetch(self, url: str | None) -> tuple[bytes, str] | None:
        """See `PlateImages.fetch`. Never takes much longer than the waiting time, and never raises."""
        key = self._key(url or "")
        if key is None or monotonic() < self._away_until_s:
            return None
        deadline = monotonic() + self._wait_s
        try:
            # the thread may outlive the waiting by its own time-outs; the mail does not wait for it
            async with asyncio.timeout(self._wait_s + PAUSE_S):
                while True:
                    image = await asyncio.to_thread(self._get, key)
                    if image is not None:
                        return self._checked(image)
                    if monotonic() + PAUSE_S > deadline:
                        return None
                    await asyncio.sleep(PAUSE_S)
        except (TimeoutError, urllib3.exceptions.HTTPError, OSError) as error:
            self._away_until_s = monotonic() + AWAY_S
            log.warning("mails go without pictures", reason=type(error).__name__, for_s=AWAY_S)
            return None

    def _key(self, url: str) -> str | None:
        """Key of an object of our bucket; None for any other address."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return None
        ours = parts.scheme == "s3" and parts.netloc == self._bucket
        return parts.path.lstrip("/") or None if ours else None

    def _get(self, key: str) -> bytes | None:
        """The object; None when the store has none under the key (yet), or refuses it."""
        try:
            response = self._client.get_object(bucket_name=self._bucket, object_name=key)
        except (MinioException, ValueError) as error:
            log.debug("no plate image", reason=type(error).__name__)
            return None
        try:
            data: bytes = response.read(self._max_bytes + 1)
            return data
        finally:
            response.close()
            response.release_conn()

    def _checked(self, image: bytes) -> tuple[bytes, str] | None:
        if len(image) > self._max_bytes:
            return None
        return next(((image, kind) for magic, kind in _MAGIC.items() if image.startswith(magic)), None)
