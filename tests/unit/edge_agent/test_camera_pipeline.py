"""Frames to detections with models that are told what to see."""

from collections.abc import Iterable, Sequence

from edge_agent.camera_pipeline import CameraPipeline, Models
from edge_agent.cameras import one_camera
from edge_agent.detection_event import EventMaker
from edge_agent.geometry import Box, Image
from edge_agent.image_files import decode_image
from edge_agent.outgoing import Outgoing, this_node
from edge_agent.plate_reading import PlateReading
from edge_agent.ports import PlateBox, Read, VehicleBox
from tests.unit.edge_agent.builders import frame, noise_image, read

SCENE = noise_image(360, 640)
OTHER_SCENE = noise_image(360, 640, seed=9)


class Script:
    """Detector, reader and vehicle detector in one: frame by frame, what is to be seen."""

    name = "script"

    def __init__(self) -> None:
        self.plates: list[tuple[Box, str]] = []
        self.cars: list[Box] = []
        self._turn = 0

    def detect(self, image: Image) -> list[PlateBox]:
        """The plates that were set."""
        self._turn = 0
        return [PlateBox(box, 0.8) for box, _ in self.plates]

    def read(self, crops: Sequence[Image]) -> list[Read | None]:
        """Texts by the width of the crop, which the tests make unique."""
        by_width = {round(box.width): text for box, text in self.plates}
        best = min(by_width, key=lambda w: abs(w - crops[0].shape[1]))
        return [read(by_width[best], 0.96) if by_width[best] else None for _ in crops]

    def vehicles(self, image: Image) -> list[VehicleBox]:
        """The cars that were set."""
        return [VehicleBox(box, 0.7, "car") for box in self.cars]


def _pipeline(script: Script, *, vehicles: bool = False) -> CameraPipeline:
    camera = one_camera(camera_id="gate", source="x", site_id="north", direction="in")
    models = Models(PlateReading(script, script), script if vehicles else None)
    events = EventMaker(camera, 1_000, this_node("agent", models.names()), "bucket")
    return CameraPipeline(models, events, early_after_us=700_000)


def _feed(
    pipeline: CameraPipeline, script: Script, frames: Iterable[list[tuple[Box, str]]], start: int = 0
) -> list[Outgoing]:
    out: list[Outgoing] = []
    for number, plates in enumerate(frames, start):
        script.plates = plates
        out += pipeline.frame(frame(number / 10, SCENE))
    return out


def _box(x: float, y: float, width: float = 100) -> Box:
    return Box(x, y, x + width, y + width / 4)


def _said(outgoing: Iterable[Outgoing]) -> list[tuple[str | None, bool]]:
    return [(o.detection.plate.text if o.detection.plate else None, o.detection.is_final) for o in outgoing]


def test_a_passing_plate_is_said_twice_under_one_id() -> None:
    """Early and final are the same event with the same time; the addresses are the same, too."""
    script = Script()
    pipeline = _pipeline(script)
    out = _feed(pipeline, script, [[(_box(50 + 20 * i, 100), "AB12CD")] for i in range(12)])
    out += pipeline.end()
    assert _said(out) == [("AB12CD", False), ("AB12CD", True)]
    early, final = (o.detection for o in out)
    assert early.event_id == final.event_id
    assert early.captured_at == final.captured_at
    assert early.images == final.images
    assert final.images.plate_url == f"s3://bucket/{out[1].pictures[0].key}"
    assert (final.camera_id, final.site_id, final.direction) == ("gate", "north", "in")
    assert final.last_seen_at == 1_100_000


def test_a_cut_ends_the_track_and_a_plate_at_the_same_spot_is_another_event() -> None:
    """What stands where something stood before the cut is not the same vehicle."""
    script = Script()
    pipeline = _pipeline(script)
    script.plates = [(_box(100, 100), "AB12CD")]
    out = [o for n in range(5) for o in pipeline.frame(frame(n / 10, SCENE))]
    script.plates = [(_box(100, 100, 101), "XY98ZW")]
    out += [o for n in range(5, 10) for o in pipeline.frame(frame(n / 10, OTHER_SCENE))]
    out += pipeline.end()
    assert _said(out) == [("AB12CD", False), ("AB12CD", True), ("XY98ZW", False), ("XY98ZW", True)]
    assert len({o.detection.event_id for o in out}) == 2


