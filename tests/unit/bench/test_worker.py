"""Traffic and figures of the worker's benchmark."""

from dataclasses import replace

import pytest

from bench.traffic import Scene, registered, stream, traffic
from bench.worker import MB, Sample, slope


def test_traffic_comes_in_order_of_its_publication() -> None:
    """Early messages come 0.7 s after the capture, final ones a tenth of a second after the last sight, in order."""
    scene = Scene(7, 500)
    moments = [item.last_seen_at + 100_000 if item.is_final else item.captured_at + 700_000 for item in stream(scene)]
    assert len(moments) >= scene.detections
    assert moments == sorted(moments)


def test_scene_moves_in_time_as_a_whole() -> None:
    """A later scene is the same traffic later, within its span."""
    scene = Scene(7, 500)
    moved = replace(scene, start_us=scene.start_us + 1_000_000)
    first, later = traffic(scene), traffic(moved)
    assert [item.captured_at + 1_000_000 for item in first] == [item.captured_at for item in later]
    assert [item.plate for item in first] == [item.plate for item in later]
    assert max(item.captured_at for item in first) - scene.start_us == pytest.approx(scene.span_us, rel=0.5)


def test_every_camera_of_the_traffic_is_registered() -> None:
    """The registry knows each camera, under the site that its detections name."""
    scene = Scene(7, 500)
    sites = {camera.camera_id: camera.site_id for camera in registered(scene)}
    assert {(item.camera_id, item.site_id) for item in stream(scene)} == set(sites.items())


def test_slope_is_of_the_work_after_the_warm_up() -> None:
    """Growth of two megabytes per 100 thousand is found, whatever filled up in the first quarter."""
    samples = [
        Sample(done, 0.0, int(MB * (300 * min(done / 20, 1) + 2 * done / 10)), {"a": done, "b": done})
        for done in range(101)
    ]
    assert slope(samples, records=1_000_000) == pytest.approx(2.0, abs=0.01)


def test_slope_of_too_few_samples_is_unknown() -> None:
    """A short run says nothing about growth."""
    samples = [Sample(done, 0.0, MB, {"a": done}) for done in range(1, 9)]
    assert slope(samples, records=1000) is None
