"""What people did with alerts, folded into what the notifier must know: which are silenced, which are taken care of.

The fold is the same for any order and any number of repetitions of the actions, since the topic is read again after
every lost connection. Time is an argument.
"""

from dataclasses import dataclass

from agents.decisions.alert_matching import matches
from schemas.clock import MICROS_PER_S, Micros
from schemas.events import Alert, AlertAction, AlertMatcher

ACKNOWLEDGE, RESOLVE, SILENCE, UNSILENCE = "acknowledge", "resolve", "silence", "unsilence"
REMEMBER_US = 14 * 86_400 * MICROS_PER_S
"""How long an acknowledgement, and the end of a silence, are kept: longer than the longest escalation."""
_PRUNE_EVERY = 1000


@dataclass(frozen=True, slots=True)
class Silence:
    """A silence.

    Attributes:
        silence_id: `action_id` of the action that made it.
        alert_id: the one alert that it is for; None where a matcher says which.
        matcher: which alerts; None where it is for one.
        starts_at, until: it holds from the one and before the other.
    """

    silence_id: str
    alert_id: str | None
    matcher: AlertMatcher | None
    starts_at: Micros
    until: Micros
    author: str
    comment: str

    @classmethod
    def of(cls, action: AlertAction) -> "Silence | None":
        """The silence that an action makes; None where it makes none."""
        if action.action != SILENCE or action.until is None:
            return None
        return cls(
            silence_id=action.action_id,
            alert_id=action.alert_id if action.matcher is None else None,
            matcher=action.matcher,
            starts_at=action.acted_at if action.starts_at is None else action.starts_at,
            until=action.until,
            author=action.actor,
            comment=action.note or "",
        )

    @property
    def words(self) -> str:
        """What a receipt says of it."""
        return f"silence {self.silence_id} by {self.author}" + (f": {self.comment}" if self.comment else "")

    def holds(self, at: Micros) -> bool:
        """Whether it is in force."""
        return self.starts_at <= at < self.until

    def covers(self, alert: Alert) -> bool:
        """Whether it is for this alert, whatever the time."""
        if self.matcher is None:
            return self.alert_id == alert.alert_id
        return matches(self.matcher, alert)


class AlertActions:
    """The actions so far."""

    def __init__(self) -> None:
        self._silences: dict[str, Silence] = {}
        self._ended: dict[str, Micros] = {}
        self._acknowledged: dict[str, Micros] = {}
        self._noted = 0

    def note(self, action: AlertAction, now: Micros) -> None:
        """Take an action in. What is long over is forgotten on the way."""
        if action.action in (ACKNOWLEDGE, RESOLVE):
            self._acknowledged[action.alert_id] = max(action.acted_at, self._acknowledged.get(action.alert_id, 0))
        elif action.action == UNSILENCE and action.silence_id is not None:
            self._ended[action.silence_id] = action.acted_at
            self._silences.pop(action.silence_id, None)
        else:
            silence = Silence.of(action)
            if silence is not None and silence.until > now and silence.silence_id not in self._ended:
                self._silences[silence.silence_id] = silence
        self._noted += 1
        if self._noted % _PRUNE_EVERY == 0:
            self._prune(now)

    def silences(self, at: Micros) -> list[Silence]:
        """Those that are in force or still to come, the first to end first."""
        found = [silence for silence in self._silences.values() if silence.until > at]
        return sorted(found, key=lambda silence: (silence.until, silence.silence_id))

    def silence_of(self, alert: Alert, at: Micros) -> Silence | None:
        """The silence that holds an alert back; of several the one that lasts longest."""
        found = [each for each in self._silences.values() if each.holds(at) and each.covers(alert)]
        return max(found, key=lambda silence: (silence.until, silence.silence_id), default=None)

    def is_taken_care_of(self, alert_id: str) -> bool:
        """Whether somebody has acknowledged or resolved it."""
        return alert_id in self._acknowledged

    def _prune(self, now: Micros) -> None:
        oldest = now - REMEMBER_US
        self._silences = {key: each for key, each in self._silences.items() if each.until > now}
        # the end of a silence that is read again after it was forgotten does no harm: its silence is over by then, or
        # stands in the same partition before it
        self._ended = {key: at for key, at in self._ended.items() if at > oldest}
        self._acknowledged = {key: at for key, at in self._acknowledged.items() if at > oldest}
