"""State of deduplication: the passes of a camera that are still open, and how they lie in the table.

One value per camera: a line of JSON with what finding a pass needs, then a line of JSON for the contents of each
pass. Contents are decoded only when a read joins the pass, so a camera with many open passes costs one small line.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from schemas.clock import Micros
from schemas.events import Detection, Images, Vehicle
from schemas.records import from_record, to_record

FORMAT = 1
"""Number of the layout, first in every value."""

Column = dict[str, int]
"""Weight of each character at one position of a plate."""
Votes = dict[str, tuple[int, list[Column]]]
"""Number of characters (as text: a JSON key) -> total weight and a column per position."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a set of detections adds up to, whatever their order.

    Attributes:
        detections: how many they are.
        reads: readings that were voted into them.
        first_seen_at: of the earliest.
        last_seen_at: of the latest.
        votes: weighted characters of all plates, by number of characters.
        folds: folded plate text -> number of detections that read it.
        best: the detection whose plate is the most certain one; a sighting shows what it observed.
        vehicle: the fullest description of the vehicle.
        images: the fullest set of images.
        images_rank: how it was chosen: number of images, confidence of the plate, event_id.
    """

    detections: int
    reads: int
    first_seen_at: Micros
    last_seen_at: Micros
    votes: Votes
    folds: dict[str, int]
    best: Detection
    vehicle: Vehicle | None
    images: Images
    images_rank: tuple[int, float, str]


@dataclass(slots=True)
class Pass:
    """One vehicle passing one camera, as far as it is known.

    Attributes:
        event_id: of its sighting; frozen, as are `captured_at` and `match_key`.
        captured_at: event time of the sighting.
        match_key: Kafka key of the sighting.
        revision: of the sighting that was sent last; 0 before the first.
        text: identity that the last revision stated; empty when it could not be read.
        first_seen_at: begin of the pass.
        last_seen_at: end of it, so far.
        touched_at: newest event time of the camera when a read joined last; expiry counts from here.
        folds: folded texts that were read, for finding the pass.
        tracks: track ids of its reads.
        finals: event ids of detections that are complete.
        earlies: event ids of detections whose final message is still to come.
        unsent: something changed since the last revision.
    """

    event_id: str
    captured_at: Micros
    match_key: str
    revision: int = 0
    text: str = ""
    first_seen_at: Micros = 0
    last_seen_at: Micros = 0
    touched_at: Micros = 0
    folds: list[str] = field(default_factory=list)
    tracks: list[str] = field(default_factory=list)
    finals: list[str] = field(default_factory=list)
    earlies: list[str] = field(default_factory=list)
    unsent: bool = False
    _settled: Contents | None = None
    _early: dict[str, Contents] = field(default_factory=dict)
    _stored: bytes | None = None

    @property
    def settled(self) -> Contents | None:
        """Contents of the final detections; None while there is none."""
        self._load()
        return self._settled

    @property
    def early(self) -> dict[str, Contents]:
        """Contents of each detection whose final message is still to come. Not to be changed: `set_contents`."""
        self._load()
        return self._early

    def set_contents(self, settled: Contents | None, early: dict[str, Contents]) -> None:
        """Replace the contents."""
        self._settled, self._early, self._stored = settled, early, None

    def contents_line(self) -> bytes:
        """The contents as one line of JSON; as it was read where nothing changed."""
        if self._stored is None:
            settled = None if self._settled is None else _contents_to_json(self._settled)
            early = {event_id: _contents_to_json(contents) for event_id, contents in self._early.items()}
            self._stored = _dump([settled, early])
        return self._stored

    @classmethod
    def from_lines(cls, header: list[Any], contents: bytes) -> "Pass":
        """A pass of its part of the first line and its own line; the latter is kept for later."""
        found = cls(*header)
        found._stored = contents
        return found

    def header(self) -> list[Any]:
        """Its part of the first line: the public attributes in order."""
        return [
            *(self.event_id, self.captured_at, self.match_key, self.revision, self.text),
            *(self.first_seen_at, self.last_seen_at, self.touched_at),
            *(self.folds, self.tracks, self.finals, self.earlies, self.unsent),
        ]

    def _load(self) -> None:
        if self._settled is None and not self._early and self._stored is not None:
            settled, early = json.loads(self._stored)
            self._settled = None if settled is None else _contents_from_json(settled)
            self._early = {event_id: _contents_from_json(contents) for event_id, contents in early.items()}


@dataclass(slots=True)
class CameraPasses:
    """The open passes of a camera and where its log was when they were written.

    Attributes:
        offset: last record of the camera that was applied; -1 before the first.
        recorded_at_ms: newest Kafka timestamp among the applied records. A record at an old offset with a newer
            timestamp is no replay: the topic was made anew.
        newest_at: newest `captured_at` of the camera.
        passes: open passes, oldest first.
    """

    offset: int = -1
    recorded_at_ms: int = -1
    newest_at: Micros = 0
    passes: list[Pass] = field(default_factory=list)

    def encode(self) -> bytes:
        """The table value."""
        head = [FORMAT, self.offset, self.recorded_at_ms, self.newest_at, [item.header() for item in self.passes]]
        return b"\n".join([_dump(head), *(item.contents_line() for item in self.passes)])

    @classmethod
    def decode(cls, value: bytes | None) -> "CameraPasses":
        """The state of a table value; None is a camera that was never seen.

        Raises:
            ValueError: the value is of another layout.
        """
        if value is None:
            return cls()
        first, *lines = value.split(b"\n")
        version, offset, recorded_at_ms, newest_at, headers = json.loads(first)
        if version != FORMAT or len(headers) != len(lines):
            raise ValueError(f"passes of layout {version} with {len(lines)} contents; this version reads {FORMAT}")
        passes = [Pass.from_lines(header, line) for header, line in zip(headers, lines, strict=True)]
        return cls(offset, recorded_at_ms, newest_at, passes)


def _contents_to_json(contents: Contents) -> list[Any]:
    vehicle = None if contents.vehicle is None else to_record(contents.vehicle)
    return [
        *(contents.detections, contents.reads, contents.first_seen_at, contents.last_seen_at),
        *(contents.votes, contents.folds, to_record(contents.best), vehicle),
        *(to_record(contents.images), contents.images_rank),
    ]


def _contents_from_json(row: list[Any]) -> Contents:
    detections, reads, first_seen_at, last_seen_at, votes, folds, best, vehicle, images, images_rank = row
    return Contents(
        detections=detections,
        reads=reads,
        first_seen_at=first_seen_at,
        last_seen_at=last_seen_at,
        votes={length: (total, columns) for length, (total, columns) in votes.items()},
        folds=folds,
        best=from_record(Detection, best),
        vehicle=None if vehicle is None else from_record(Vehicle, vehicle),
        images=from_record(Images, images),
        images_rank=tuple(images_rank),
    )


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
