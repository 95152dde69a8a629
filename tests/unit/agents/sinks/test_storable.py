"""What no store can keep is refused before it is asked."""

import math
from dataclasses import replace
from typing import Any

import pytest

from agents.sinks.storable import FIRST_US, LAST_US, check_storable, moment
from schemas.errors import SinkRejected
from schemas.events import CharacterAlternative, Plate
from tests.unit.agents.sinks.sightings import alert, sighting


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"latency_ms": math.nan}, "latency_ms"),
        ({"plate": Plate("A", "A", -math.inf)}, "plate.confidence"),
        ({"plate": Plate("A", "A", 0.5, None, ((CharacterAlternative("A", math.nan),),))}, "plate.characters"),
        ({"extras": {"note": "\udfff"}}, "extras['note']"),
        ({"camera_id": "\ud800"}, "camera_id"),
    ],
)
def test_unstorable_field_is_named(fields: dict[str, Any], named: str) -> None:
    """The refusal says which field it is, however deep."""
    with pytest.raises(SinkRejected, match=named.replace("[", r"\[")):
        check_storable(replace(sighting(), **fields))


def test_whole_events_pass() -> None:
    """What producers normally send is storable, emoji and NUL included: those are for the stores to judge."""
    check_storable(sighting(text="😀京\0"))
    check_storable(alert())


@pytest.mark.parametrize("micros", [FIRST_US - 1, LAST_US + 1, -(2**63), 2**63 - 1])
def test_time_outside_of_the_calendar(micros: int) -> None:
    """A time before year 1 or after 9999 is refused, its neighbours inside are not."""
    with pytest.raises(SinkRejected, match="captured_at"):
        moment(micros, "captured_at")
    assert moment(FIRST_US, "t").year == 1
    assert moment(LAST_US, "t").year == 9999
