"""CPU time of the core per detection, without Kafka: ``python -m bench.core``.

Measured on made-up traffic (`bench.traffic`), in one process and thread: decoding and encoding alone, admission to
passes alone, then each agent as the worker runs it (`handle` on runs: decode, decide, encode, hand over), and the path
of all three with 100 rules. What the transport and Kafka's clients cost comes on top. Times are CPU times of the
process, so that other work on the machine counts less; medians of five rounds. Reference cycles are looked for as in
the worker.

    python -m bench.core [--quick] [--against bench/results/core-before.json] [--out bench/results/core.json]
"""

import argparse
import asyncio
import gc
import json
import logging
import os
import platform
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import structlog

from agents.correlate import Correlator
from agents.decisions.correlation import WatchlistFeed
from agents.decisions.pass_settings import DeduplicationSettings
from agents.decisions.passes import PassKeeper
from agents.decisions.plausibility import RoutingSettings
from agents.deduplicate import Deduplicator
from agents.route import Router
from alert_rules.book import RuleBook
from bench.in_process import LogRecord, MemoryTable, OutputKeeper, log_of, runs_of
from bench.rules import write_rules
from bench.traffic import Scene, traffic
from schemas.codec import EventCodec
from schemas.registry import MemoryRegistry
from schemas.topics import DETECTED, ROUTED, SIGHTINGS
from streams.guard import DeadLetterGuard
from streams.run import Output
from streams.worker import calm_collector
from tables.passes import CameraPasses

ROUNDS = 5
RUN_RECORDS = 200
SCENES = {"20 cameras": Scene(20), "1000 cameras": Scene(1000, 30_000)}
Result = dict[str, float]


class Bench:
    """One scene's traffic and the agents to put it through.

    Args:
        scene: how much traffic.
        rules_folder: rule files and watchlists.
    """

    def __init__(self, scene: Scene, rules_folder: Path) -> None:
        self.codec = EventCodec(MemoryRegistry())
        self.events = traffic(scene)
        self.raw = log_of(
            DETECTED.name,
            DETECTED.partitions,
            [
                (
                    event.last_seen_at // 1000 + 100,
                    Output(DETECTED.name, event.camera_id.encode(), self.codec.encode(DETECTED, event)),
                )
                for event in self.events
            ],
        )
        self._book = RuleBook(rules_folder / "rules", rules_folder / "watchlists")
        self._book.load()
        self.value_bytes = statistics.fmean(len(record.value or b"") for record in self.raw)

    def run(self) -> tuple[Result, Result]:
        """Go once through everything: microseconds of CPU, and what else there is to know."""
        us: Result = {"decode": self._decode(), "encode": self._encode(), "admit": self._admit()}
        keeper = OutputKeeper()
        rates = MemoryTable().as_run_table()
        router = Router(self.codec, {}, RoutingSettings(), self._guard("route"), rates)
        us["route"] = self._handle(router, self.raw, keeper)
        routed = log_of(ROUTED.name, ROUTED.partitions, keeper.outputs)
        assert len(routed) == len(self.raw), "a detection was dead-lettered"

        keeper, passes = OutputKeeper(), MemoryTable()
        deduplicator = Deduplicator(
            passes.as_run_table(),
            MemoryTable().as_run_table(),
            self.codec,
            DeduplicationSettings(),
            self._guard("deduplicate"),
        )
        us["deduplicate"] = self._handle(deduplicator, routed, keeper)
        sightings = log_of(SIGHTINGS.name, SIGHTINGS.partitions, keeper.outputs)

        keeper = OutputKeeper()
        correlator = Correlator(
            self._book, WatchlistFeed(self._book.watchlists, self.codec), self.codec, self._guard("correlate"),
            MemoryTable().as_run_table(), MemoryTable().as_run_table(),
        )  # fmt: skip
        us["correlate"] = self._handle(correlator, sightings, keeper)
        us["route + deduplicate + correlate"] = us["route"] + us["deduplicate"] + us["correlate"]
        known: Result = {
            "detections": len(self.raw),
            "bytes of a detection": round(self.value_bytes),
            "sightings": len(sightings),
            "alerts": len(keeper.outputs),
            "bytes of a camera's state": round(statistics.fmean(map(len, passes.values.values()))),
            "state bytes written per detection": round(passes.written_bytes / len(self.raw)),
        }
        return us, known

    def _guard(self, agent: str) -> DeadLetterGuard:
        return DeadLetterGuard(agent, self.codec)

    def _decode(self) -> float:
        values = [record.value for record in self.raw]
        return self._each(lambda: [self.codec.decode(DETECTED, value) for value in values])

    def _encode(self) -> float:
        """Encode what was decoded, as agents do."""
        decoded = [self.codec.decode(DETECTED, record.value) for record in self.raw]
        return self._each(lambda: [self.codec.encode(DETECTED, event) for event in decoded])

    def _admit(self) -> float:
        keeper = PassKeeper(DeduplicationSettings())
        states: dict[str, CameraPasses] = {}
        decoded = [(self.codec.decode(DETECTED, record.value), record) for record in self.raw]

        def admit_all() -> None:
            for event, record in decoded:
                state = states.get(event.camera_id)
                if state is None:
                    state = states[event.camera_id] = CameraPasses()
                assert record.value is not None
                keeper.admit(state, event, value=record.value, offset=record.offset, recorded_at_ms=record.timestamp)

        return self._each(admit_all)

    def _handle(self, agent: Any, log: list[LogRecord], keeper: OutputKeeper) -> float:
        async def handle_all() -> None:
            for run in runs_of(log, keeper, RUN_RECORDS):
                await agent.handle(run)

        return self._each(lambda: asyncio.run(handle_all()))

    def _each(self, work: Callable[[], Any]) -> float:
        """CPU microseconds of the work per raw detection."""
        gc.collect()
        began = process_time()
        work()
        return (process_time() - began) / len(self.raw) * 1e6


