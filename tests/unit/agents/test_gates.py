"""Which sightings are entries and exits, and what visits see of them."""

import pytest

from agents.decisions.gates import GATE_HEADER, gate_in, gate_of, gate_read
from schemas.errors import SchemaError
from schemas.events import Camera, CharacterAlternative, Plate, Resolved, Sighting


def sighting(**fields: object) -> Sighting:
    """A sighting at camera ``gate`` of site ``north``."""
    values: dict[str, object] = {
        "event_id": "e1", "captured_at": 5, "camera_id": "gate", "site_id": "north", "first_seen_at": 5,
        "last_seen_at": 6, "revision": 1, "match_key": "A81234", "plate": Plate("AB-1234", "AB1234", 0.9), **fields,
    }  # fmt: skip
    return Sighting(**values)  # type: ignore[arg-type]  # as given


@pytest.mark.parametrize(
    ("role", "direction", "gate"),
    [
        (None, "in", None), ("entry", "out", "entry"), ("exit", None, "exit"), ("both", "in", "entry"),
        ("both", " OUT ", "exit"), ("both", "north", "no_direction"), ("both", None, "no_direction"),
        ("parking", "in", None),
    ],
)  # fmt: skip
def test_role_of_the_camera_decides(role: str | None, direction: str | None, gate: str | None) -> None:
    """For a gate in both ways the direction of the sighting does."""
    camera = Camera(camera_id="gate", site_id="north", role=role)
    assert gate_of(sighting(direction=direction), camera) == gate


def test_camera_knows_site_and_direction_where_the_sighting_does_not() -> None:
    """An unregistered camera is no gate; one without a site is told apart."""
    camera = Camera(camera_id="gate", role="both", direction="out")
    assert gate_of(sighting(), None) is None
    assert gate_of(sighting(), camera) == "exit"
    assert gate_of(sighting(site_id=None), camera) == "no_site"


def test_identity_is_what_the_reads_add_up_to() -> None:
    """Resolved text before read text; alternatives belong to the text that they were read for."""
    characters = tuple((CharacterAlternative(char, 0.9),) for char in "AB1234")
    plate = Plate("AB-1234", "AB1234", 0.9, "de", characters)
    same = sighting(plate=plate, resolved=Resolved(text="AB1234", confidence=0.99))
    other = sighting(plate=plate, resolved=Resolved(text="AB1284", confidence=0.8))
    assert (gate_read(same, "exit").text, gate_read(same, "exit").characters) == ("AB1234", characters)
    assert (gate_read(other, "exit").text, gate_read(other, "exit").characters) == ("AB1284", ())
    assert (gate_read(other, "exit").confidence, gate_read(other, "exit").region) == (0.8, "de")
    assert gate_read(sighting(plate=None), "entry").text == ""
    assert gate_read(sighting(merged_into="e0"), "entry").gone


@pytest.mark.parametrize("headers", [(), ((GATE_HEADER, b"window"),), ((GATE_HEADER, None),), (("other", b"exit"),)])
def test_record_that_names_no_gate_is_refused(headers: tuple[tuple[str, bytes | None], ...]) -> None:
    """Somebody else wrote it."""
    with pytest.raises(SchemaError, match=GATE_HEADER):
        gate_in(headers)
