"""The whole worker on real servers: how many raw detections a second one process does, and what they cost.

    python -m bench.worker                                    # 300 thousand detections, 200 cameras, 100 rules
    python -m bench.worker --records 2000000 --memory         # and how memory grows

Starts Kafka and the registry of the local stack on free ports, fills ``alpr.plates.detected`` with made-up traffic
(`bench.traffic`; every camera is registered, with site, zone and country), then starts one worker with the roles core
and alerts: route, deduplicate and correlate. The clock runs from the first routed record until everything is drained:
outputs and changelogs acknowledged and the offsets of both groups committed up to the ends of all three topics. A
detection that is lost or dead-lettered fails the run.

- raw detections/s: on the wall clock. Kafka runs on the same machine, so look at the CPU seconds too.
- CPU s per 100 thousand: of the worker process, all threads, user and system.
- RSS: largest resident memory of the worker that was seen (looks every half second).
- slope (with --memory): megabytes of RSS per 100 thousand detections, by least squares over the samples after the first
  quarter of the work. What leaks grows; what is bounded does not.

A profile of the worker while it works: ``py-spy record --pid PID -o worker.svg`` with the process id that is printed.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.live_worker import LiveWorker, Progress, WorkerEnded
from bench.rules import write_rules
from bench.traffic import Scene, registered, stream
from cli.kafka_clients import producer
from cli.topics import topics
from compose.local.errors import StackError
from compose.local.services import chosen
from compose.local.stack import Stack
from compose.local.watch import Guardian
from schemas.clock import MICROS_PER_S, now_us
from schemas.codec import EventCodec
from schemas.endpoints import endpoints
from schemas.registry import HttpRegistry
from schemas.topics import CAMERAS, DETECTED, DLQ, ROUTED, SIGHTINGS

GROUPS = {"alpr-core": (DETECTED, ROUTED), "alpr-alerts": (SIGHTINGS,)}
LOOK_S = 0.5
START_LOOK_S = 0.05
SAY_S = 10.0
MB = 1_000_000
CLOCK_RECORDS = 100
"""The routed topic carries a few clock records too, from the start of the worker on: more than these are detections."""
WARM_UP = 0.25
"""Part of the work whose samples do not count for the slope: tables, caches and allocators fill."""
HUNDRED_THOUSAND = 100_000
MAX_SLOPE_MB = 1.0
RATE, CPU, RSS = "raw detections/s", "CPU s per 100 thousand", "largest RSS MB"
SLOPE = "slope MB per 100 thousand"


@dataclass(frozen=True, slots=True)
class Sample:
    """The worker at a moment.

    Attributes:
        at_s: monotonic clock.
        cpu_s: CPU time so far.
        rss: resident bytes.
        done: records that the groups have committed, by topic.
    """

    at_s: float
    cpu_s: float
    rss: int
    done: dict[str, int]


@contextmanager
def servers() -> Iterator[None]:
    """Kafka and the registry on free ports with fresh data, gone afterwards; their addresses in the environment."""
    stack = Stack(f"bench-{os.getpid()}", services=chosen(("kafka", "schema-registry")), report=say)
    before = dict(os.environ)
    guardian = Guardian(stack)
    try:
        stack.start(free_ports=True, fresh=True)
        os.environ.update(stack.endpoints())
        endpoints.cache_clear()
        yield
    finally:
        stack.destroy()
        guardian.release()
        os.environ.clear()
        os.environ.update(before)
        endpoints.cache_clear()


def fill(scene: Scene) -> tuple[int, float]:
    """Write the traffic to the raw topic and the cameras to theirs: how many detections, and their mean bytes."""
    codec = EventCodec(HttpRegistry(endpoints().registry_url))
    out = producer()
    for camera in registered(scene):
        out.produce(CAMERAS.name, codec.encode(CAMERAS, camera), camera.camera_id.encode())
    count = size = 0
    said = time.monotonic()
    for detection in stream(scene):
        value = codec.encode(DETECTED, detection)
        key = detection.camera_id.encode()
        while True:
            try:
                out.produce(DETECTED.name, value, key)
                break
            except BufferError:
                out.poll(0.1)
        count += 1
        size += len(value)
        if count % 1000 == 0:
            out.poll(0)
            if time.monotonic() - said > SAY_S:
                said = time.monotonic()
                say(f"  {count:,} detections written")
    if out.flush(60):
        raise SystemExit("Kafka did not take all of the traffic within a minute")
    return count, size / count


def drain(worker: LiveWorker, records: int) -> list[Sample]:
    """Samples from the first routed record until everything is drained."""
    progress = Progress()
    while True:
        worker.check()
        sample = _sample(worker, progress)
        if progress.end(ROUTED) > CLOCK_RECORDS:
            break
        time.sleep(START_LOOK_S)
    samples = [sample]
    ends = {DETECTED.name: records}
    said = time.monotonic()
    while True:
        time.sleep(LOOK_S)
        worker.check()
        samples.append(sample := _sample(worker, progress))
        for before, topic in ((DETECTED, ROUTED), (ROUTED, SIGHTINGS)):
            # the end of a topic is known when all that makes its records is committed: what comes later is clockwork
            if topic.name not in ends and sample.done[before.name] >= ends.get(before.name, records + 1):
                ends[topic.name] = progress.end(topic)
        if len(ends) == len(sample.done) and all(sample.done[name] >= end for name, end in ends.items()):
            return samples
        if time.monotonic() - said > SAY_S:
            said = time.monotonic()
            done = ", ".join(f"{name} {count:,}" for name, count in sample.done.items())
            say(f"  {sample.at_s - samples[0].at_s:4.0f} s: {done}; {sample.rss / MB:.0f} MB")


def _sample(worker: LiveWorker, progress: Progress) -> Sample:
    at_s, cpu_s, rss = time.monotonic(), worker.cpu_s(), worker.rss_bytes()
    done: dict[str, int] = {}
    for group, read in GROUPS.items():
        done |= progress.committed(group, read)
    return Sample(at_s, cpu_s, rss, done)


def measure(scene: Scene, environment: dict[str, str]) -> dict[str, Any]:
    """Fill, work, look at what came of it.

    Raises:
        WorkerEnded: the worker crashed.
        SystemExit: something is missing in the end.
    """
    say(f"filling {DETECTED.name} with {scene.detections:,} detections of {scene.cameras} cameras")
    records, value_bytes = fill(scene)
    with (
        tempfile.TemporaryDirectory(prefix="alpr-bench-") as folder,
        LiveWorker("core,alerts", Path(folder), environment) as worker,
    ):
        say(f"worker {worker.process.pid} starts")
        samples = drain(worker, records)
        detections, sightings = worker.counts("alpr_detections_total"), worker.counts("alpr_sightings_total")
        alerts = sum(worker.counts("alpr_alerts_total").values())
    letters = Progress().end(DLQ)
    if letters or detections.get("routed") != records or not sightings:
        raise SystemExit(f"of {records} detections: {detections}, {letters} dead letters, sightings {sightings}")
    first, last = samples[0], samples[-1]
    wall_s, cpu_s = last.at_s - first.at_s, last.cpu_s - first.cpu_s
    return {
        "detections": records,
        "bytes of a detection": round(value_bytes),
        "cameras": scene.cameras,
        "sightings": {kind: int(count) for kind, count in sightings.items()},
        "alerts": int(alerts),
        RATE: round(records / wall_s),
        CPU: round(cpu_s / records * HUNDRED_THOUSAND, 2),
        "cores": round(cpu_s / wall_s, 2),
        RSS: round(max(sample.rss for sample in samples) / MB),
        "RSS MB at the end": round(last.rss / MB),
        SLOPE: slope(samples, records),
    }


def slope(samples: list[Sample], records: int) -> float | None:
    """Megabytes of RSS per 100 thousand detections; None where there are too few samples."""
    whole = sum(samples[-1].done.values())
    points = [(sum(sample.done.values()) / whole, sample.rss / MB) for sample in samples]
    warm = [(part * records / HUNDRED_THOUSAND, rss) for part, rss in points if part >= WARM_UP]
    if len({x for x, _ in warm}) < 10:
        return None
    return round(statistics.linear_regression(*zip(*warm, strict=True)).slope, 2)


def main() -> None:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=300_000, help="raw detections (default: 300000)")
    parser.add_argument("--cameras", type=int, default=200, help="cameras that send them (default: 200)")
    parser.add_argument("--runs", type=int, default=1, help="how often, on fresh servers; the median is printed too")
    parser.add_argument("--memory", action="store_true", help="keep the result as the memory run; fail from 1 MB on")
    parser.add_argument("--out", type=Path, default=Path("bench/results/worker.json"), help="result file")
    options = parser.parse_args()
    results = []
    for number in range(options.runs):
        say(f"run {number + 1} of {options.runs}")
        results.append(one_run(Scene(options.cameras, options.records)))
        for what, value in results[-1].items():
            say(f"  {what:<28}{value}")
    write(options.out, "memory" if options.memory else "drained", results)
    grows = results[-1][SLOPE]
    if options.memory and (grows is None or grows >= MAX_SLOPE_MB):
        raise SystemExit(f"memory grows by {grows} MB per 100 thousand detections; the limit is {MAX_SLOPE_MB}")


def one_run(scene: Scene) -> dict[str, Any]:
    """Measure on fresh servers. The last vehicle of the scene passed a minute ago."""
    scene = replace(scene, start_us=now_us() - 60 * MICROS_PER_S - scene.span_us)
    with servers(), tempfile.TemporaryDirectory(prefix="alpr-bench-rules-") as folder:
        rules = Path(folder)
        write_rules(rules)
        topics.main(["apply"], standalone_mode=False)
        environment = {
            "ALPR_RULES_PATH": str(rules / "rules"),
            "ALPR_WATCHLISTS_PATH": str(rules / "watchlists"),
        }
        return measure(scene, environment)


def write(path: Path, section: str, results: list[dict[str, Any]]) -> None:
    """Keep the runs and the medians of what is compared in a section of the result file; other sections stay."""
    known = json.loads(path.read_text()) if path.exists() else {}
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    medians = {name: statistics.median(result[name] for result in results) for name in (RATE, CPU, RSS)}
    known[section] = {"machine": machine, "medians": medians, "runs": results}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(known, indent=1) + "\n")
    say(f"medians of {len(results)}: " + ", ".join(f"{value} {name}" for name, value in medians.items()))


def say(line: str) -> None:
    """Print a line at once, even into a file."""
    print(line, flush=True)


if __name__ == "__main__":
    try:
        main()
    except (StackError, WorkerEnded) as problem:
        raise SystemExit(str(problem)) from problem
