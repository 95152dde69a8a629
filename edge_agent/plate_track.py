"""What a track has gathered, and when it has something to say: early once, and once more at its end.

Pure: pictures and times come in, a decision goes out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from edge_agent.geometry import Box, Image
from edge_agent.ports import Read
from edge_agent.voting import Ballot, align, vote

MAX_BALLOTS_KEPT = 64
DECISIVE_READS = 3
DECISIVE_PROBABILITY = 0.85
LONE_READ_CONFIDENCE = 0.8
LEAST_CONFIDENCE = 0.55
LIKELY_CHARACTERS = 4
SHORT_READ_CONFIDENCE = 0.92
"""Plates of fewer characters exist; far more often they are a part of a plate, or no plate."""
OTHER_PLATE_DISTANCE = 0.5
SURE_READ = 0.85
READ_AGAIN_US = 500_000
BETTER_SHOT = 1.15


@dataclass(frozen=True, slots=True)
class Shot:
    """The picture of a plate at one moment.

    Attributes:
        frame: The whole picture.
        plate: Where the plate is.
        vehicle: Where the vehicle is; None where it is not known.
        quality: As `shot.quality` gives it.
        captured_us: Event time of the frame.
    """

    frame: Image
    plate: Box
    vehicle: Box | None
    quality: float
    captured_us: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a track says.

    Attributes:
        read: The voted plate.
        reads: How many reads were voted.
        shot: The best picture.
        read_at_us: Event time of the first read.
        first_seen_us: Event time of the first frame.
        last_seen_us: Event time of the last frame.
        motion: `approaching`, `receding` or None.
        is_final: The track has ended.
    """

    read: Read
    reads: int
    shot: Shot
    read_at_us: int
    first_seen_us: int
    last_seen_us: int
    motion: str | None
    is_final: bool


@dataclass(slots=True)
class PlateTrack:
    """The reads and best picture of one track.

    Attributes:
        first_seen_us: Event time of its first frame.
        early_after_us: It says something after this long, or when its text is decisive.
    """

    first_seen_us: int
    early_after_us: int
    last_seen_us: int = 0
    _ballots: list[Ballot] = field(default_factory=list)
    _voted: Read | None = None
    _reads: int = 0
    _best: tuple[float, Shot] | None = None
    _first_read_us: int | None = None
    _last_read_us: int = 0
    _best_quality: float = 0.0
    _heights_px: list[float] = field(default_factory=list)
    _has_spoken: bool = False

    def seen(self, captured_us: int, box: Box) -> None:
        """Takes in that the plate was there, read or not."""
        self.last_seen_us = max(self.last_seen_us, captured_us)
        self._heights_px = [*self._heights_px[:1], box.height]

    def wants_read(self, captured_us: int, quality: float) -> bool:
        """Whether reading the plate in this frame is worth its time.

        A plate that is read often and surely is read again only from a better picture, or now and then, so that
        another plate that has slipped into the track is noticed.
        """
        if self._reads < DECISIVE_READS or not self._is_decisive(self._voted):
            return True
        return quality > BETTER_SHOT * self._best_quality or captured_us - self._last_read_us >= READ_AGAIN_US

    def is_other_plate(self, read: Read) -> bool:
        """Whether a read is surely of another plate than this track's: bumper to bumper, one box follows another."""
        mine = self._voted
        if mine is None or min(mine.confidence, read.confidence) < SURE_READ:
            return False
        columns = [{c.char: c.probability for c in position} for position in read.characters]
        longest = max(len(mine.text), len(read.text))
        return align(mine.text, columns).distance / longest > OTHER_PLATE_DISTANCE

    def add(self, read: Read, shot: Shot, detection_confidence: float) -> None:
        """Takes a read in."""
        self._reads += 1
        self._first_read_us = shot.captured_us if self._first_read_us is None else self._first_read_us
        self._last_read_us = shot.captured_us
        self._best_quality = max(self._best_quality, shot.quality)
        self._ballots.append(Ballot(read, shot.quality))
        if len(self._ballots) > MAX_BALLOTS_KEPT:
            self._ballots.remove(min(self._ballots, key=lambda b: b.weight))
        self._voted = vote(self._ballots)
        worth = shot.quality * read.confidence * detection_confidence
        if self._best is None or worth > self._best[0]:
            self._best = (worth, shot)

    def early(self, now_us: int) -> Verdict | None:
        """The early verdict, once: when the vote is decisive, or the track is old enough to be heard."""
        if self._has_spoken:
            return None
        voted = self._voted
        if voted is None or not self._is_credible(voted):
            return None
        if not self._is_decisive(voted) and now_us - self.first_seen_us < self.early_after_us:
            return None
        self._has_spoken = True
        return self._verdict(voted, is_final=False)

    def final(self) -> Verdict | None:
        """The last verdict; None where the track has nothing credible to say.

        A track that has spoken early always closes with a final verdict.
        """
        voted = self._voted
        if voted is None or not (self._has_spoken or self._is_credible(voted)):
            return None
        return self._verdict(voted, is_final=True)

    def _is_credible(self, voted: Read) -> bool:
        least = LEAST_CONFIDENCE if self._reads > 1 else LONE_READ_CONFIDENCE
        if len(voted.text) < LIKELY_CHARACTERS:
            least = max(least, SHORT_READ_CONFIDENCE)
        return voted.confidence >= least

    def _is_decisive(self, voted: Read | None) -> bool:
        if voted is None or self._reads < DECISIVE_READS:
            return False
        return min(position[0].probability for position in voted.characters) >= DECISIVE_PROBABILITY

    def _verdict(self, voted: Read, *, is_final: bool) -> Verdict:
        assert self._best is not None
        assert self._first_read_us is not None
        return Verdict(
            read=voted,
            reads=self._reads,
            shot=self._best[1],
            read_at_us=self._first_read_us,
            first_seen_us=self.first_seen_us,
            last_seen_us=self.last_seen_us,
            motion=_motion(self._heights_px),
            is_final=is_final,
        )


def _motion(heights_px: Sequence[float]) -> str | None:
    if len(heights_px) < 2 or min(heights_px) <= 0:
        return None
    growth = heights_px[-1] / heights_px[0]
    return "approaching" if growth > 1.2 else "receding" if growth < 1 / 1.2 else None
