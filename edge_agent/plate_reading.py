"""From a plate's box to its text: several crops of the box, read in one batch, settled by a vote.

How much of the box's margin goes into the crop is the largest lever on accuracy (docs/decisions/plate-reading.md): the
detector's boxes are loose, and frames, bolts and dealers' lettering above and below the text mislead the reader.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from edge_agent.geometry import Box, Image, crop
from edge_agent.ports import Detector, PlateBox, Read, Reader
from edge_agent.rectify import level
from edge_agent.voting import Ballot, vote


@dataclass(frozen=True, slots=True)
class Inset:
    """Margin that a crop leaves out on each side, as a share of the box.

    Attributes:
        vertical: of the height.
        horizontal: of the width.
    """

    vertical: float
    horizontal: float


STILL_INSETS = (Inset(0.10, 0.0), Inset(0.17, 0.03), Inset(0.21, 0.09))
"""For a photograph: one look has to do."""
VIDEO_INSETS = (Inset(0.10, 0.0), Inset(0.17, 0.03))
"""For a frame of a track: the other frames vote, too."""

LEAST_HEIGHT_PX = 6
LEAST_WIDTH_PX = 12
LEAST_CHARACTERS = 2


@dataclass(frozen=True, slots=True)
class PlateRead:
    """A plate in an image with its text.

    Attributes:
        found: where it is.
        read: what it says; None where nothing can be read.
    """

    found: PlateBox
    read: Read | None

    @property
    def rank(self) -> float:
        """Detection confidence times read confidence; 0 for a plate that says nothing."""
        return self.found.confidence * self.read.confidence if self.read else 0.0


class PlateReading:
    """Detector and reader put together.

    Args:
        detector: Finds the plates.
        reader: Reads their crops.
        insets: One crop each.
    """

    def __init__(self, detector: Detector, reader: Reader, insets: Sequence[Inset] = STILL_INSETS) -> None:
        self.detector = detector
        self.reader = reader
        self._insets = tuple(insets)

    def plates(self, image: Image) -> list[PlateRead]:
        """All plates of an image, best first."""
        found = self.detector.detect(image)
        reads = [PlateRead(plate, self.read_box(image, plate.box)) for plate in found]
        return sorted(reads, key=lambda r: (-r.rank, -r.found.confidence))

    def read_box(self, image: Image, box: Box) -> Read | None:
        """Text of the plate in a box; None where it is too small or nothing can be read."""
        if box.height < LEAST_HEIGHT_PX or box.width < LEAST_WIDTH_PX:
            return None
        image, box = level(image, box)
        crops = [crop(image, box.inset(inset.vertical, inset.horizontal)) for inset in self._insets]
        settled = vote([Ballot(read) for read in self.reader.read(crops) if read is not None])
        return settled if settled and len(settled.text) >= LEAST_CHARACTERS else None
