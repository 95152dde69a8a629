"""When passes end: until when a read may join them, what they hold back then, and when they are forgotten."""

from agents.decisions.pass_contents import identity, sum_of
from agents.decisions.pass_membership import age
from agents.decisions.pass_revisions import revise
from agents.decisions.pass_settings import DeduplicationSettings
from schemas.clock import MICROS_PER_S, Micros
from schemas.events import Sighting
from tables.passes import CameraPasses, Pass

NEVER = 2**62
"""Later than any event time."""


class PassEnds:
    """The time of cameras and of their passes.

    Args:
        settings: gap, lateness and bounds.

    Attributes:
        lateness: of cameras for which the registry says nothing, microseconds.
    """

    def __init__(self, settings: DeduplicationSettings) -> None:
        self._gap = int(settings.gap_s * MICROS_PER_S)
        self.lateness = int(settings.lateness_s * MICROS_PER_S)
        self._early_hold = max(self._gap, int(settings.early_hold_s * MICROS_PER_S))
        self._reopen_hold = int(settings.reopen_hold_s * MICROS_PER_S)
        self._max_passes = settings.max_passes

    def lateness_of(self, state: CameraPasses) -> Micros:
        """How late reads of the camera may come."""
        return self.lateness if state.lateness is None else state.lateness

    def watermark(self, state: CameraPasses, clock: Micros) -> Micros:
        """Event time up to which the reads of a camera are complete, now that the log's clock says so."""
        return max(state.watermark, max(state.newest_at, clock) - self.lateness_of(state))

    def pass_time(self, state: CameraPasses, captured_at: Micros, clock: Micros, lateness: Micros | None) -> Micros:
        """Let a camera's time go on with a read; gives the watermark."""
        state.watermark = self.watermark_after(state, captured_at, clock, lateness)
        state.newest_at = max(state.newest_at, captured_at)
        if lateness != state.lateness:
            state.lateness, state.ends_at = lateness, None
        return state.watermark

    def watermark_after(
        self, state: CameraPasses, captured_at: Micros, clock: Micros, lateness: Micros | None
    ) -> Micros:
        """The watermark that `pass_time` comes to."""
        watermark = state.watermark
        newest = state.newest_at if state.newest_at > clock else clock
        if lateness != state.lateness:  # what held so far counts too: more of it does not turn time back
            watermark = max(watermark, newest - self.lateness_of(state))
        newest = captured_at if captured_at > newest else newest
        own = newest - (self.lateness if lateness is None else lateness)
        return own if own > watermark else watermark

    def due_at(self, state: CameraPasses) -> Micros:
        """Clock before which `settle` has nothing to do."""
        self.know(state)
        assert state.ends_at is not None
        assert state.settles_at is not None
        return min(state.settles_at, state.ends_at + self._reopen_hold) + self.lateness_of(state)

    def close(self, state: CameraPasses, settled: Micros) -> list[Sighting]:
        """Send what passes hold back that no read in time can join; forget those that the camera's reads have passed.

        A read that is in time begins no earlier than `lateness` before the newest one. So a pass has to be kept until
        the newest read of its own camera is `gap + lateness` past its end, however long the camera is idle; what comes
        later than that is a pass of its own.
        """
        passed = state.newest_at - self.lateness_of(state)
        if state.ends_at is None:
            self.know(state)
        assert state.ends_at is not None
        assert state.settles_at is not None
        forgotten = settled - self._reopen_hold
        is_due = state.ends_at < max(passed, forgotten) or state.settles_at < settled
        if not is_due and len(state.passes) <= self._max_passes:
            return []
        over = max(passed, forgotten)
        gone = [item for item in state.passes if item.ends_at < over]
        excess = len(state.passes) - len(gone) - self._max_passes
        if excess > 0:
            ids = {id(item) for item in gone}
            kept = [item for item in state.passes if id(item) not in ids]
            gone += sorted(kept, key=lambda item: (item.touched_at, *age(item)))[:excess]
        due = [item for item in state.passes if item.unsent]
        if due:
            ids = {id(item) for item in gone}
            due = [item for item in due if item.settles_at < settled or id(item) in ids]
        sightings = []
        for item in due:
            contents = item.total or sum_of(item.settled, item.early)
            assert contents is not None
            sightings.append(revise(item, contents, identity(contents), settled))
            item.touch(item.touched_at)
        if gone:
            state.drop(gone)
        _bound(state)
        return sightings

    def set(self, state: CameraPasses, item: Pass) -> None:
        """Work out the ends of a pass that a read has joined."""
        self._set_end(state, item)
        if state.ends_at is not None and state.settles_at is not None:
            state.ends_at = min(state.ends_at, item.ends_at)
            if item.unsent and item.settles_at < state.settles_at:
                state.settles_at = item.settles_at

    def _set_end(self, state: CameraPasses, item: Pass) -> None:
        """Event times until which a read may join the pass."""
        last = item.touched_at - (self.lateness if state.lateness is None else state.lateness)
        last = max(last, item.last_seen_at)
        item.settles_at = last + self._gap
        item.ends_at = last + (self._early_hold if item.earlies else self._gap)

    def know(self, state: CameraPasses) -> None:
        """Work out the ends of a state that comes from the table."""
        if state.ends_at is None:
            for item in state.passes:
                self._set_end(state, item)
            _bound(state)


def _bound(state: CameraPasses) -> None:
    """Note when the first pass ends, and when the first one with something unsent settles."""
    state.ends_at = min([item.ends_at for item in state.passes], default=NEVER)
    state.settles_at = min([item.settles_at for item in state.passes if item.unsent], default=NEVER)
