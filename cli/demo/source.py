"""The pictures that the demo looks at: a clip that it renders itself, or what the user brings."""

import random
import string
from dataclasses import dataclass
from pathlib import Path

CARS = 8
WATCHLISTED = 2
SECONDS_PER_CAR = 2.5
FRAMES_PER_S = 8
_LETTERS = "".join(sorted(set(string.ascii_uppercase) - set("IOQ")))  # most countries leave these out of their series


@dataclass(frozen=True, slots=True)
class DemoSource:
    """What the edge agent is pointed at.

    Attributes:
        location: file, folder or RTSP URL.
        watchlisted: plates that it is known to show and that are to alert; empty for the user's own source.
        live: it does not end by itself.
    """

    location: str
    watchlisted: tuple[str, ...] = ()
    live: bool = False


def own_source(location: str) -> DemoSource:
    """The user's file, folder or stream."""
    live = "://" in location and not location.startswith("file://")
    return DemoSource(location=location, live=live)


def rendered_source(folder: Path, seed: int) -> DemoSource:
    """A clip of cars whose plates are drawn from the seed; the first and another one are on the watchlist."""
    from edge_agent.rendering import render_clip  # noqa: PLC0415 - OpenCV is slow to load, and only this needs it

    plates = random_plates(CARS, seed)
    path = folder / "demo.mp4"
    render_clip(path, plates, seconds_per_car=SECONDS_PER_CAR, fps=FRAMES_PER_S, seed=seed)
    return DemoSource(location=str(path), watchlisted=(plates[0], plates[CARS // 2]))


def random_plates(count: int, seed: int) -> list[str]:
    """Plates of the form AB12CDE, different from each other in at least two places."""
    dice = random.Random(seed)
    plates: list[str] = []
    while len(plates) < count:
        shape = (_LETTERS, _LETTERS, string.digits, string.digits, _LETTERS, _LETTERS, _LETTERS)
        plate = "".join(dice.choice(group) for group in shape)
        if all(sum(a != b for a, b in zip(plate, other, strict=True)) > 1 for other in plates):
            plates.append(plate)
    return plates
