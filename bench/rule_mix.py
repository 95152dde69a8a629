"""The published mix of a thousand rules: what each kind asks, how many there are, and files of them.

Seven in ten are plain rules, three in ten are stateful: they look for something in several sightings. Each is about a
part of the city (a camera, a site, a list, a colour), as rules of a large operator are; one counts everybody.
"""

import random
from collections.abc import Callable
from pathlib import Path

from bench.traffic import COLORS, LETTERS, MAKES

CAMERAS = 200
PLAIN, STATEFUL = 700, 300
Kind = Callable[[random.Random], str]


def plate(dice: random.Random) -> str:
    """A plate of the form ABC1234, as `bench.traffic` has them."""
    return "".join(dice.choice(LETTERS) for _ in range(3)) + f"{dice.randrange(10_000):04}"


def camera(dice: random.Random) -> str:
    """A camera of the traffic."""
    return f"cam-{dice.randrange(CAMERAS):04}"


def site(dice: random.Random) -> str:
    """A site of the traffic."""
    return f"site-{dice.randrange(100):02}"


def _looks(dice: random.Random) -> str:
    return f"{{field: vehicle_color, op: equals, value: {dice.choice(COLORS)}}}"


PLAIN_KINDS: tuple[Kind, ...] = (
    lambda dice: f"match: {{plate: [{plate(dice)}, {plate(dice)}]}}",
    lambda dice: f"match: {{plate: '{plate(dice)[:3]}?{dice.randrange(10)}*'}}",
    lambda dice: (
        f"match: {{all: [{_looks(dice)}, {{cameras: {camera(dice)}}}, "
        f"{{field: vehicle_make, op: equals, value: {dice.choice(MAKES)[0]}}}]}}"
    ),
    lambda dice: f"match: {{field: plate_text, op: regex, value: '^{plate(dice)[:4]}'}}",
    lambda dice: f"match: {{all: [{{watchlist: wanted}}, {{sites: {site(dice)}}}]}}",
    lambda dice: (
        f"match: {{all: [{{watchlist: wanted}}, {{cameras: {camera(dice)}}}, {{schedule: {{days: weekdays}}}}]}}"
    ),
    lambda dice: f"match: {{all: [{{cameras: {camera(dice)}}}, {{field: plate_confidence, op: '<', value: 0.72}}]}}",
)
STATEFUL_KINDS: tuple[Kind, ...] = (
    lambda dice: (
        f"match: {{all: [{{cameras: {camera(dice)}}}, {_looks(dice)}]}}, group_by: [camera_id, vehicle_make], "
        "timespan: 1m, correlation: {type: event_count, condition: {gte: 3}}"
    ),
    lambda dice: (
        f"match: {{all: [{{cameras: {camera(dice)}}}, {_looks(dice)}]}}, group_by: camera_id, timespan: 1m, "
        "correlation: {type: value_count, field: plate_text, condition: {gte: 6}}"
    ),
    lambda dice: (
        f"match: {{all: [{{watchlist: wanted}}, {{sites: {site(dice)}}}]}}, timespan: 2h, "
        "correlation: {type: event_count, condition: {gte: 2}}"
    ),
    lambda dice: (
        f"match: {{all: [{{watchlist: wanted}}, {_looks(dice)}]}}, timespan: 12h, "
        "correlation: {type: impossible_travel, probability: 0.6}"
    ),
    lambda dice: (
        "timespan: 30m, correlation: {type: sequence, steps: ["
        f"{{name: first, match: {{all: [{{cameras: {camera(dice)}}}, {_looks(dice)}]}}}}, "
        f"{{name: then, match: {{all: [{{cameras: {camera(dice)}}}, {_looks(dice)}]}}}}]}}"
    ),
    lambda dice: (
        f"match: {{plate: [{plate(dice)}, {plate(dice)}, '{plate(dice)[:4]}*']}}, timespan: 1h, "
        "correlation: {type: loitering}"
    ),
)


def write_mix(folder: Path, seed: int = 11) -> None:
    """Write ``mix.yml`` into a folder."""
    dice = random.Random(seed)
    lines = []
    for number in range(PLAIN + STATEFUL):
        kinds = PLAIN_KINDS if number < PLAIN else STATEFUL_KINDS
        lines.append(f"  - {{id: rule-{number:03}, suppress: 10m, {kinds[number % len(kinds)](dice)}}}\n")
    lines.append(
        "  - {id: everybody, timespan: 10m, suppress: 10m, correlation: {type: event_count, condition: {gte: 4}}}\n"
    )
    (folder / "mix.yml").write_text("rules:\n" + "".join(lines), encoding="utf-8")
