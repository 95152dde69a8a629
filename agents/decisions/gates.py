"""Which sightings are entries and exits of a site: by the gate role of their camera, as the registry has it."""

from collections.abc import Sequence

from schemas.errors import SchemaError
from schemas.events import Camera, Sighting
from tables.visits import ENTRY, EXIT, GateRead

BOTH = "both"
GATE_HEADER = "alpr-gate"
"""``entry`` or ``exit``: the registry's word at the time, so that a replay sees the same gate."""
NO_SITE, NO_DIRECTION = "no_site", "no_direction"
_WAYS = {
    **dict.fromkeys(("in", "entry", "enter", "entering", "inbound", "arriving"), ENTRY),
    **dict.fromkeys(("out", "exit", "leave", "leaving", "outbound", "departing"), EXIT),
}


def gate_of(sighting: Sighting, camera: Camera | None) -> str | None:
    """What a sighting is to the visits of its site.

    Returns:
        ``entry`` or ``exit``; None: its camera stands at no gate; `NO_DIRECTION`: it stands at a gate for both ways,
        and the sighting does not say which; `NO_SITE`: nobody says whose gate it is.
    """
    if camera is None or camera.role is None:
        return None
    if site_of(sighting, camera) is None:
        return NO_SITE
    if camera.role in (ENTRY, EXIT):
        return camera.role
    if camera.role != BOTH:
        return None
    direction = sighting.direction or camera.direction or ""
    return _WAYS.get(direction.strip().lower(), NO_DIRECTION)


def site_of(sighting: Sighting, camera: Camera) -> str | None:
    """The site that a gate belongs to: the registry's word first, for both gates of a site must say the same."""
    return camera.site_id or sighting.site_id


def gate_in(headers: Sequence[tuple[str, bytes | None]]) -> str:
    """The gate that a record of sightings by site speaks of.

    Raises:
        SchemaError: none, or none that there is.
    """
    for name, value in headers:
        if name == GATE_HEADER and value in (ENTRY.encode(), EXIT.encode()):
            return value.decode()
    raise SchemaError(f"the header {GATE_HEADER} says neither {ENTRY} nor {EXIT}")


def gate_read(sighting: Sighting, gate: str) -> GateRead:
    """The sighting as visits see it: the identity that its reads add up to, else what was read."""
    plate = sighting.plate
    text = plate.normalized_text if plate is not None else ""
    confidence = plate.confidence if plate is not None else 0.0
    characters = plate.characters if plate is not None else ()
    if sighting.resolved is not None and sighting.resolved.text != text:
        text, confidence, characters = sighting.resolved.text, sighting.resolved.confidence, ()
    return GateRead(
        event_id=sighting.event_id,
        revision=sighting.revision,
        at=sighting.captured_at,
        gate=gate,
        camera_id=sighting.camera_id,
        text=text,
        region=plate.region if plate is not None else None,
        # an entry is only ever compared with: how sure it was is no news, and would be kept for nothing
        confidence=confidence if gate == EXIT else 1.0,
        gone=sighting.merged_into is not None,
        characters=tuple(tuple(position) for position in characters) if gate == EXIT else (),
    )
