"""A rendered clip, real models, real Kafka, registry and S3: what passes the camera arrives."""

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from minio.error import S3Error

from edge_agent.agent import Agent
from edge_agent.camera_pipeline import Models
from edge_agent.cameras import one_camera
from edge_agent.image_files import decode_image
from edge_agent.image_store import s3_client
from edge_agent.rendering import render_clip
from edge_agent.settings import EdgeSettings
from schemas.endpoints import Endpoints
from schemas.events import Detection, Metric

PLATES = ["KJ57XHP", "6TRW904"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cars, one after the other, in different lanes and colours."""
    path = tmp_path_factory.mktemp("clip") / "approach.mp4"
    render_clip(path, PLATES, seconds_per_car=2.5, fps=10, seed=4)
    return path


def _fetch(endpoints: Endpoints, url: str) -> tuple[bytes, dict[str, str]]:
    bucket, key = url.removeprefix("s3://").split("/", 1)
    client = s3_client(endpoints)
    response = client.get_object(bucket, key)
    try:
        content = response.read()
    finally:
        response.close()
        response.release_conn()
    stat = client.stat_object(bucket, key)
    assert stat.metadata is not None
    return content, {name.lower().removeprefix("x-amz-meta-"): value for name, value in stat.metadata.items()}


def test_a_clip_becomes_events_with_pictures(
    clip: Path,
    models: Models,
    endpoints: Endpoints,
    settings: EdgeSettings,
    camera_id: str,
    detections: Callable[[int], Any],
    metrics: Callable[[], list[Metric]],
) -> None:
    """Both plates are read exactly, each said early and final under one id, with images and their metadata in S3."""
    camera = one_camera(camera_id=camera_id, source=str(clip), site_id="north", direction="in")
    outcome = Agent([camera], settings, endpoints, models).run()
    assert (outcome.failed, outcome.spooled, outcome.pictures_left) == (0, 0, 0)
    assert outcome.frames == 50

    received = detections(outcome.detections)
    assert len(received) == outcome.detections
    by_event: defaultdict[str, list[Detection]] = defaultdict(list)
    for key, event in received:
        assert key == camera_id.encode()
        by_event[event.event_id].append(event)
    finals = [events[-1] for events in by_event.values()]
    assert [f.plate.text for f in finals if f.plate] == PLATES
    for events in by_event.values():
        assert len(events) <= 2
        assert [e.is_final for e in events][-1:] == [True]
        assert len({(e.captured_at, e.track_id, e.images) for e in events}) == 1

    final = finals[0]
    assert final.plate is not None
    assert final.images.plate_url is not None
    assert len(final.plate.characters) == len(final.plate.text)
    assert final.latency_ms is not None
    assert final.node is not None
    assert set(final.node.models) == {"detector", "reader"}
    assert final.first_seen_at <= final.captured_at <= final.last_seen_at
    content, metadata = _fetch(endpoints, final.images.plate_url)
    plate = decode_image(content)
    assert plate.shape[1] > plate.shape[0]
    assert {k: metadata[k] for k in ("camera_id", "track_id", "plate_text")} == {
        "camera_id": camera_id,
        "track_id": final.track_id,
        "plate_text": PLATES[0],
    }
    assert {m.name for m in metrics()} >= {"fps", "dropped_frames", "detections", "service_health", "latency_ms"}


def test_the_same_file_with_a_start_time_gives_the_same_ids(
    clip: Path,
    models: Models,
    endpoints: Endpoints,
    settings: EdgeSettings,
    camera_id: str,
    detections: Callable[[int], Any],
) -> None:
    """Playing a clip twice is the same events twice: consumers know them again."""
    camera = one_camera(camera_id=camera_id, source=str(clip), start_time="2026-01-31T08:00:00Z")
    first = Agent([camera], settings, endpoints, models).run()
    second = Agent([camera], settings, endpoints, models).run()
    assert first.detections == second.detections
    ids = [event.event_id for _, event in detections(2 * first.detections)]
    assert ids[: first.detections] == ids[first.detections :]


def test_events_do_not_wait_for_pictures(
    clip: Path,
    models: Models,
    endpoints: Endpoints,
    settings: EdgeSettings,
    camera_id: str,
    detections: Callable[[int], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With an S3 address at which nobody answers, every event arrives all the same, with its addresses."""
    monkeypatch.setattr("edge_agent.agent.LAST_PICTURES_S", 0.5)
    nowhere = endpoints.model_copy(update={"s3_endpoint": "http://127.0.0.1:9"})
    outcome = Agent([one_camera(camera_id=camera_id, source=str(clip))], settings, nowhere, models).run()
    assert outcome.pictures_left > 0
    received = detections(outcome.detections)
    assert len(received) == outcome.detections > 0
    url = received[0][1].images.plate_url
    assert url.startswith(f"s3://{endpoints.s3_bucket}/{camera_id}/")
    with pytest.raises(S3Error, match="NoSuchKey"):
        _fetch(endpoints, url)


def test_without_a_registry_events_arrive_as_json(
    clip: Path,
    models: Models,
    endpoints: Endpoints,
    settings: EdgeSettings,
    camera_id: str,
    detections: Callable[[int], Any],
) -> None:
    """A registry that is away at the start stops nothing: the raw topic takes JSON."""
    nowhere = endpoints.model_copy(update={"registry_url": "http://127.0.0.1:9/apis/ccompat/v7"})
    outcome = Agent([one_camera(camera_id=camera_id, source=str(clip))], settings, nowhere, models).run()
    assert outcome.spooled == 0
    received = detections(outcome.detections)
    assert [event.plate.text for _, event in received if event.is_final] == PLATES


def test_a_dead_camera_takes_no_other_down(
    clip: Path,
    models: Models,
    endpoints: Endpoints,
    settings: EdgeSettings,
    camera_id: str,
    detections: Callable[[int], Any],
) -> None:
    """One of two cameras names a file that is not there: the other one's plates arrive, and the failure is counted."""
    cameras = [
        one_camera(camera_id=f"{camera_id}-dead", source="/no/such/clip.mp4"),
        one_camera(camera_id=camera_id, source=str(clip)),
    ]
    outcome = Agent(cameras, settings, endpoints, models).run()
    assert outcome.failed == 1
    assert [event.plate.text for _, event in detections(outcome.detections) if event.is_final] == PLATES
