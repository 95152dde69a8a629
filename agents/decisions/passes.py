"""Deduplication: which pass of a vehicle a detection belongs to, and when a new revision of its sighting is due.

Everything is event time and the order of the camera's log; nothing depends on the clock or on how the log is cut into
runs, so reading the same log again gives the same sightings, ids and revisions included. (The log holds clock records;
they say when a camera is idle, and decide nothing about membership.)

A detection joins a pass of its camera when the pass has its event_id already (early and final message), or when the
two are linked (`agents.decisions.pass_membership`). Passes that a detection links with each other become one: the
oldest keeps its id, the others are withdrawn by a last revision that says where they went.

A final message that turns its early one into another plate takes its detection out of a pass of other detections: they
joined what the early message said.
"""

from collections.abc import Sequence
from typing import NamedTuple

from agents.decisions.pass_contents import contents_of, identity, sum_of, total
from agents.decisions.pass_ends import PassEnds
from agents.decisions.pass_membership import Membership, Reach, age, is_listed, with_span
from agents.decisions.pass_revisions import is_due, progress, revise
from agents.decisions.pass_settings import DeduplicationSettings
from agents.decisions.ticks import CameraTime, Timetable
from agents.decisions.track_reads import track_read
from schemas.clock import MICROS_PER_S, Micros
from schemas.events import Detection, Sighting
from schemas.identity import fold, match_key
from schemas.keys import split_pass_id
from tables.pass_contents import Contents
from tables.passes import CameraPasses, Pass, SourcePosition, TrackRead


class Admission(NamedTuple):
    """What a detection led to.

    Attributes:
        sightings: revisions that are due: of the detection's pass, of passes that it merged or left, then of passes
            that settled with something unsent.
        joined: the detection belongs to a pass that was known already.
        merged: passes that were withdrawn.
        replayed: the detection had been applied before; nothing happened.
    """

    sightings: tuple[Sighting, ...] = ()
    joined: bool = False
    merged: int = 0
    replayed: bool = False


