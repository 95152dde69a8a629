"""An S3 bucket for asynchronous code: the minio client in threads, its errors as ours.

Retries are left to the caller, who holds an offset; time-outs are short and every call has one.
"""

import asyncio
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.commonconfig import Tags
from minio.error import MinioException, S3Error

from agents.sinks.retry_after import seconds
from agents.sinks.settings import ImagesSettings
from schemas.endpoints import Endpoints
from schemas.errors import AlprError, ConfigError, SinkRejected, SinkUnavailable

Result = TypeVar("Result")
META = "x-amz-meta-"
_MISSING = frozenset({"NoSuchKey", "NoSuchVersion", "NotFound"})
_REFUSALS = frozenset(
    {
        "KeyTooLongError",
        "EntityTooLarge",
        "MetadataTooLarge",
        "InvalidTag",
        "InvalidURI",
        "InvalidArgument",
        "InvalidObjectName",
        "XMinioInvalidObjectName",
    }
)


class ObjectStore:
    """One bucket.

    Args:
        endpoints: where, and as whom.
        settings: time-out and threads.

    Raises:
        ConfigError: the endpoint is no URL.
    """

    def __init__(self, endpoints: Endpoints, settings: ImagesSettings) -> None:
        self.bucket = endpoints.s3_bucket
        url = urlsplit(endpoints.s3_endpoint)
        if url.scheme not in ("http", "https") or not url.netloc:
            raise ConfigError(f"ALPR_S3_ENDPOINT must be http://host:port or https://host, not {endpoints.s3_endpoint}")
        self._http = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=min(5.0, settings.timeout_s), read=settings.timeout_s),
            maxsize=settings.threads,
            retries=urllib3.Retry(total=0),
        )
        self._client = Minio(
            url.netloc,
            access_key=endpoints.s3_access_key,
            secret_key=endpoints.s3_secret_key.get_secret_value(),
            secure=url.scheme == "https",
            region=endpoints.s3_region,
            http_client=self._http,
        )
        self._threads = ThreadPoolExecutor(settings.threads, thread_name_prefix="s3")

    async def make_bucket(self) -> None:
        """Create the bucket where it is not."""

        def make() -> None:
            if not self._client.bucket_exists(self.bucket):
                try:
                    self._client.make_bucket(self.bucket)
                except S3Error as error:
                    if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                        raise

        await self._call(make)

    async def metadata(self, key: str) -> dict[str, str] | None:
        """User metadata of an object, names in lower case and without prefix; None where there is no object."""

        def stat() -> dict[str, str]:
            found = self._client.stat_object(self.bucket, key).metadata or {}
            lower = {name.lower(): value for name, value in found.items()}
            return {name.removeprefix(META): value for name, value in lower.items() if name.startswith(META)}

        return await self._call_or_none(stat)

    async def put(self, key: str, data: bytes, content_type: str, metadata: dict[str, str]) -> None:
        """Write an object whole. Metadata must be ASCII."""
        await self._call(
            lambda: self._client.put_object(
                self.bucket, key, io.BytesIO(data), len(data), content_type, metadata=dict(metadata)
            )
        )

    async def tags(self, key: str) -> dict[str, str] | None:
        """Tags of an object; None where there is no object."""
        return await self._call_or_none(lambda: dict(self._client.get_object_tags(self.bucket, key) or {}))

    async def set_tags(self, key: str, tags: dict[str, str]) -> None:
        """Replace all tags of an object."""

        def put() -> None:
            wanted = Tags.new_object_tags()
            for name, value in tags.items():
                wanted[name] = value  # raises ValueError for what S3 would refuse; `update` would not
            self._client.set_object_tags(self.bucket, key, wanted)

        await self._call(put)

    async def healthy(self) -> bool:
        """Whether the store answers and has the bucket."""
        try:
            return await self._call(lambda: self._client.bucket_exists(self.bucket))
        except AlprError:
            return False

    async def close(self) -> None:
        """Let go of connections; calls under way end by themselves."""
        self._http.clear()

    async def _call_or_none(self, call: Callable[[], Result]) -> Result | None:
        def guarded() -> Result | None:
            try:
                return call()
            except S3Error as error:
                if error.code in _MISSING:
                    return None
                raise

        return await self._call(guarded)

    async def _call(self, call: Callable[[], Result]) -> Result:
        """Run in a thread.

        Raises:
            SinkUnavailable: no answer, or not now.
            SinkRejected: the store refuses this object for good.
        """
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except (MinioException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise translate(error) from error


def translate(error: Exception) -> SinkUnavailable | SinkRejected:
    """The error of our tree that a client error stands for: a refusal only where it is about the object."""
    if isinstance(error, S3Error):
        text = f"S3 {error.code}: {error.message}"
        if error.code in _REFUSALS:
            return SinkRejected(text)
        return SinkUnavailable(text, seconds(error.response.headers.get("retry-after")))
    if isinstance(error, ValueError):  # the client's own checks of names, tags and metadata
        return SinkRejected(f"S3: {error}")
    return SinkUnavailable(f"S3 does not answer: {error}")
