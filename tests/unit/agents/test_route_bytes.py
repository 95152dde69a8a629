"""What the router does not change goes on as the bytes that came; what it changes is encoded anew."""

from dataclasses import replace

import pytest

from agents.decisions.plausibility import RoutingSettings
from agents.decisions.routing import route
from agents.route import Router
from schemas.codec import EventCodec
from schemas.events import Camera, CharacterAlternative, Detection, Plate, Vehicle
from schemas.registry import MemoryRegistry
from schemas.topics import DETECTED, ROUTED, VEHICLES, Topic
from streams.guard import DeadLetterGuard
from tests.unit.agents.detections import T0, detection, plate
from tests.unit.agents.runs import FakeRecord, FakeTable, Keeper, make_run

CODEC = EventCodec(MemoryRegistry())
CAMERAS = {"gate": Camera(camera_id="gate", zone="yard")}
READ = detection("e1", "AB 12", alternatives=["A4", "B8", "1", "2"])


async def routed(item: Detection, cameras: dict[str, Camera]) -> tuple[str, bytes | None]:
    """Topic and value that come out."""
    keeper = Keeper()
    guard = DeadLetterGuard("route", CODEC, now=lambda: T0)
    router = Router(CODEC, cameras, RoutingSettings(), guard, FakeTable().as_run_table())
    await router.handle(make_run([FakeRecord(CODEC.encode(DETECTED, item))], keeper))
    (output,) = keeper.outputs
    return output.topic, output.value


@pytest.mark.parametrize(
    ("item", "topic"), [(READ, ROUTED), (detection("v1", None, vehicle=Vehicle(type="car")), VEHICLES)]
)
async def test_unchanged_detection_keeps_its_bytes(item: Detection, topic: Topic) -> None:
    """The same body, under the header of its new topic."""
    assert await routed(item, {}) == (topic.name, CODEC.encode(topic, item))


async def test_completed_detection_is_encoded_with_what_was_added() -> None:
    """The registry's zone is in the bytes, and the alternatives are as they came."""
    name, value = await routed(READ, CAMERAS)
    assert (name, value) == (ROUTED.name, CODEC.encode(ROUTED, replace(READ, extras={"zone": "yard"})))


async def test_mended_text_is_in_the_bytes() -> None:
    """A producer's own normalised text does not pass as it came."""
    item = replace(READ, plate=replace(plate("AB 12"), normalized_text="WRONG"))
    _, value = await routed(item, {})
    assert CODEC.decode(ROUTED, value).plate.normalized_text == "AB12"


@pytest.mark.parametrize("probability", [1.5, -0.5, float("nan"), 0.75])
def test_impossible_probabilities_are_refused_with_their_place(probability: float) -> None:
    """Checking bytes instead of objects refuses the same, with the same words."""
    position = (CharacterAlternative("A", probability), CharacterAlternative("B", 0.5))
    fine = (CharacterAlternative("A", 0.5),)
    item = replace(READ, plate=Plate("AA", "AA", 0.5, None, (fine, position)))
    record = FakeRecord(CODEC.encode(DETECTED, item))
    with pytest.raises(Exception, match=r"plate\.characters\[1\]") as caught:
        route(record, CODEC, {}, RoutingSettings())
    assert caught.typename == "BusinessRuleError"
