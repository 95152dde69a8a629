"""A live camera over the network that breaks off: the agent comes back to it. No server of the stack is needed."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import pytest

from edge_agent.camera_health import CameraHealth
from edge_agent.camera_pipeline import Models
from edge_agent.camera_runner import CameraRunner
from edge_agent.cameras import one_camera
from edge_agent.outgoing import Outgoing, this_node
from edge_agent.rendering import render_clip
from tests.unit.edge_agent.test_camera_runner import Sink

PLATE = "HN74KTR"
BOUNDARY = b"frame"


class MjpegCamera(ThreadingHTTPServer):
    """Serves a clip as MJPEG over HTTP, once through for each connection, and then hangs up."""

    daemon_threads = True

    def __init__(self, jpegs: list[bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.jpegs = jpegs
        self.connections = 0


class _Handler(BaseHTTPRequestHandler):
    server: MjpegCamera

    def do_GET(self) -> None:  # the base class calls it so
        """Streams at 15 frames a second."""
        self.server.connections += 1
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY.decode()}")
        self.end_headers()
        try:
            for jpeg in self.server.jpegs:
                head = b"--" + BOUNDARY + b"\r\nContent-Type: image/jpeg\r\nContent-Length: "
                self.wfile.write(head + str(len(jpeg)).encode() + b"\r\n\r\n" + jpeg + b"\r\n")
                time.sleep(1 / 15)
        except (BrokenPipeError, ConnectionResetError):
            return

    def log_message(self, format: str, *args: object) -> None:  # the base class names it so
        """Quiet."""


@pytest.fixture
def camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MjpegCamera]:
    """A camera on a free port with one car in its picture."""
    path = tmp_path_factory.mktemp("live") / "clip.mp4"
    render_clip(path, [PLATE], seconds_per_car=4, fps=15, seed=6)
    capture = cv2.VideoCapture(str(path))
    jpegs = []
    while (shot := capture.read())[0]:
        jpegs.append(cv2.imencode(".jpg", shot[1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes())
    server = MjpegCamera(jpegs)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_camera_that_hangs_up_is_opened_again(camera: MjpegCamera, models: Models) -> None:
    """Two connections, the plate read in each, under two ids: a new connection is a new stream."""
    url = f"http://127.0.0.1:{camera.server_address[1]}/live"
    sink, health = Sink(), CameraHealth("live-http", "agent")
    pictures: list[object] = []
    runner = CameraRunner(
        one_camera(camera_id="live-http", source=url),
        models,
        node=this_node("agent", models.names()),
        bucket="b",
        early_after_us=700_000,
        publisher=sink,
        pictures=pictures.append,
        health=health,
    )
    thread = threading.Thread(target=runner.run)
    thread.start()

    def finals() -> list[Outgoing]:
        return [o for o in sink.events if o.detection.is_final]

    deadline_s = time.monotonic() + 90
    while len(finals()) < 2 and time.monotonic() < deadline_s:
        time.sleep(0.1)
    runner.stop()
    thread.join(15)
    assert not thread.is_alive()
    assert camera.connections >= 2
    texts = [o.detection.plate.text for o in finals() if o.detection.plate]
    assert texts[:2] == [PLATE, PLATE]
    assert len({o.detection.event_id for o in finals()}) == len(finals())
    assert all(abs(o.detection.captured_at / 1e6 - time.time()) < 300 for o in sink.events)
    assert pictures
