"""Reads and frames for tests, as short as they can be said."""

import numpy as np

from edge_agent.frames import Frame
from edge_agent.geometry import Image
from edge_agent.ports import Read
from edge_agent.readers.ctc import read_of
from schemas.events import CharacterAlternative


def read(text: str, probability: float = 0.95, **doubts: float) -> Read:
    """A read of a text; `doubts` names a position's rival as `p2_B=0.4` (position 2 may be B)."""
    characters = [[CharacterAlternative(char, probability)] for char in text]
    for name, share in doubts.items():
        place, char = name[1:].split("_")
        characters[int(place)].append(CharacterAlternative(char, share))
    return read_of(tuple(tuple(sorted(c, key=lambda a: -a.probability)) for c in characters))


def noise_image(height_px: int = 90, width_px: int = 160, seed: int = 0) -> Image:
    """A picture with texture."""
    return np.random.default_rng(seed).integers(0, 255, (height_px, width_px, 3), np.uint8)


def frame(stream_s: float, image: Image | None = None, *, is_photograph: bool = False) -> Frame:
    """A frame of a stream that started at the epoch."""
    picture = noise_image() if image is None else image
    return Frame(picture, round(stream_s * 1e6), stream_s, 0.0, is_photograph)
