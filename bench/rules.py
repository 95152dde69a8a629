"""A hundred rules of all kinds and a watchlist of a thousand plates, for benchmarks; and what rules cost by themselves.

    python -m bench.rules [--quick] [--mix] [--out bench/results/rules.json]

Prints CPU microseconds per sighting: of the engine for 100 and 1000 rules, with its index and, on fewer sightings, by
asking every rule; of looking a plate up in a watchlist of a million; and what loading that list takes. First of all the
published mix (`bench.rule_mix`): a thousand rules, three in ten stateful, with the million-entry list matched by
likelihood, through the backtest: rules, suppression, correlations and their time. `--mix` does that alone. Exits with 1
where the mix is not what it says or is slower, larger or later than asked for; `--quick` measures less, asks nothing.
"""

import argparse
import json
import os
import platform
import random
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from time import process_time
from typing import Any

from alert_rules.backtest import backtest
from alert_rules.engine import Engine
from alert_rules.facts import Facts
from alert_rules.loading import load_rules
from alert_rules.watchlist_files import load_table
from alert_rules.watchlists import Watchlists
from bench.rule_mix import CAMERAS, write_mix
from bench.traffic import COLORS, LETTERS, Scene, traffic
from schemas.codec import EventCodec
from schemas.events import Detection, Resolved, Sighting
from schemas.identity import match_key
from schemas.registry import MemoryRegistry
from schemas.topics import SIGHTINGS

RULES = 100
LISTED = 1000
MILLION = 1_000_000
ROUNDS = 5
LATENESS_US = 30_000_000
"""In the mix: time that correlations wait for late sightings."""
LEAST_STATEFUL, LEAST_FIRING, LEAST_PER_S = 0.3, 0.02, 5_000
MOST_LIST_MB, MOST_LOAD_S = 600, 30


def write_rules(folder: Path, seed: int = 11, rules: int = RULES) -> None:
    """Write ``rules/`` and ``watchlists/`` below a folder."""
    dice = random.Random(seed)
    for name in ("rules", "watchlists"):
        (folder / name).mkdir()
    (folder / "watchlists" / "wanted.txt").write_text("".join(f"{_plate(dice)}\n" for _ in range(LISTED)))
    kinds = (
        lambda: f"{{plate: [{_plate(dice)}, {_plate(dice)}]}}",
        lambda: f"{{plate: '{_plate(dice)[:3]}?{dice.randrange(10)}*'}}",
        lambda: (
            f"{{all: [{{field: vehicle_color, op: equals, value: {dice.choice(COLORS)}}}, "
            f"{{cameras: cam-{dice.randrange(1000):04}}}]}}"
        ),
        lambda: f"{{field: plate_text, op: regex, value: '^{_plate(dice)[:4]}'}}",
        lambda: f"{{all: [{{watchlist: wanted}}, {{sites: site-{dice.randrange(100):02}}}]}}",
    )
    written = [
        f"  - {{id: rule-{number}, name: rule {number}, suppress: 10m, match: {kinds[number % len(kinds)]()}}}\n"
        for number in range(rules)
    ]
    (folder / "rules" / "bench.yml").write_text("rules:\n" + "".join(written))


def write_million(file: Path, entries: int = MILLION, seed: int = 3) -> None:
    """Write a CSV list of plates with reason, priority and end; one entry in ten thousand is a pattern."""
    dice = random.Random(seed)
    with file.open("w", encoding="utf-8") as out:
        out.write("plate,reason,priority,valid_until\n")
        for number in range(entries):
            plate = _plate(dice)
            if number % 10_000 == 0:
                plate = f"{plate[:3]}?{plate[4]}*"
            out.write(f"{plate},stolen {number % 97},high,2027-01-31\n")


def sightings(detections: Iterable[Detection]) -> list[Sighting]:
    """Each detection as the sighting of a lone read, decoded from its bytes as the agent gets it."""
    codec = EventCodec(MemoryRegistry())
    codec.prepare(SIGHTINGS)
    made = []
    for detection in detections:
        plate = detection.plate
        read = plate is not None and plate.normalized_text
        sighting = Sighting(
            **{field.name: getattr(detection, field.name) for field in fields(Detection)},
            revision=2 if detection.is_final else 1,
            match_key=match_key(plate, detection.camera_id),
            resolved=Resolved(text=plate.normalized_text, confidence=plate.confidence) if plate and read else None,
        )
        made.append(codec.decode(SIGHTINGS, codec.encode(SIGHTINGS, sighting)))
    return made


