"""Made-up traffic for benchmarks: vehicles that pass cameras, each read early and once more at the end of its track.

One vehicle in ten is tracked twice (a second track, some seconds later, is the same pass), one read in eight takes a
character for one that OCR confuses with it, and one plate in fifty cannot be read. Seeded: the same arguments give the
same traffic.
"""

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from schemas.confusion import CONFUSABLE_CLASSES
from schemas.events import Camera, CharacterAlternative, Detection, Images, Location, Node, Plate, Vehicle
from schemas.keys import detection_id

LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"
SECOND_US = 1_000_000
START_US = 1_764_000_000_000_000
LIKE = {char: group.replace(char, "") for group in CONFUSABLE_CLASSES for char in group}
COLORS = ("white", "black", "silver", "blue", "red")
MAKES = (("volkswagen", "golf"), ("toyota", "corolla"), ("ford", "focus"), ("renault", "clio"))


@dataclass(frozen=True, slots=True)
class Scene:
    """How much traffic.

    Attributes:
        cameras: how many cameras see vehicles.
        detections: how many messages there are in all (about).
        every_s: time between two vehicles at a camera, on average.
        alternatives: readings that each character has.
        start_us: event time of the first vehicle.
    """

    cameras: int
    detections: int = 10_000
    every_s: float = 1.5
    alternatives: Literal[1, 2, 3] = 3
    start_us: int = START_US

    @property
    def span_us(self) -> int:
        """Event time that the detections take, about: a vehicle is 2.2 of them."""
        return int(self.detections / 2.2 / self.cameras * self.every_s * SECOND_US)


def traffic(scene: Scene, seed: int = 7) -> list[Detection]:
    """The detections of a scene in the order in which they are published."""
    return list(stream(scene, seed))


def stream(scene: Scene, seed: int = 7) -> Iterator[Detection]:
    """The same one by one: millions of them need no room."""
    dice = random.Random(seed)
    waiting: list[tuple[int, int, Detection]] = []  # by time of publication, then as they were made
    made = vehicle = 0
    while made < scene.detections:
        camera = vehicle % scene.cameras
        turn = vehicle // scene.cameras
        begin = scene.start_us + int(turn * scene.every_s * SECOND_US)
        while waiting and waiting[0][0] < begin:  # all that is still to be made is published later
            yield heapq.heappop(waiting)[2]
        at = scene.start_us + int((turn + dice.random()) * scene.every_s * SECOND_US)
        plate = _plate_text(dice)
        for track in range(2 if dice.random() < 0.1 else 1):
            name = f"{vehicle}-{track}"
            for moment, detection in _track(dice, scene, f"cam-{camera:04}", name, at + track * 6 * SECOND_US, plate):
                heapq.heappush(waiting, (moment, made, detection))
                made += 1
        vehicle += 1
    while waiting:
        yield heapq.heappop(waiting)[2]


def registered(scene: Scene) -> list[Camera]:
    """The cameras of a scene as the camera registry has them."""
    names = [f"cam-{number:04}" for number in range(scene.cameras)]
    return [
        Camera(camera_id=name, site_id=f"site-{name[-2:]}", name=name, zone="gate", direction="in", country="de")
        for name in names
    ]


def _track(
    dice: random.Random, scene: Scene, camera_id: str, track_id: str, at: int, text: str
) -> list[tuple[int, Detection]]:
    event_id = detection_id(camera_id, scene.start_us, track_id)
    folder = f"s3://alpr-plate-images/{camera_id}/2025/11/24/{event_id}"
    make, model = dice.choice(MAKES)
    early = Detection(
        event_id=event_id,
        captured_at=at,
        camera_id=camera_id,
        site_id=f"site-{camera_id[-2:]}",
        track_id=track_id,
        plate=_read(dice, scene, text),
        vehicle=Vehicle("car", make, model, dice.choice(COLORS), dice.uniform(0.5, 1)),
        images=Images(f"{folder}/plate.jpg", f"{folder}/vehicle.jpg", f"{folder}/frame.jpg"),
        location=Location(52.5 + int(camera_id[-4:]) / 1000, 13.4),
        direction="in",
        first_seen_at=at - 300_000,
        last_seen_at=at + 400_000,
        reads=dice.randrange(2, 6),
        latency_ms=dice.uniform(50, 900),
        node=Node(
            f"edge-{camera_id[-3:]}",
            f"edge-{camera_id[-3:]}.example.org",
            {"detector": "yolov8n-640", "reader": "pp-ocrv6-small"},
        ),
        is_final=False,
    )
    lasts = dice.randrange(SECOND_US, 4 * SECOND_US)
    final = replace(
        early, plate=_read(dice, scene, text), last_seen_at=at + lasts, reads=early.reads + 8, is_final=True
    )
    return [(at + 700_000, early), (at + lasts + 100_000, final)]


def _plate_text(dice: random.Random) -> str:
    if dice.random() < 0.02:
        return "---"
    return "".join(dice.choice(LETTERS) for _ in range(3)) + f"{dice.randrange(10_000):04}"


def _read(dice: random.Random, scene: Scene, text: str) -> Plate:
    if text == "---":
        return Plate(text, "", 0.3)
    if dice.random() < 0.125:
        place = dice.randrange(len(text))
        text = text[:place] + (LIKE.get(text[place]) or text[place])[0] + text[place + 1 :]
    characters = tuple(_alternatives(dice, char, scene.alternatives) for char in text)
    return Plate(f"{text[:3]} {text[3:]}", text, dice.uniform(0.7, 1), "de", characters)


def _alternatives(dice: random.Random, char: str, count: int) -> tuple[CharacterAlternative, ...]:
    sure = dice.uniform(0.7, 1.0)
    others = dice.sample(LETTERS, count - 1)
    return (
        CharacterAlternative(char, sure),
        *[CharacterAlternative(other, (1 - sure) / count) for other in others if other != char],
    )
