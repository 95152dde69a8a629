"""Keys and tags from what producers send."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.sinks.archive_keys import check_key, document_key, image_refs, key_of, segment, tag_value
from schemas.errors import SinkRejected
from schemas.events import Images, Resolved
from tests.unit.agents.sinks.sightings import sighting

BUCKET = "alpr-plate-images"


def test_document_stands_beside_the_images() -> None:
    """The folder of the images is the event's own when it bears its id."""
    images = Images(f"s3://{BUCKET}/gate-1/2026/11/24/event-1/plate.jpg")
    assert document_key(replace(sighting(), images=images), BUCKET) == "gate-1/2026/11/24/event-1/sighting.json"


@pytest.mark.parametrize(
    "url",
    [
        None,
        "https://example.org/event-1/plate.jpg",
        "s3://other/gate-1/event-1/plate.jpg",
        f"s3://{BUCKET}/shared/plate.jpg",
        f"s3://{BUCKET}/../event-1/plate.jpg",
        f"s3://{BUCKET}//event-1/plate.jpg",
        f"s3://{BUCKET}/",
    ],
)
def test_foreign_images_do_not_decide_where_the_document_stands(url: str | None) -> None:
    """Without a folder of its own in our bucket, the event gets the usual one."""
    assert document_key(replace(sighting(), images=Images(url)), BUCKET) == "gate-1/2026/11/24/event-1/sighting.json"


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_ids_give_a_safe_key_or_none(camera_id: str, event_id: str) -> None:
    """No id leaves its segment, and different ids never share a key."""
    try:
        key = document_key(replace(sighting(event_id), camera_id=camera_id, images=Images()), BUCKET)
    except (SinkRejected, UnicodeEncodeError):
        return
    parts = key.split("/")
    assert len(parts) == 6
    assert parts[1:4] == ["2026", "11", "24"]
    assert not {"", ".", ".."} & set(parts)


WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)  # surrogates are refused before


@given(WORDS, WORDS)
def test_segments_tell_texts_apart(a: str, b: str) -> None:
    """Two texts never become one segment."""
    assert (segment(a) == segment(b)) == (a == b)


@pytest.mark.parametrize("key", ["", "a//b", "a/../b", "./a", "a/\0", "x" * 1025, "x" * 256 + "/a", "\ud800"])
def test_impossible_keys(key: str) -> None:
    """What S3 servers or the file systems below them would choke on is refused."""
    with pytest.raises(SinkRejected):
        check_key(key)


def test_key_of_our_bucket_only() -> None:
    """Only objects that are ours are touched."""
    assert key_of(f"s3://{BUCKET}/a b/ü.jpg", BUCKET) == "a b/ü.jpg"
    assert key_of(f"s3://{BUCKET}-2/a.jpg", BUCKET) is None
    assert key_of("/etc/passwd", BUCKET) is None


def test_images_are_named_once_with_the_identity() -> None:
    """One object under two names is one image; its plate is the resolved one."""
    url = f"s3://{BUCKET}/a/plate.jpg"
    event = replace(
        sighting(), images=Images(url, url, None), resolved=Resolved(text="ZZ1", confidence=1.0), revision=4
    )
    (ref,) = image_refs(event, BUCKET)
    assert ref.tags == {"event_id": "event-1", "plate": "ZZ1", "revision": "4"}


@pytest.mark.parametrize(
    ("text", "value"), [("AB 1-2", "AB 1-2"), ("京ب😀&<", "京ب"), ("x" * 300, "x" * 256), ("", "")]
)
def test_tag_values_are_what_s3_takes(text: str, value: str) -> None:
    """Characters that S3 refuses are left out, the rest is cut to its limit."""
    assert tag_value(text) == value