def measure_rules(rules: int, events: list[Sighting], rounds: int) -> dict[str, Any]:
    """Microseconds of a sighting in the engine."""
    with tempfile.TemporaryDirectory() as folder:
        write_rules(Path(folder), rules=rules)
        lists = Watchlists()
        lists.install(load_table([Path(folder) / "watchlists"]))
        began = process_time()
        loaded = load_rules([Path(folder) / "rules"])
        parsed = process_time() - began
        began = process_time()
        engine = Engine(loaded, lists)
        compiled = process_time() - began

        def decide_all() -> None:
            for event in events:
                engine.evaluate(event, {})

        few = events[:: max(1, len(events) // 500)]

        def ask_every_rule() -> None:
            for event in few:
                facts = Facts(event, lists)
                for rule in engine.rules.enabled:
                    rule.match.holds(facts)

        return {
            "rules": rules,
            "parse s": round(parsed, 3),
            "index s": round(compiled, 3),
            "us indexed": _median_us(decide_all, len(events), rounds),
            "us asking every rule": _median_us(ask_every_rule, len(few), 1),
        }


def measure_million(entries: int, events: list[Sighting], rounds: int) -> dict[str, Any]:
    """Loading and asking a long watchlist."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "wanted.csv"
        write_million(file, entries)
        before = _resident_mb()
        began = process_time()
        table = load_table([file])
        load_s = process_time() - began
        lists = Watchlists()
        lists.install(table)

        def look_all_up() -> None:
            for event in events:
                Facts(event, lists).watchlist_hit(("wanted",), None, False)

        return {
            "entries": len(lists),
            "load s": round(load_s, 1),
            "MB": round(_resident_mb() - before),
            "us": _median_us(look_all_up, len(events), rounds),
            "hits": sum(Facts(event, lists).watchlist_hit(("wanted",), None, False) is not None for event in events),
        }


def measure_mix(entries: int, detections: int, rounds: int) -> dict[str, Any]:
    """The published mix, one core: sightings a CPU second, and whether the mix is what it says."""
    events = sightings(traffic(Scene(CAMERAS, detections)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_mix(folder)
        (folder / "lists").mkdir()
        write_million(folder / "lists" / "wanted.csv", entries)
        lists = Watchlists()
        before_mb, began = _resident_mb(), process_time()
        lists.install(load_table([folder / "lists"]))
        load_s, list_mb = process_time() - began, _resident_mb() - before_mb
        rules = load_rules([folder / "mix.yml"])
    engine = Engine(rules, lists)
    fired: Counter[str] = Counter()
    firing: set[str] = set()

    def decide_all() -> None:
        fired.clear()
        for _, decision in backtest(engine, events, LATENESS_US):
            fired.update(alert.rule.id for alert in decision.alerts)
            firing.update(alert.proof.event_ids[-1] for alert in decision.alerts if alert.proof.event_ids)

    each_us = _median_us(decide_all, len(events), rounds)
    stateful = {rule.id for rule in rules.enabled if rule.correlation is not None}
    return {
        "rules": len(rules.enabled),
        "stateful": round(len(stateful) / len(rules.enabled), 3),
        "sightings": len(events),
        "firing": round(len(firing) / len({event.event_id for event in events}), 4),
        "alerts": fired.total(),
        "alerts of stateful rules": sum(number for rule, number in fired.items() if rule in stateful),
        "us": each_us,
        "sightings per CPU s": round(1e6 / each_us),
        "list entries": len(lists),
        "list MB": round(list_mb),
        "list load s": round(load_s, 1),
    }


def missed(mix: dict[str, Any]) -> list[str]:
    """What the mix does not reach of what is asked for."""
    bounds = (
        ("stateful", LEAST_STATEFUL, True), ("firing", LEAST_FIRING, True), ("sightings per CPU s", LEAST_PER_S, True),
        ("list MB", MOST_LIST_MB, False), ("list load s", MOST_LOAD_S, False),
    )  # fmt: skip
    return [
        f"{name} is {mix[name]:,}, asked for is {'at least' if least else 'at most'} {bound:,}"
        for name, bound, least in bounds
        if (mix[name] < bound if least else mix[name] > bound)
    ]


def main() -> int:
    """Print the figures and write them as JSON; 1 where the mix misses what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round, a tenth of the traffic and of the list")
    parser.add_argument("--mix", action="store_true", help="the published mix alone; the other figures stay")
    parser.add_argument("--out", type=Path, default=Path("bench/results/rules.json"))
    options = parser.parse_args()
    share, rounds = (10, 1) if options.quick else (1, ROUNDS)
    found: dict[str, Any] = json.loads(options.out.read_text()) if options.mix and options.out.exists() else {}
    found["machine"] = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    found["load"] = round(os.getloadavg()[0], 1)
    found["mix"] = mix = measure_mix(MILLION // share, 20_000 // share, rounds)
    print(", ".join(f"{name} {value:,}" for name, value in mix.items()), flush=True)
    if not options.mix:
        events = sightings(traffic(Scene(20, 10_000 // share)))
        found["sightings"] = len(events)
        found["engine"] = [measure_rules(rules, events, rounds) for rules in (100, 1000)]
        found["watchlist"] = measure_million(MILLION // share, events, rounds)
        for row in (*found["engine"], found["watchlist"]):
            print(", ".join(f"{name} {value:,}" for name, value in row.items()))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1) + "\n")
    misses = [] if options.quick else missed(mix)
    print("\n".join(f"missed: {each}" for each in misses) or "all that is asked for holds")
    return 1 if misses else 0


def _median_us(work: Callable[[], None], events: int, rounds: int) -> float:
    times = []
    for _ in range(rounds):
        began = process_time()
        work()
        times.append((process_time() - began) / events * 1e6)
    return round(statistics.median(times), 1)


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _plate(dice: random.Random) -> str:
    return "".join(dice.choice(LETTERS) for _ in range(3)) + f"{dice.randrange(10_000):04}"


if __name__ == "__main__":
    sys.exit(main())
