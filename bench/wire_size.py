"""Bytes of a detection on the wire, Avro against compact JSON: ``python -m bench.wire_size``.

Avro is counted with the five bytes of Confluent's framing. The JSON is what this project writes (`schemas.json_form`):
no white space, UTF-8, times in ISO 8601, absent fields as null; and a leaner one without absent fields and defaults,
which is the least that a JSON producer could send. Random content is seeded.
"""

import json
import random
import zlib
from collections.abc import Callable
from dataclasses import replace
from statistics import fmean
from typing import Any
from uuid import UUID

from schemas.codec import EventCodec
from schemas.events import CharacterAlternative, Detection, Images, Location, Node, Plate, Vehicle
from schemas.json_form import detection_to_json
from schemas.registry import MemoryRegistry
from schemas.topics import DETECTED

SAMPLES = 2000
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
BATCH = 100
"""Records in a compressed batch: what a producer with a few milliseconds of linger sends."""


def full(dice: random.Random) -> Detection:
    """A final detection as the edge agent sends it: alternatives per character, vehicle, three images, node."""
    text = "".join(dice.choice(LETTERS) for _ in range(dice.choice((6, 7, 7, 8))))
    at = 1_764_000_000_000_000 + dice.randrange(10**12)
    camera = f"site-{dice.randrange(20)}-cam-{dice.randrange(8)}"
    event_id = str(UUID(int=dice.getrandbits(128), version=4))
    folder = f"s3://alpr-plate-images/{camera}/2026/11/24/{event_id}"
    return Detection(
        event_id=event_id,
        captured_at=at,
        camera_id=camera,
        site_id=camera[:7],
        track_id=str(dice.randrange(10_000)),
        plate=Plate(f"{text[:2]} {text[2:]}", text, dice.uniform(0.7, 1), "de", tuple(map(_reads(dice), text))),
        vehicle=Vehicle("car", "volkswagen", "golf", dice.choice(("red", "blue", "silver")), dice.uniform(0.5, 1)),
        images=Images(*(f"{folder}/{name}.jpg" for name in ("plate", "vehicle", "frame"))),
        location=Location(dice.uniform(45, 55), dice.uniform(5, 15)),
        direction="in",
        first_seen_at=at - dice.randrange(10**6),
        last_seen_at=at + dice.randrange(10**6),
        reads=dice.randrange(3, 40),
        latency_ms=dice.uniform(50, 900),
        node=Node("edge-01", "edge-01.example.org", {"detector": "yolov8n-640", "reader": "pp-ocrv6-small"}),
    )


def _reads(dice: random.Random) -> Callable[[str], tuple[CharacterAlternative, ...]]:
    def alternatives(char: str) -> tuple[CharacterAlternative, ...]:
        sure = dice.uniform(0.6, 1.0)
        other = CharacterAlternative(dice.choice(LETTERS), (1 - sure) / 2)
        return (CharacterAlternative(char, sure), other)

    return alternatives


def without_alternatives(dice: random.Random) -> Detection:
    """The same without alternatives per character: what most readers give."""
    detection = full(dice)
    assert detection.plate is not None
    return replace(detection, plate=replace(detection.plate, characters=()))


def minimal(dice: random.Random) -> Detection:
    """A foreign camera: plate, time, camera, one image."""
    detection = without_alternatives(dice)
    return Detection(
        event_id=detection.event_id,
        captured_at=detection.captured_at,
        camera_id=detection.camera_id,
        plate=detection.plate,
        images=Images(plate_url=detection.images.plate_url),
        first_seen_at=detection.captured_at,
        last_seen_at=detection.captured_at,
    )


def lean(value: Any) -> Any:
    """JSON without what is absent or empty."""
    if isinstance(value, dict):
        kept = {name: lean(item) for name, item in value.items()}
        return {name: item for name, item in kept.items() if item not in (None, {}, [], "")}
    return [lean(item) for item in value] if isinstance(value, list) else value


def lean_json(detection: Detection) -> bytes:
    """The leaner JSON of a detection."""
    return json.dumps(
        lean(json.loads(detection_to_json(detection))), ensure_ascii=False, separators=(",", ":")
    ).encode()


def zipped(values: list[bytes]) -> float:
    """Mean bytes of a record when batches are compressed (zlib, as gzip topics do)."""
    batches = [b"".join(values[start : start + BATCH]) for start in range(0, len(values), BATCH)]
    return sum(len(zlib.compress(batch)) for batch in batches) / len(values)


def main() -> None:
    """Print the table."""
    codec = EventCodec(MemoryRegistry())
    kinds = {"full, with alternatives": full, "full, text alone": without_alternatives, "minimal": minimal}
    print(f"mean bytes of {SAMPLES} detections (seeded)\n")
    heads = ("JSON", "lean JSON", "Avro", "less than JSON", "less than lean")
    print(f"{'detection':<26}{'encoding':<12}" + "".join(f"{head:>16}" for head in heads))
    for name, make in kinds.items():
        dice = random.Random(7)
        detections = [make(dice) for _ in range(SAMPLES)]
        forms = (
            [detection_to_json(one) for one in detections],
            [lean_json(one) for one in detections],
            [codec.encode(DETECTED, one) for one in detections],
        )
        for encoding, sizes in (
            ("plain", [fmean(map(len, form)) for form in forms]),
            (f"zlib, {BATCH}s", [zipped(form) for form in forms]),
        ):
            as_json, as_lean, avro = sizes
            saved = [f"{100 * (1 - avro / other):.1f} %" for other in (as_json, as_lean)]
            cells = [*(f"{size:.0f}" for size in (as_json, as_lean, avro)), *saved]
            print(f"{name:<26}{encoding:<12}" + "".join(f"{cell:>16}" for cell in cells))


if __name__ == "__main__":
    main()
