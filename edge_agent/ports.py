"""What the pipeline needs of a model: three ports. Every adapter passes one conformance test per port."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from edge_agent.geometry import Box, Image
from schemas.events import CharacterAlternative

Characters = tuple[tuple[CharacterAlternative, ...], ...]
"""For each position the alternatives, most probable first; the probabilities of a position sum to 1 at most."""

VEHICLE_TYPES = ("bicycle", "car", "motorcycle", "bus", "truck")


@dataclass(frozen=True, slots=True)
class PlateBox:
    """Where a plate is.

    Attributes:
        box: in pixels of the image that was given.
        confidence: 0..1.
    """

    box: Box
    confidence: float


@dataclass(frozen=True, slots=True)
class VehicleBox:
    """Where a vehicle is and what kind it is.

    Attributes:
        box: in pixels of the image that was given.
        confidence: 0..1.
        type: one of `VEHICLE_TYPES`.
    """

    box: Box
    confidence: float
    type: str


@dataclass(frozen=True, slots=True)
class Read:
    """One reading of one plate.

    Attributes:
        text: upper-case Latin letters and digits, never empty.
        confidence: 0..1.
        characters: one entry for each character of `text`.
    """

    text: str
    confidence: float
    characters: Characters


class Detector(Protocol):
    """Finds plates in an image."""

    @property
    def name(self) -> str:
        """Model and version, as events carry it."""
        ...

    def detect(self, image: Image) -> list[PlateBox]:
        """Plates, most confident first; boxes lie within the image. Any image size is accepted, thread-safe."""
        ...


class Reader(Protocol):
    """Reads the text of plates."""

    @property
    def name(self) -> str:
        """Model and version, as events carry it."""
        ...

    def read(self, crops: Sequence[Image]) -> list[Read | None]:
        """Reads each crop by itself; None where there is nothing to read (also in an empty crop). Thread-safe."""
        ...


class VehicleDetector(Protocol):
    """Finds vehicles in an image."""

    @property
    def name(self) -> str:
        """Model and version, as events carry it."""
        ...

    def vehicles(self, image: Image) -> list[VehicleBox]:
        """Vehicles, most confident first; boxes lie within the image. Thread-safe."""
        ...
