"""State of deduplication: the passes of a camera that are still open, and how they lie in the table.

One value per camera, so that no crash can cut it in two: a line of JSON with the camera's place in its log and the
sizes of its passes, then a part for each pass. A part is a line of JSON with what finding the pass needs, then its
contents, which are decoded only when a read joins the pass. Contents hold detections as the bytes in which they came:
these are compact, they need no encoding, and the schema id in front keeps them readable when the contract moves on.
Parts are kept as they were stored until a read changes their pass, so that writing a camera costs what has changed.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.clock import Micros
from tables.pass_contents import Contents, LoadContents, contents_to_bytes, dump

FORMAT = 3
"""Number of the layout, first in every value. Layout 1 had the lines of all passes in the first line; layout 2 kept
bare track ids, and knew neither watermarks nor the lateness of a camera."""

FOLD_TRAIT, TRACK_TRAIT = "fold", "track"


class SourcePosition(NamedTuple):
    """Where the raw record of a detection stood."""

    partition: int
    offset: int
    recorded_at_ms: int


Span = tuple[Micros, Micros]
"""Begin and end."""


class TrackRead(NamedTuple):
    """What one detection of a track read; other detections of the track are compared with it.

    Attributes:
        event_id: of the detection.
        track_id: of its track.
        text: normalised; empty when it could not be read.
        confidence: of the read.
        evidence: the alternatives of its characters, as `agents.decisions.track_reads` writes them.
        first_seen_at: its begin.
        last_seen_at: its end.
    """

    event_id: str
    track_id: str
    text: str
    confidence: float
    evidence: str
    first_seen_at: Micros
    last_seen_at: Micros

    @property
    def span(self) -> Span:
        """Begin and end."""
        return self.first_seen_at, self.last_seen_at


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
        folds: folded texts that were read, and when, for finding the pass.
        tracked: what those of its detections read that have a track, newest last.
        finals: event ids of detections that are complete.
        earlies: event ids of detections whose final message is still to come.
        unsent: something changed since the last revision.
        lone_reads: readings of its one detection; None where there are more of them, or it is not at hand; not stored.
        settles_at: event time from which on no read in time can join it, by the keeper's settings; not stored.
        ends_at: the same, and the final messages of early ones have been waited for; not stored.
    """

    event_id: str
    captured_at: Micros
    match_key: str
    revision: int = 0
    text: str = ""
    first_seen_at: Micros = 0
    last_seen_at: Micros = 0
    touched_at: Micros = 0
    folds: dict[str, list[Span]] = field(default_factory=dict)
    tracked: list[TrackRead] = field(default_factory=list)
    finals: list[str] = field(default_factory=list)
    earlies: list[str] = field(default_factory=list)
    unsent: bool = False
    lone_reads: int | None = None
    settles_at: Micros = 0
    ends_at: Micros = 0
    _settled: Contents | None = None
    _early: dict[str, Contents] = field(default_factory=dict)
    _total: Contents | None = None
    _stored: list[bytes] | None = None
    _load: LoadContents | None = None
    _part: bytes | None = None

    @property
    def settled(self) -> Contents | None:
        """Contents of the final detections; None while there is none."""
        self.load()
        return self._settled

    @property
    def early(self) -> dict[str, Contents]:
        """Contents of each detection whose final message is still to come. Not to be changed: `set_contents`."""
        self.load()
        return self._early

    @property
    def total(self) -> Contents | None:
        """All contents together, if `set_contents` was told and nothing has been forgotten since."""
        return self._total

    def set_contents(self, settled: Contents | None, early: dict[str, Contents], total: Contents | None = None) -> None:
        """Replace the contents.

        Args:
            settled: of the final detections.
            early: of the others.
            total: of all of them, for `total` to give.
        """
        self._settled, self._early, self._total, self.lone_reads = settled, early, total, None
        self._stored = self._load = self._part = None

    def set_lone(self, value: bytes, load: LoadContents, *, is_final: bool) -> None:
        """Replace the contents by those of one detection, given as the bytes that it came in."""
        lone = b"\n" + value
        self._settled, self._early, self._total = None, {}, None
        self._stored, self._load, self._part = [lone] if is_final else [b"", lone], load, None

    def touch(self, at: Micros) -> None:
        """Note when a read joined; whatever else it changed is written with this too."""
        self.touched_at = at
        self._part = None

    def part(self) -> bytes:
        """Its part of the camera's value: the public attributes and the sizes of its contents, then these."""
        if self._part is None:
            stored = self.stored()
            header = [
                *(self.event_id, self.captured_at, self.match_key, self.revision, self.text),
                *(self.first_seen_at, self.last_seen_at, self.touched_at),
                *(self.folds, self.tracked, self.finals, self.earlies, self.unsent),
                [len(one) for one in stored],
            ]
            self._part = b"".join([dump(header), b"\n", *stored])
        return self._part

    def is_written(self) -> bool:
        """Whether nothing has changed since `part` was called last."""
        return self._part is not None

    def stored(self) -> list[bytes]:
        """The contents as bytes, settled ones (or none) first; as they were read where nothing has changed."""
        if self._stored is None:
            self._stored = [contents_to_bytes(self._settled), *map(contents_to_bytes, self._early.values())]
        return self._stored

    def unload(self, load: LoadContents) -> None:
        """Forget the decoded contents; they are decoded again when they are asked for."""
        self.stored()
        self._settled, self._early, self._total, self._load = None, {}, None, load

    @classmethod
    def from_part(cls, part: bytes, load: LoadContents) -> "Pass":
        """The pass of what `part` gave. Its contents stay undecoded."""
        line, _, contents = part.partition(b"\n")
        *header, sizes = json.loads(line)
        found = cls(*header)
        found.tracked = [TrackRead(*read) for read in found.tracked]
        found.folds = {folded: [(begin, end) for begin, end in spans] for folded, spans in found.folds.items()}
        stored, start = [], 0
        for size in sizes:
            stored.append(contents[start : start + size])
            start += size
        found._stored, found._load, found._part = stored, load, part
        return found

    def load(self) -> None:
        """Decode the contents, if they are not yet: this may raise what decoding raises."""
        if self._load is None or self._stored is None:
            return
        settled, *early = self._stored
        load = self._load
        self._settled = load(settled) if settled else None
        self._early = {event_id: load(one) for event_id, one in zip(self.earlies, early, strict=True)}
        self._load = None


