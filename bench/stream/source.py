"""The input: a made-up town's reads on a topic, and what must come of them, worked out offline as they are written."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from string import ascii_uppercase, digits
from uuid import UUID

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # documented, not declared

from bench.stream.job import PARTITIONS, Read, encode_read, fold, is_new

CAMERAS, VEHICLES = 200, 40_000
START_MS = 1_760_000_000_000
SPAN_MS_PER_READ = 10  # a hundred reads a second in the town's own time
PASS_MS = 3_000  # a vehicle is in front of a camera for so long at most
MISREAD = {"O": "0", "0": "O", "B": "8", "8": "B", "I": "1", "1": "I"}


@dataclass(frozen=True, slots=True)
class Reference:
    """What every engine must arrive at.

    Attributes:
        reads: records of the input.
        events: records of the output.
        event_ids: digest of the output's ids, sorted.
        keys: entries of the table.
        table: digest of the table's entries, sorted.
        read_bytes: mean size of a record's value.
    """

    reads: int
    events: int
    event_ids: str
    keys: int
    table: str
    read_bytes: float


def reads_of_town(count: int) -> Iterator[Read]:
    """Seeded reads in the order of their times: passes of one to five reads, one repeat in five misread by OCR."""
    random = Random(count)
    plates = [_plate(random) for _ in range(VEHICLES)]
    span_ms = count * SPAN_MS_PER_READ
    found: list[tuple[int, int, int, str, int]] = []
    track = 0
    while len(found) < count + count // 50:
        track += 1
        camera, plate, start_ms = random.randrange(CAMERAS), random.choice(plates), random.randrange(span_ms)
        repeats = random.choices((0, 1, 2, 3, 4), (25, 30, 25, 10, 10))[0]
        times_ms = [0, *sorted(random.randrange(50, PASS_MS) for _ in range(repeats))]
        for number, time_ms in enumerate(times_ms):
            if number and random.random() < 0.2:
                plate = _misread(random, plate)
            found.append((START_MS + start_ms + time_ms, camera, track, plate, number))
    found.sort()
    return (_read(random, *parts) for parts in found[:count])


def _plate(random: Random) -> str:
    letters = "".join(random.choices(ascii_uppercase, k=3))
    return f"{letters}{random.choice(digits)}{random.choice(ascii_uppercase)}{''.join(random.choices(digits, k=2))}"


def _misread(random: Random, plate: str) -> str:
    places = [place for place, char in enumerate(plate) if char in MISREAD]
    if not places:
        return plate
    place = random.choice(places)
    return plate[:place] + MISREAD[plate[place]] + plate[place + 1 :]


def _read(random: Random, time_ms: int, camera: int, track: int, plate: str, number: int) -> Read:
    camera_id = f"cam-{camera:04}"
    return Read(
        event_id=str(UUID(int=random.getrandbits(128), version=4)),
        captured_at=time_ms,
        camera_id=camera_id,
        track_id=track,
        plate=plate,
        confidence=0.5 + random.random() / 2,
        region=None if random.random() < 0.3 else "NL",
        image_key=f"alpr-frames/site-07/2026/11/24/{camera_id}/track-{track:09}/frame-{number:02}.jpg",
    )


def write_source(bootstrap: str, topic: str, count: int) -> Reference:
    """Make the topic, put the reads on it, and say what must come of them."""
    create_topic(bootstrap, topic)
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "linger.ms": 20,
            "batch.size": 131_072,
            "partitioner": "murmur2_random",
            "compression.type": "none",
        }
    )
    last: dict[str, int] = {}
    ids: list[str] = []
    size_bytes = 0
    for number, read in enumerate(reads_of_town(count)):
        key = f"{read.camera_id}|{fold(read.plate)}"
        if is_new(last.get(key), read.captured_at):
            ids.append(read.event_id)
        last[key] = read.captured_at
        value = encode_read(read)
        size_bytes += len(value)
        while True:
            try:
                producer.produce(topic, value, read.camera_id)
                break
            except BufferError:
                producer.poll(0.1)
        if number % 1000 == 0:
            producer.poll(0)
    if producer.flush(60):
        raise RuntimeError(f"the input did not reach {topic}")
    return Reference(count, len(ids), digest(ids), len(last), digest(table_lines(last.items())), size_bytes / count)


def table_lines(entries: Iterable[tuple[str, int]]) -> Iterator[str]:
    """Entries of the table in the form that is compared."""
    return (f"{key}={time_ms}" for key, time_ms in entries)


def digest(lines: Iterable[str]) -> str:
    """Digest of lines in any order."""
    return sha256("\n".join(sorted(lines)).encode()).hexdigest()


def create_topic(bootstrap: str, topic: str) -> None:
    """Make a topic of the bench's partition count."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics([NewTopic(topic, PARTITIONS, 1)]).values():
        future.result(30)
