"""convoy: two plates that are seen together at several cameras, and where asked on several occasions.

Two operators. `Company` has the events of a camera and finds who passes it shortly after whom; each such pair goes on
under its own key. `Convoy` has the meetings of a pair and counts the cameras.

In traffic strangers keep together as long as their ways are the same. They seldom meet again another time: `occasions`
asks for meetings with a pause of at least `apart_us` between them.

A busy camera would make pairs without end: of those who passed within the time, only the latest `MAX_COMPANY` count.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

from alert_rules.correlations.bound import span
from alert_rules.correlations.event import Mention, Plain, Seen, plate_of
from alert_rules.correlations.operator import Emit, Firing, Lost, Result, Timeless, shorten
from schemas.events import ConditionProof

MAX_COMPANY = 12
MAX_MEETINGS = 64
"""Meetings of a pair that are remembered: the latest."""
OTHER_PLATE, IDS = "other_plate", "ids"
"""Notes of a meeting: the plate that passed first, and the event ids of both."""


@dataclass(frozen=True, slots=True)
class Passer:
    """Somebody who passed a camera a moment ago."""

    key: str
    plate: str
    mention: Mention


Passers = tuple[Passer, ...]


@dataclass(frozen=True, slots=True)
class Company(Timeless):
    """Finds those who pass a camera within `together_us` of each other."""

    together_us: int

    def start(self) -> Passers:
        """Nobody."""
        return ()

    def on_event(self, state: Passers, event: Seen) -> tuple[Passers, Iterable[Result]]:
        """Pair it with those before it."""
        plate, key = plate_of(event.sighting), event.sighting.match_key
        if plate is None:
            return state, ()
        near = [each for each in state if event.at_us - each.mention.at_us <= self.together_us and each.key != key]
        results: list[Result] = [_meeting(each, event) for each in near]
        passers = (*near, Passer(key, plate, event.mention))
        if len(passers) > MAX_COMPANY:
            results.append(Lost("pairs", len(passers) - MAX_COMPANY))
        return passers[-MAX_COMPANY:], results

    def keep_until_us(self, state: Passers) -> int | None:
        """Until the last one is too long ago."""
        return state[-1].mention.at_us + self.together_us if state else None

    def dump(self, state: Passers) -> Plain:
        """Lists."""
        return [[each.key, each.plate, *each.mention] for each in state]

    def load(self, plain: Plain) -> Passers:
        """From lists."""
        return tuple(Passer(key, plate, Mention(at, event_id)) for key, plate, at, event_id in plain)

    def words(self, state: Passers) -> str:
        """Who passed."""
        return f"{len(state)} passed within {span(self.together_us)}"

    def describe(self) -> str:
        """Such as ``two plates within 30s at a camera``."""
        return f"two plates within {span(self.together_us)} at a camera"

    def canonical(self) -> Plain:
        """All of it."""
        return ["company", self.together_us]


def _meeting(before: Passer, event: Seen) -> Emit:
    ids = f"{before.mention.event_id} {event.event_id}"
    sighting = replace(event.sighting, event_id=f"{before.mention.event_id}+{event.event_id}")
    notes = {OTHER_PLATE: before.plate, IDS: ids}
    pair = "+".join(sorted((before.key, event.sighting.match_key)))
    return Emit(pair, Seen(sighting, (), notes))


Meetings = tuple[tuple[str, int, str], ...]
"""Camera with time and event ids of the latest meeting there, oldest first."""


@dataclass(frozen=True, slots=True)
class Convoy(Timeless):
    """Fires when a pair has met at so many different cameras within the time span. The meetings are used up then.

    Attributes:
        occasions: on which they must have met.
        apart_us: time without a meeting that makes another occasion.
    """

    cameras: int
    within_us: int
    occasions: int = 1
    apart_us: int = 0

    def start(self) -> Meetings:
        """None."""
        return ()

    def on_event(self, state: Meetings, event: Seen) -> tuple[Meetings, Iterable[Result]]:
        """Count the camera."""
        camera = event.sighting.camera_id
        kept = [each for each in state if event.at_us - each[1] <= self.within_us and not self._again(each, event)]
        meetings = (*kept, (camera, event.at_us, event.notes[IDS]))[-MAX_MEETINGS:]
        cameras = dict.fromkeys(name for name, _, _ in meetings)
        if len(cameras) < self.cameras or self._occasions(meetings) < self.occasions:
            return meetings, ()
        plates = sorted((plate_of(event.sighting) or "", event.notes[OTHER_PLATE]))
        names = ", ".join(list(cameras)[:10])
        took = span(event.at_us - meetings[0][1])
        mentions = tuple(Mention(at, each) for _, at, ids in meetings for each in ids.split(" "))
        proof = ConditionProof("convoy", "together at", self.describe(), f"{' and '.join(plates)} at {names} in {took}")
        values = {
            "cameras": names, "plates": " and ".join(plates), "count": len(cameras), "duration": took,
            "first_at": meetings[0][1], "other_plate": event.notes[OTHER_PLATE],
        }  # fmt: skip
        firing = Firing(event.at_us, event.event_id, event, shorten(mentions), (proof,), values, count=len(mentions))
        return (), (firing,)

    def _again(self, meeting: tuple[str, int, str], event: Seen) -> bool:
        """Whether an event repeats a meeting: at its camera, and on its occasion where these count."""
        camera, at_us, _ = meeting
        return camera == event.sighting.camera_id and (self.occasions == 1 or event.at_us - at_us < self.apart_us)

    def _occasions(self, meetings: Meetings) -> int:
        return 1 + sum(after[1] - before[1] >= self.apart_us for before, after in pairwise(meetings))

    def keep_until_us(self, state: Meetings) -> int | None:
        """Until the last meeting has left the window."""
        return state[-1][1] + self.within_us if state else None

    def dump(self, state: Meetings) -> Plain:
        """Lists."""
        return [list(each) for each in state]

    def load(self, plain: Plain) -> Meetings:
        """From lists."""
        return tuple((camera, at, ids) for camera, at, ids in plain)

    def words(self, state: Meetings) -> str:
        """Where they met."""
        return f"met at {len(state)} of {self.cameras} cameras"

    def describe(self) -> str:
        """Such as ``3 cameras within 2h``."""
        occasions = f" on {self.occasions} occasions" if self.occasions > 1 else ""
        return f"{self.cameras} cameras{occasions} within {span(self.within_us)}"

    def canonical(self) -> Plain:
        """All of it."""
        occasions = [self.occasions, self.apart_us] if self.occasions > 1 else []
        return ["convoy", self.cameras, self.within_us, *occasions]