@dataclass(slots=True)
class CameraPasses:
    """The open passes of a camera and where its log was when they were written.

    Attributes:
        offset: last record of the camera that was applied; -1 before the first.
        recorded_at_ms: newest Kafka timestamp among the applied records. A record at an old offset with a newer
            timestamp is no replay: the topic was made anew.
        newest_at: newest `captured_at` of the camera.
        lateness: how late its reads may come, microseconds; None where the camera registry did not say.
        watermark: event time up to which its reads are complete; it never goes back.
        sources: the same two numbers for each partition of the raw topic: last offset and newest timestamp.
        passes: passes that a read may still join, in the order in which they were opened. To be changed by `open` and
            `drop` only.
        ends_at: no pass ends before this event time; None while their ends are not known.
        settles_at: the same of those with something unsent.
    """

    offset: int = -1
    recorded_at_ms: int = -1
    newest_at: Micros = 0
    sources: dict[str, tuple[int, int]] = field(default_factory=dict)
    lateness: Micros | None = None
    watermark: Micros = 0
    passes: list[Pass] = field(default_factory=list)
    ends_at: Micros | None = None
    settles_at: Micros | None = None
    _by_id: dict[str, Pass] = field(default_factory=dict)
    _by_trait: dict[tuple[str, str], list[Pass]] = field(default_factory=dict)
    _load: LoadContents | None = None
    _warm: list[Pass] = field(default_factory=list)

    def __post_init__(self) -> None:
        for item in self.passes:
            self.enter(item)

    @property
    def load(self) -> LoadContents | None:
        """What decodes contents; None where nothing has to be decoded."""
        return self._load

    def of_event(self, event_id: str) -> Pass | None:
        """The pass that has taken in a detection of this id and still remembers it."""
        return self._by_id.get(event_id)

    def with_fold(self, folded: str) -> Sequence[Pass]:
        """Passes that have read this folded text."""
        return self._by_trait.get((FOLD_TRAIT, folded), ())

    def with_track(self, track_id: str) -> Sequence[Pass]:
        """Passes that have detections of this track."""
        return self._by_trait.get((TRACK_TRAIT, track_id), ())

    def in_order(self, found: Sequence[Pass]) -> Sequence[Pass]:
        """Some passes in the order in which they were opened, which is the one in the table."""
        if len(found) < 2:
            return found
        ids = {id(item) for item in found}
        return [item for item in self.passes if id(item) in ids]

    def open(self, item: Pass) -> None:
        """Add a new pass; `enter` it when it is complete."""
        self.passes.append(item)

    def drop(self, gone: Collection[Pass]) -> None:
        """Go on without these passes."""
        ids = {id(item) for item in gone}
        self.passes = [item for item in self.passes if id(item) not in ids]
        for item in gone:
            self.withdraw(item)

    def enter(self, item: Pass) -> None:
        """Make a pass to be found by what it says now. `withdraw` it before that changes."""
        for event_id in (*item.finals, *item.earlies):
            self._by_id.setdefault(event_id, item)
        for trait in _traits(item):
            self._by_trait.setdefault(trait, []).append(item)

    def withdraw(self, item: Pass) -> None:
        """The opposite of `enter`."""
        for event_id in (*item.finals, *item.earlies):
            if self._by_id.get(event_id) is item:
                del self._by_id[event_id]
        for trait in _traits(item):
            others = [other for other in self._by_trait.get(trait, ()) if other is not item]
            if others:
                self._by_trait[trait] = others
            else:
                self._by_trait.pop(trait, None)

    def is_known(self, offset: int, recorded_at_ms: int, source: SourcePosition | None) -> bool:
        """Whether the record at this place, or one that was made of the same raw record, was applied before."""
        if offset <= self.offset and recorded_at_ms <= self.recorded_at_ms:
            return True
        if source is None:
            return False
        last = self.sources.get(str(source.partition))
        return last is not None and source.offset <= last[0] and source.recorded_at_ms <= last[1]

    def advance(self, offset: int, recorded_at_ms: int, source: SourcePosition | None) -> None:
        """Note that the record at this place is applied."""
        self.offset = offset
        self.recorded_at_ms = max(self.recorded_at_ms, recorded_at_ms)
        if source is not None:
            partition, at_offset, at_ms = source
            name = str(partition)
            last = self.sources.get(name)
            self.sources[name] = (at_offset, at_ms if last is None or last[1] < at_ms else last[1])

    def encode(self) -> bytes:
        """The table value. Contents that have not changed since the last one are not kept decoded."""
        changed = [item for item in self.passes if item._part is None]
        if self._load is not None:
            for item in self._warm:
                if item.is_written():
                    item.unload(self._load)
        self._warm = changed
        parts = [item._part or item.part() for item in self.passes]
        head = [
            *(FORMAT, self.offset, self.recorded_at_ms, self.newest_at, self.sources),
            *(self.lateness, self.watermark, list(map(len, parts))),
        ]
        return b"".join([dump(head), b"\n", *parts])

    @classmethod
    def decode(cls, value: bytes | None, load: LoadContents) -> "CameraPasses":
        """The state of a table value; None is a camera that was never seen.

        Args:
            value: what `encode` gave.
            load: decodes contents when they are asked for (`agents.decisions.pass_contents.loader`).

        Raises:
            ValueError: the value is of another layout.
        """
        if value is None:
            return cls(_load=load)
        head, _, rest = value.partition(b"\n")
        version, *fields = json.loads(head)
        if version not in (1, 2, FORMAT):
            raise ValueError(f"passes are stored in layout {version}; this version reads layouts 1 to {FORMAT}")
        offset, recorded_at_ms, newest_at, sources, *of_format_3, parts = fields
        lateness, watermark = of_format_3 or (None, 0)
        passes = []
        start = 0
        for one in parts:
            size = sum(one[-1]) if version == 1 else one
            part = rest[start : start + size]
            start += size
            part = dump(one) + b"\n" + part if version == 1 else part
            passes.append(Pass.from_part(part if version == FORMAT else _with_times(part), load))
        known = {partition: (last, newest) for partition, (last, newest) in sources.items()}
        return cls(offset, recorded_at_ms, newest_at, known, lateness, watermark, passes, _load=load)


def _traits(item: Pass) -> list[tuple[str, str]]:
    """What a pass may be found by, apart from ids."""
    traits = [(FOLD_TRAIT, folded) for folded in item.folds]
    if item.tracked:
        traits += dict.fromkeys([(TRACK_TRAIT, read.track_id) for read in item.tracked])
    return traits


def _with_times(part: bytes) -> bytes:
    """A part of layout 1 or 2, whose texts had no times and whose tracks no reads: all are taken to be the pass's."""
    line, _, contents = part.partition(b"\n")
    header = json.loads(line)
    event_id, text, span = header[0], header[4], tuple(header[5:7])
    folds, tracks = 8, 9
    header[folds] = {folded: [span] for folded in header[folds]}
    header[tracks] = [TrackRead(event_id, track_id, text, 1.0, "", *span) for track_id in header[tracks]]
    return dump(header) + b"\n" + contents
