"""Images that are still on their way: when to look again, and when to give up. Pure: event time is an argument."""

from dataclasses import dataclass, replace

from agents.sinks.archive_keys import ImageRef
from agents.sinks.settings import ImagesSettings
from schemas.clock import MICROS_PER_S, Micros


@dataclass(frozen=True, slots=True)
class PendingImage:
    """An image that was looked for and was not there.

    Attributes:
        key: of the object.
        event_id, plate, revision: what it will be tagged with.
        since: event time of the first look.
        looks: how often it was looked for.
    """

    key: str
    event_id: str
    plate: str
    revision: int
    since: Micros
    looks: int = 1

    @classmethod
    def of(cls, ref: ImageRef, now: Micros) -> "PendingImage":
        """After the first look."""
        return cls(ref.key, ref.event_id, ref.plate, ref.revision, now)

    @property
    def ref(self) -> ImageRef:
        """What to look for."""
        return ImageRef(self.key, self.event_id, self.plate, self.revision)

    def missed_again(self) -> "PendingImage":
        """After another look."""
        return replace(self, looks=self.looks + 1)


def next_look(pending: PendingImage, now: Micros, settings: ImagesSettings) -> Micros | None:
    """Event time of the next look: the pause doubles up to a limit.

    Returns:
        None: given up. That is measured from the first look, not from the capture: an edge agent that was cut off sends
        old events, and their images after them.
    """
    if now - pending.since >= settings.give_up_s * MICROS_PER_S:
        return None
    pause_s = min(settings.max_pause_s, settings.first_look_s * 2.0 ** min(pending.looks - 1, 30))
    return now + round(pause_s * MICROS_PER_S)