def measure(scene: Scene, rounds: int) -> dict[str, Any]:
    """Medians over the rounds."""
    with tempfile.TemporaryDirectory() as folder:
        write_rules(Path(folder))
        bench = Bench(scene, Path(folder))
        calm_collector()
        results = [bench.run() for _ in range(rounds)]
    us = {name: round(statistics.median(one[name] for one, _ in results), 1) for name in results[0][0]}
    return {"us_per_detection": us, **results[0][1]}


def main() -> None:
    """Print the table and write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round of a tenth of the traffic")
    parser.add_argument("--against", type=Path, help="result of the code before, for the ratio")
    parser.add_argument("--out", type=Path, default=Path("bench/results/core.json"))
    options = parser.parse_args()
    logging.disable(logging.DEBUG)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    before = json.loads(options.against.read_text())["scenes"] if options.against else {}
    scenes: dict[str, Any] = {}
    for name, scene in SCENES.items():
        wanted = Scene(scene.cameras, scene.detections // 10) if options.quick else scene
        scenes[name] = measure(wanted, 1 if options.quick else ROUNDS)
        _print(name, scenes[name], before.get(name))
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(
        json.dumps({"machine": machine, "run_records": RUN_RECORDS, "scenes": scenes}, indent=1) + "\n"
    )


def _print(name: str, found: dict[str, Any], before: dict[str, Any] | None) -> None:
    known = ", ".join(f"{value} {what}" for what, value in found.items() if what != "us_per_detection")
    print(f"\n{name}: {known}\n{'':34}{'µs':>8}{'per s':>10}" + (f"{'before':>10}{'ratio':>8}" if before else ""))
    for what, us in found["us_per_detection"].items():
        was = before["us_per_detection"][what] if before else None
        print(f"{what:<34}{us:>8.1f}{1e6 / us:>10.0f}" + (f"{was:>10.1f}{was / us:>8.1f}" if was else ""))


if __name__ == "__main__":
    main()