def test_the_same_plate_twice_in_one_picture_is_two_events() -> None:
    """A duplicated plate one behind the other: both are seen, neither is merged."""
    script = Script()
    pipeline = _pipeline(script)
    frames = [[(_box(100 + 5 * i, 100), "AB12CD"), (_box(104 + 5 * i, 160), "AB12CD")] for i in range(8)]
    out = _feed(pipeline, script, frames)
    out += pipeline.end()
    assert len({o.detection.event_id for o in out}) == 2
    assert len(out) == 4


def test_bumper_to_bumper_the_next_plate_is_a_new_event() -> None:
    """A box that goes on with another text is another vehicle."""
    script = Script()
    pipeline = _pipeline(script)
    out = _feed(pipeline, script, [[(_box(100, 100, 100), "AB12CD")]] * 6)
    out += _feed(pipeline, script, [[(_box(102, 101, 104), "XY98ZW")]] * 12, start=6)
    out += pipeline.end()
    assert [said for said in _said(out) if said[1]] == [("AB12CD", True), ("XY98ZW", True)]


def test_photographs_are_final_and_apart() -> None:
    """Two photographs of one plate are two events, each said once."""
    script = Script()
    pipeline = _pipeline(script)
    script.plates = [(_box(100, 100), "AB12CD")]
    out = [o for n in range(2) for o in pipeline.frame(frame(n, SCENE, is_photograph=True))]
    assert _said(out) == [("AB12CD", True), ("AB12CD", True)]
    assert len({o.detection.event_id for o in out}) == 2


def test_a_plate_carries_its_vehicle() -> None:
    """The smallest vehicle that covers the plate is the plate's, and its picture goes along."""
    script = Script()
    pipeline = _pipeline(script, vehicles=True)
    script.cars = [Box(60, 20, 260, 180), Box(0, 0, 600, 340)]
    out = _feed(pipeline, script, [[(_box(100, 100), "AB12CD")]] * 8)
    out += pipeline.end()
    final = out[-1]
    assert _said(out)[-1][1]
    plate_events = [o for o in out if o.detection.plate]
    assert plate_events[-1].detection.vehicle is not None
    assert plate_events[-1].detection.vehicle.type == "car"
    assert {p.key.rpartition("/")[2] for p in plate_events[-1].pictures} == {"plate.jpg", "vehicle.jpg"}
    assert final.detection.node is not None
    assert final.detection.node.models["vehicles"] == "script"


def test_a_vehicle_without_a_readable_plate_is_an_event_of_its_own() -> None:
    """Once, at its end, with no plate; a vehicle whose plate was read gives none."""
    script = Script()
    pipeline = _pipeline(script, vehicles=True)
    out: list[Outgoing] = []
    for number in range(10):
        script.cars = [Box(60 + 4 * number, 40, 260 + 4 * number, 180)]
        out += pipeline.frame(frame(number / 10, SCENE))
    out += pipeline.end()
    assert _said(out) == [(None, True)]
    assert out[0].detection.vehicle is not None
    assert out[0].detection.reads == 0


def test_a_plate_at_the_edge_is_not_read() -> None:
    """Half a plate would read as another plate."""
    script = Script()
    pipeline = _pipeline(script)
    out = _feed(pipeline, script, [[(Box(0, 100, 60, 118), "12CD")]] * 10)
    assert [*out, *pipeline.end()] == []


def test_pictures_are_jpegs_of_the_plate_and_the_scene() -> None:
    """What is uploaded can be decoded, and the plate's picture is the smaller one."""
    script = Script()
    pipeline = _pipeline(script)
    out = _feed(pipeline, script, [[(_box(100, 100), "AB12CD")]] * 4)
    sizes = {p.key.rpartition("/")[2]: decode_image(p.encode()).shape for p in out[0].pictures}
    assert sizes["frame.jpg"][:2] == (360, 640)
    assert sizes["plate.jpg"][1] < 200
