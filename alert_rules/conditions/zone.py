"""The sighting lies in an area."""

from dataclasses import dataclass, field
from typing import Any

from alert_rules.facts import Facts
from alert_rules.finding import Finding, Truth
from alert_rules.geometry import Shape


@dataclass(frozen=True, slots=True)
class Zone:
    """``zone: {polygon: ...}`` or ``zone: {circle: ...}``; a zone of cameras is a comparison of the camera.

    Attributes:
        shape: the area.
        name: of a named zone, for people.
    """

    shape: Shape
    name: str | None = field(default=None, compare=False)

    def holds(self, facts: Facts) -> Truth:
        """Whether the place of the sighting lies in it; unknown where no place is known."""
        place = facts.sighting.location
        return None if place is None else self.shape.contains(place.lat, place.lon)

    def explain(self, facts: Facts) -> Finding:
        """The place that it saw."""
        place = facts.sighting.location
        observed = "unknown" if place is None else f"{place.lat:.6f}, {place.lon:.6f}"
        return Finding(self.holds(facts), "location", "in zone", self.name or self.shape.words(), observed)

    def canonical(self) -> Any:
        """The area; its name means nothing."""
        return ["zone", self.shape.canonical()]
