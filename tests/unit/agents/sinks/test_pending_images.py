"""When an image on its way is looked for again."""

from agents.sinks.archive_keys import ImageRef
from agents.sinks.pending_images import PendingImage, next_look
from agents.sinks.settings import ImagesSettings
from schemas.clock import MICROS_PER_S
from tests.unit.agents.sinks.sightings import NOON

SETTINGS = ImagesSettings(first_look_s=2, max_pause_s=30, give_up_s=300)
REF = ImageRef("a/plate.jpg", "e1", "AB1", 1)


def test_pauses_double_up_to_their_limit_and_end() -> None:
    """Looks are spread over the time that an upload may take, then given up."""
    pending, now = PendingImage.of(REF, NOON), NOON
    pauses = []
    while (at := next_look(pending, now, SETTINGS)) is not None:
        pauses.append((at - now) // MICROS_PER_S)
        pending, now = pending.missed_again(), at
        assert len(pauses) < 100
    assert pauses[:6] == [2, 4, 8, 16, 30, 30]
    assert max(pauses) == 30
    assert sum(pauses) >= 300


def test_given_up_is_measured_from_the_first_look() -> None:
    """An old event that arrives late still gets its looks."""
    assert next_look(PendingImage.of(REF, NOON + 10**12), NOON + 10**12, SETTINGS) is not None


def test_what_is_looked_for_is_what_was_missed() -> None:
    """The reference survives the table."""
    assert PendingImage.of(REF, NOON).missed_again().ref == REF
