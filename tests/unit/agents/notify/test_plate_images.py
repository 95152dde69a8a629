"""Pictures for mails: taken when they are there in time, never waited for longer."""

import asyncio
from collections.abc import AsyncIterator
from time import monotonic

import pytest

from agents.channels.plate_images import StoredImages
from schemas.endpoints import Endpoints
from tests.unit.agents.notify.receivers import HttpReceiver

pytestmark = pytest.mark.thorough

PNG = b"\x89PNG\r\n\x1a\npixels"
URL = "s3://alpr-plate-images/gate/1/plate.png"
NO_KEY = (404, {"Content-Type": "application/xml"}, b"<Error><Code>NoSuchKey</Code></Error>")


@pytest.fixture
async def store() -> AsyncIterator[HttpReceiver]:
    """An object store that has nothing."""
    server = HttpReceiver(answer=NO_KEY)
    await server.start()
    yield server
    await server.stop()


def _images(store: HttpReceiver, wait_s: float = 0.3, max_bytes: int = 1000) -> StoredImages:
    return StoredImages(Endpoints(s3_endpoint=store.url), wait_s, max_bytes)


async def test_image_that_is_there(store: HttpReceiver) -> None:
    """An image comes with its type, by its own key."""
    store.answer = (200, {}, PNG)
    assert await _images(store).fetch(URL) == (PNG, "png")
    assert store.requests[0].path == "/alpr-plate-images/gate/1/plate.png"


async def test_image_that_comes_in_time(store: HttpReceiver) -> None:
    """An upload that ends within the waiting time is in the mail."""
    answers = iter([NO_KEY, (200, {}, PNG)])
    store.answer = lambda _: next(answers)
    assert await _images(store).fetch(URL) == (PNG, "png")


async def test_image_that_does_not_come(store: HttpReceiver) -> None:
    """After the waiting time the mail goes without it; the next one asks again."""
    images = _images(store, wait_s=0.15)
    assert await images.fetch(URL) is None
    before = len(store.requests)
    assert await images.fetch(URL) is None
    assert len(store.requests) > before


@pytest.mark.parametrize("answer", [PNG + b"x" * 1000, b"<html>not an image</html>", b""])
async def test_what_is_no_plate_image(store: HttpReceiver, answer: bytes) -> None:
    """Too large, or no JPEG or PNG: left out."""
    store.answer = (200, {}, answer)
    assert await _images(store).fetch(URL) is None


@pytest.mark.parametrize(
    "url",
    [None, "", "http://h/x.png", "s3://other-bucket/x", "s3://alpr-plate-images/", "file:///etc/passwd", "s3://["],
)
async def test_other_addresses_are_not_called(store: HttpReceiver, url: str | None) -> None:
    """Only objects of the platform's bucket are fetched."""
    assert await _images(store).fetch(url) is None
    assert store.requests == []


async def test_store_that_is_silent(store: HttpReceiver) -> None:
    """A store that does not answer costs the waiting time once, then nothing until it is looked at again."""
    store.hang = True
    images = _images(store, wait_s=0.1)
    assert await asyncio.wait_for(images.fetch(URL), 1) is None
    started_s = monotonic()
    assert await images.fetch(URL) is None
    assert monotonic() - started_s < 0.05
    assert len(store.requests) == 1


async def test_store_that_is_not_there(store: HttpReceiver) -> None:
    """A refused connection is no error of the mail."""
    await store.stop()
    assert await asyncio.wait_for(_images(store).fetch(URL), 2) is None
