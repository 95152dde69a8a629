"""What the engine remembers between sightings, as keys and values that any ordered store can keep.

- `Counted`: which rules have counted a sighting. A later revision may fire other rules, never the same again.
- `Quiet`: when a rule last alerted for a group, and how many matches have been held back since.
- `Used`: which sightings have used a permit's quota in a period, by rule.
- an expiry mark for each `Quiet`, so that old state is found by a scan in key order.

Keys start with a kind and, but for `Quiet`, a time: the oldest come first. State is kept for `KEEP_US`, longer than any
accepted sighting can be late, so forgetting changes no alert. Values are JSON: small, and readable in a changelog.
"""

import json
from dataclasses import dataclass
from hashlib import sha256

from schemas.clock import MICROS_PER_S
from schemas.events import Sighting

KEEP_US = 31 * 86_400 * MICROS_PER_S
"""Sightings older than 30 days do not get past the router, so nothing that is older than this is asked for."""
MAX_FIRED = 8
"""Alert times that are kept for a group: enough for late sightings that fall between older alerts."""
MAX_GROUP_CHARS = 200
COUNTED, EXPIRY, QUIET, USED = b"c", b"x", b"q", b"u"
_SHIFT = 1 << 63  # two's complement to the order of bytes


@dataclass(frozen=True, slots=True)
class Counted:
    """Ids of the rules that have counted a sighting."""

    rules: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """As JSON."""
        return json.dumps(self.rules, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, value: bytes | None) -> "Counted":
        """From JSON; None is nothing."""
        return cls(tuple(json.loads(value))) if value is not None else cls()


@dataclass(frozen=True, slots=True)
class Quiet:
    """The alerts of a rule for a group, and what was held back since the last.

    Attributes:
        fired: event times of the latest alerts, ascending.
        held_back: matches since then.
        doublings: of the silence after the last alert (``realert: exponential``).
    """

    fired: tuple[int, ...] = ()
    held_back: int = 0
    doublings: int = 0

    def encode(self) -> bytes:
        """As JSON."""
        rest = {"held_back": self.held_back} | ({"doublings": self.doublings} if self.doublings else {})
        return json.dumps([*self.fired, rest], separators=(",", ":")).encode()

    @classmethod
    def decode(cls, value: bytes | None) -> "Quiet":
        """From JSON; None is nothing."""
        if value is None:
            return cls()
        *fired, rest = json.loads(value)
        return cls(tuple(fired), rest["held_back"], rest.get("doublings", 0))

    def covers(self, at_us: int, for_us: int, last_us: int) -> bool:
        """Whether a match at this time is held back; a late one before an alert as well as one after it.

        Args:
            at_us: of the match.
            for_us: how long the rule is silent around an alert.
            last_us: the same after the last alert, where that has grown.
        """
        if any(abs(at_us - fired) < for_us for fired in self.fired):
            return True
        return bool(self.fired) and 0 <= at_us - self.fired[-1] < last_us

    def after_alert(self, at_us: int, doublings: int = 0) -> "Quiet":
        """The state once an alert has been raised."""
        return Quiet(tuple(sorted((*self.fired, at_us)))[-MAX_FIRED:], 0, doublings)


@dataclass(frozen=True, slots=True)
class Used:
    """Sightings that have used a quota.

    Attributes:
        event_ids: in the order in which they came; as many as the quota allows at most.
    """

    event_ids: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """As JSON."""
        return json.dumps(self.event_ids, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, value: bytes | None) -> "Used":
        """From JSON; None is nothing."""
        return cls(tuple(json.loads(value))) if value is not None else cls()


def counted_key(sighting: Sighting) -> bytes:
    """Key of a sighting's `Counted`; all its revisions have the same."""
    return COUNTED + _sortable(sighting.captured_at) + sighting.event_id.encode()


def quiet_key(rule_id: str, group: str) -> bytes:
    """Key of a group's `Quiet`."""
    if len(group) > MAX_GROUP_CHARS:
        group = sha256(group.encode()).hexdigest()
    return QUIET + rule_id.encode() + b"\x00" + group.encode()


def used_key(rule_id: str, use: str, period: str, over_us: int) -> bytes:
    """Key of the `Used` of a period.

    Args:
        rule_id: each rule counts for itself.
        use: which permit, and whose plate.
        period: that the quota is for.
        over_us: when the period is over: no sighting that asks for it is later, so the oldest may go first.
    """
    if len(use) > MAX_GROUP_CHARS:
        use = sha256(use.encode("utf-8", "surrogatepass")).hexdigest()
    names = f"{rule_id}\x00{period}\x00{use}"
    return USED + _sortable(over_us) + names.encode("utf-8", "surrogatepass")


def expiry_key(quiet: bytes, last_fired_us: int, for_us: int) -> bytes:
    """Key of the mark that says when a `Quiet` may go."""
    return EXPIRY + _sortable(last_fired_us + max(0, for_us - KEEP_US)) + quiet


def expiry_range(kind: bytes, now_us: int) -> tuple[bytes, bytes]:
    """First key and end of what may be forgotten of a kind, `COUNTED`, `USED` or `EXPIRY`, at an event time."""
    return kind + bytes(8), kind + _sortable(max(-_SHIFT, now_us - KEEP_US))


def forgotten_by(key: bytes) -> tuple[bytes, ...]:
    """What goes with an expired key: itself, and for a mark the state that it stands for."""
    return (key, key[9:]) if key.startswith(EXPIRY) else (key,)


def _sortable(micros: int) -> bytes:
    return min(max(micros + _SHIFT, 0), 2 * _SHIFT - 1).to_bytes(8, "big")