class PassKeeper:
    """Applies detections to the state of their camera. It has no state of its own.

    Args:
        settings: gaps, bounds and thresholds.
    """

    def __init__(self, settings: DeduplicationSettings) -> None:
        self.settings = settings
        self.gap = int(settings.gap_s * MICROS_PER_S)
        self.ends = PassEnds(settings)
        self.lateness = self.ends.lateness
        self.membership = Membership(self.gap, settings.track_likelihood)

    def admit(
        self,
        state: CameraPasses,
        detection: Detection,
        *,
        value: bytes,
        offset: int,
        recorded_at_ms: int,
        source: SourcePosition | None = None,
        clock: Micros = 0,
        lateness: Micros | None = None,
    ) -> Admission:
        """Apply one detection.

        Args:
            state: of the detection's camera; changed in place.
            detection: valid, with normalised text.
            value: the bytes that it came in.
            offset: of its record; increasing within the partition.
            recorded_at_ms: Kafka timestamp of its record.
            source: where its raw record stood; a router that was killed sends some records twice.
            clock: newest clock record before it in the partition; 0 before the first.
            lateness: how late the camera's reads may come, where the camera registry says; None: as in the settings.
        """
        if state.is_known(offset, recorded_at_ms, source):
            return Admission(replayed=True)
        # what may raise comes before anything has changed: values that routing refuses, stored ones that do not decode
        contents = contents_of(detection, value)
        text = detection.plate.normalized_text if detection.plate is not None else ""
        folded = fold(text)
        read = track_read(detection)
        home = state.of_event(detection.event_id)
        is_done = home is not None and detection.event_id in home.finals  # sent twice, or its final one was faster
        rest = None if home is None or is_done else self._others(home, detection, folded, read)
        found: Pass | None = home
        merging: list[Pass] = []
        if not is_done and not (rest is None and self.membership.is_alone(state, home, folded, read)):
            found, merging = self._find(state, detection, folded, read, home, stays=rest is None)
        if found is not None:
            for item in (found, *merging):
                item.load()
        state.advance(offset, recorded_at_ms, source)
        watermark = self.ends.pass_time(state, detection.captured_at, clock, lateness)
        sightings = []
        if home is not None and rest is not None:
            sightings.append(self._leave(state, home, detection, rest))
        known = found is not None
        if found is None:
            new_id = detection.event_id if home is None else split_pass_id(home.event_id, detection.event_id)
            found = Pass(new_id, detection.captured_at, match_key(detection.plate, detection.camera_id))
            state.open(found)
        joined = min((found, *merging), key=age) if merging else found
        is_found = joined is home and not merging and rest is None and is_listed(joined, folded, read)
        if not is_found:
            state.withdraw(joined)
        others = state.in_order([item for item in (found, *merging) if item is not joined])
        withdrawn = self._merge(state, joined, others, contents, watermark) if others else []
        if not is_done:
            sightings += self._join(joined, detection, contents, folded, read, watermark, is_merged=bool(others))
        sightings += withdrawn
        joined.touch(state.newest_at)
        if not is_found:
            state.enter(joined)
        self.ends.set(state, joined)
        sightings += self.ends.close(state, watermark)
        return Admission(tuple(sightings), joined=known, merged=len(withdrawn))

    def _find(
        self,
        state: CameraPasses,
        detection: Detection,
        folded: str,
        read: TrackRead | None,
        home: Pass | None,
        *,
        stays: bool,
    ) -> tuple[Pass | None, list[Pass]]:
        """The pass of a detection and the passes that are one with it then.

        Args:
            state: of the camera.
            detection: what has come.
            folded: its folded text.
            read: of its track.
            home: the pass that had its early message.
            stays: whether it stays with the others of that.
        """
        reach = Reach.of(detection, folded, read)
        found = home
        if home is None or (not stays and home.event_id != detection.event_id):
            found = self.membership.nearest(state, reach, home)
        if found is None:
            return None, []
        if found is not home:
            reach.extend(found)
        elif stays:
            self._reach_out(reach, home, detection, folded)
        known = [found] if home is None or home is found else [home, found]
        return found, self.membership.bridged(state, known, reach)

    def settle(self, state: CameraPasses, clock: Micros) -> tuple[tuple[Sighting, ...], bool]:
        """Let an idle camera's time go on: send what its passes hold back, forget what nobody will ask for again.

        A pass that has settled is still found by the reads of its gap: the camera forgets it when its own reads are
        past it, or long after (`reopen_hold_s`).

        Returns:
            Revisions, and whether the state has changed.
        """
        before = len(state.passes)
        sightings = tuple(self.ends.close(state, self.ends.watermark(state, clock)))
        return sightings, bool(sightings) or len(state.passes) < before

    def note(self, timetable: Timetable, camera_id: str, state: CameraPasses) -> None:
        """Tell a timetable how far a camera is, and when it has something to settle."""
        timetable.cameras[camera_id] = CameraTime(
            state.newest_at, self.ends.lateness_of(state), state.watermark, self.ends.due_at(state)
        )

    # -- contents

    def _others(
        self, home: Pass, detection: Detection, folded: str, read: TrackRead | None
    ) -> tuple[Contents | None, dict[str, Contents]] | None:
        """What the others of a pass add up to, where a detection of it has turned out to be another vehicle."""
        if len(home.earlies) + len(home.finals) < 2 or detection.event_id not in home.earlies:
            return None
        if not folded or list(home.folds) == [folded]:
            return None
        early = {name: contents for name, contents in home.early.items() if name != detection.event_id}
        others = sum_of(home.settled, early)
        if others is None or self.membership.is_same_vehicle(folded, read, others.folds, home):
            return None
        return home.settled, early

    def _reach_out(self, reach: Reach, home: Pass, detection: Detection, folded: str) -> None:
        """Take in what a pass has without the early message that a detection replaces: that ties nothing any more."""
        if detection.event_id not in home.earlies or list(home.folds) == [folded]:
            reach.extend(home)
            return
        early = {name: contents for name, contents in home.early.items() if name != detection.event_id}
        others = sum_of(home.settled, early)
        if others is not None:
            read = [one for one in home.tracked if one.event_id != detection.event_id]
            reach.include({name: home.folds[name] for name in others.folds}, read)

    def _leave(
        self, state: CameraPasses, home: Pass, detection: Detection, rest: tuple[Contents | None, dict[str, Contents]]
    ) -> Sighting:
        """Part a detection and the others of its pass; gives the revision or first sighting of the others.

        The pass that bears the detection's id stays with it, so that a detection and its own sighting agree.
        """
        others = sum_of(*rest)
        assert others is not None
        leaver = detection.event_id
        state.withdraw(home)
        part = home
        if home.event_id == leaver:
            best = others.best
            part = Pass(
                split_pass_id(leaver, best.event_id), best.captured_at, match_key(best.plate, best.camera_id),
                finals=home.finals, touched_at=home.touched_at,
            )  # fmt: skip
            state.open(part)
        part.earlies = list(rest[1])
        part.tracked = [read for read in home.tracked if read.event_id != leaver]
        part.folds = {folded: home.folds[folded] for folded in others.folds}
        if part is not home:
            home.finals, home.tracked, home.folds, home.earlies = [], [], {}, []
            home.set_contents(None, {})
        part.first_seen_at, part.last_seen_at = others.first_seen_at, others.last_seen_at
        part.set_contents(*rest, others)
        sighting = revise(part, others, identity(others), state.watermark)
        part.touch(part.touched_at)
        state.enter(part)
        self.ends.set(state, part)
        return sighting

    def _merge(
        self, state: CameraPasses, into: Pass, others: Sequence[Pass], contents: Contents, watermark: Micros
    ) -> list[Sighting]:
        """Take passes into an older one; gives their last revisions. One that all others have left says `contents`."""
        withdrawn = []
        for item in sorted(others, key=age):
            if item.revision:
                own = sum_of(item.settled, item.early) or contents
                withdrawn.append(revise(item, own, identity(own), watermark, merged_into=into.event_id))
        settled = [item.settled for item in (into, *others) if item.settled is not None]
        early = {name: contents for item in (into, *others) for name, contents in item.early.items()}
        for item in others:
            into.finals += item.finals
            into.tracked = [*into.tracked, *item.tracked]
            for folded, spans in item.folds.items():
                for span in spans:
                    into.folds[folded] = with_span(into.folds.get(folded, ()), span, self.gap)
            into.touched_at = max(into.touched_at, item.touched_at)
        into.earlies = list(early)
        into.set_contents(total(settled) if settled else None, early)
        state.drop(others)
        return withdrawn

    def _join(
        self,
        item: Pass,
        detection: Detection,
        contents: Contents,
        read_as: str,
        read: TrackRead | None,
        watermark: Micros,
        is_merged: bool,
    ) -> list[Sighting]:
        event_id = detection.event_id
        settled, early = item.settled, dict(item.early)
        before = item.total or sum_of(item.settled, item.early)
        replaced = early.pop(event_id, None)
        if detection.is_final:
            settled = contents if settled is None else total((settled, contents))
            item.finals.append(event_id)
        else:  # a producer that sends several early messages means the last one
            early[event_id] = contents if replaced is None else max(replaced, contents, key=progress)
        if read is not None and (detection.is_final or early[event_id] is contents):
            others = [one for one in item.tracked if one.event_id != event_id]
            item.tracked = [*others, read][-self.settings.max_tracks :]
        item.earlies = list(early)
        settled = self._forget(item, settled, early)
        after = sum_of(settled, early)
        assert after is not None
        item.set_contents(settled, early, after)
        if read_as:
            span = (detection.first_seen_at, detection.last_seen_at)
            item.folds[read_as] = with_span(item.folds.get(read_as, ()), span, self.gap)
        if len(item.folds) > len(after.folds):
            item.folds = {folded: spans for folded, spans in item.folds.items() if folded in after.folds}
        item.first_seen_at, item.last_seen_at = after.first_seen_at, after.last_seen_at
        item.unsent = True
        found = identity(after)
        if before is None or is_merged or is_due(item, detection, before, after, found, replaced is not None):
            return [revise(item, after, found, watermark)]
        return []

    def _forget(self, item: Pass, settled: Contents | None, early: dict[str, Contents]) -> Contents | None:
        """Keep the number of remembered ids in bounds; what they stood for stays in the sum."""
        while len(item.finals) + len(item.earlies) > self.settings.max_ids:
            if item.finals:
                item.finals.pop(0)
            else:
                given_up = early.pop(item.earlies.pop(0))
                settled = given_up if settled is None else total((settled, given_up))
        return settled
