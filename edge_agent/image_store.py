"""Images to S3 in the background: events carry the addresses at once and never wait for the pictures."""

import io
import queue
import threading
import time
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import MinioException, S3Error

from edge_agent.outgoing import Picture
from schemas.endpoints import Endpoints
from telemetry.log import get_logger
from telemetry.metrics import EDGE_IMAGES

CONNECT_TIMEOUT_S = 3.0
READ_TIMEOUT_S = 10.0
ATTEMPTS = 6
FIRST_PAUSE_S = 0.5
POLL_S = 0.2
_OWNED = frozenset({"BucketAlreadyOwnedByYou", "BucketAlreadyExists"})
_TRANSIENT = frozenset({"SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout"})

_log = get_logger(__name__)


def s3_client(endpoints: Endpoints) -> Minio:
    """A client that gives up on a dead server within seconds."""
    address = urlsplit(endpoints.s3_endpoint)
    pool = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S),
        retries=False,
        maxsize=4,
        cert_reqs="CERT_REQUIRED",
    )
    return Minio(
        address.netloc or address.path,
        access_key=endpoints.s3_access_key,
        secret_key=endpoints.s3_secret_key.get_secret_value(),
        secure=address.scheme == "https",
        region=endpoints.s3_region,
        http_client=pool,
    )


class ImageStore:
    """Uploads pictures with one thread and a bounded queue; what does not fit is dropped and counted.

    Args:
        client: S3.
        bucket: Made where it is missing.
        queue_size: Pictures that may wait.
    """

    def __init__(self, client: Minio, bucket: str, *, queue_size: int) -> None:
        self._client = client
        self._bucket = bucket
        self._queue: queue.Queue[Picture] = queue.Queue(queue_size)
        self._stopping = threading.Event()
        self._has_bucket = False
        self._is_full = False
        self._thread = threading.Thread(target=self._run, name="images", daemon=True)

    def start(self) -> None:
        """Starts uploading."""
        self._thread.start()

    def put(self, picture: Picture) -> None:
        """Queues a picture; returns at once."""
        try:
            self._queue.put_nowait(picture)
            self._is_full = False
        except queue.Full:
            EDGE_IMAGES.labels(outcome="dropped").inc()
            if not self._is_full:
                self._is_full = True
                _log.error("pictures are dropped: S3 does not take them as fast as they come", bucket=self._bucket)

    def close(self, timeout_s: float) -> int:
        """Uploads for a while what is left.

        Returns:
            Pictures that were not uploaded.
        """
        deadline_s = time.monotonic() + timeout_s
        while self._queue.unfinished_tasks and time.monotonic() < deadline_s:
            time.sleep(POLL_S / 4)
        left = self._queue.unfinished_tasks
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(POLL_S * 2)
        if left:
            EDGE_IMAGES.labels(outcome="failed").inc(left)
            _log.error("pictures were not uploaded", pictures=left)
        return left

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                picture = self._queue.get(timeout=POLL_S)
            except queue.Empty:
                continue
            outcome = "uploaded" if self._upload(picture) else "failed"
            EDGE_IMAGES.labels(outcome=outcome).inc()
            self._queue.task_done()

    def _upload(self, picture: Picture) -> bool:
        content = picture.encode()
        pause_s = FIRST_PAUSE_S
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._make_bucket()
                self._client.put_object(
                    self._bucket,
                    picture.key,
                    io.BytesIO(content),
                    len(content),
                    content_type="image/jpeg",
                    metadata=dict(picture.metadata),
                )
                return True
            except (urllib3.exceptions.HTTPError, MinioException) as error:
                self._has_bucket = False
                is_final = isinstance(error, S3Error) and error.code not in _TRANSIENT
                if is_final or attempt == ATTEMPTS:
                    _log.error("picture is lost", key=picture.key, attempts=attempt, reason=str(error))
                    return False
                if attempt == 1:
                    _log.warning("S3 does not take a picture; trying again", key=picture.key, reason=str(error))
            if self._stopping.wait(pause_s):
                return False
            pause_s = min(10.0, pause_s * 2)
        return False

    def _make_bucket(self) -> None:
        if self._has_bucket:
            return
        if not self._client.bucket_exists(self._bucket):
            try:
                self._client.make_bucket(self._bucket)
            except S3Error as error:
                if error.code not in _OWNED:
                    raise
        self._has_bucket = True
