"""How soon an alert is in somebody's mailbox while everything runs: from the sighting, and from the frame.

    python -m bench.alert_latency                      # 500 sightings/s, 2 alerts/s, 5 minutes
    python -m bench.alert_latency --minutes 1

Starts all servers of the local stack on free ports and one worker with all roles, registers the cameras, and publishes
made-up detections (`bench.traffic`) in real time. Ten rules mail about one plate in a hundred. The mail server is this
process: what counts is the moment at which it says that a mail is accepted (the 250 after DATA, RFC 5321, 3.3). A mail
is found by its ``X-ALPR-Alert-ID``, the alert by its record, the trigger by the sighting's record: the newest one of
the event that is not younger than the alert.

- sighting to SMTP: from Kafka's timestamp of the sighting to the acceptance of its mail.
- frame to SMTP: from the trigger's ``captured_at``. The traffic publishes an early read .7 s after its frame, a last
  one .1 s after the vehicle has gone: a time for the edge, assumed and not measured here.

Fails unless the rates were reached, every alert was mailed exactly once and nothing was dead-lettered; and unless the
99th percentile from sighting to SMTP is below a second.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from itertools import pairwise
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from bench.live_worker import LiveWorker, Progress, WorkerEnded
from bench.traffic import Scene, registered, stream
from bench.worker import say
from cli.demo.census import read_topic
from cli.demo.latency import Percentiles, percentiles
from cli.kafka_clients import producer
from cli.topics import topics
from compose.local.errors import StackError
from compose.local.ports import free_port
from compose.local.services import chosen
from compose.local.stack import Stack
from compose.local.watch import Guardian
from schemas.clock import MICROS_PER_MS, MICROS_PER_S, now_us
from schemas.codec import EventCodec
from schemas.endpoints import endpoints
from schemas.events import Detection
from schemas.registry import HttpRegistry
from schemas.topics import ALERTS, CAMERAS, DETECTED, DLQ, SIGHTINGS
from streams.role import ROLES

ALL_ROLES = ",".join(ROLES)
CAMERAS_PER_500_S = 375
"""A camera of the traffic has a vehicle every 1.5 s, and one in fifty has no plate and so no sighting."""
RULE = """  - id: ending-{digit}07
    name: Plates that end in {digit}07
    severity: high
    match: {{field: plate_normalized_text, op: regex, value: '{digit}07$'}}
    actions: [{{type: email, to: gate-{digit}@example.org}}]
"""
RULES = "rules:\n" + "".join(RULE.format(digit=digit) for digit in range(10))
"""One plate in a hundred; ten recipients, since the notifier paces what one recipient gets."""
EARLY_PUBLISHED_US, LAST_PUBLISHED_US = 700_000, 100_000
"""When `bench.traffic` publishes a read: so long after its frame, so long after the vehicle has gone."""
LEAD_S = 3.0
SETTLE_S = 20.0
READY_S = 120.0
RATE_PER_S, ALERTS_PER_S = 500, 2
LIMIT_MS = 1000.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A mail that was accepted: which alert, and when, microseconds since the epoch."""

    alert_id: str
    at_us: int


class Mailbox:
    """A mail server that notes when it has accepted which alert."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: ARG002, N802 - aiosmtpd's
        """Take a mail in."""
        mail = message_from_bytes(envelope.content)
        self.arrivals.append(Arrival(str(mail["X-ALPR-Alert-ID"]), now_us()))
        return "250 accepted"


def publish(scene: Scene, seconds: float) -> int:
    """Publish the scene's detections when their time has come: how many there were."""
    codec, out = EventCodec(HttpRegistry(endpoints().registry_url)), producer()
    count = 0
    said = time.monotonic()
    for detection in stream(scene):
        moment = _published_at(detection)
        if moment > scene.start_us + seconds * MICROS_PER_S:
            break
        while (wait_us := moment - now_us()) > 0:
            out.poll(0)
            time.sleep(min(wait_us, 5_000) / MICROS_PER_S)
        out.produce(DETECTED.name, codec.encode(DETECTED, detection), detection.camera_id.encode())
        count += 1
        if time.monotonic() - said > 30:
            said = time.monotonic()
            late_ms = (now_us() - moment) / MICROS_PER_MS
            say(f"  {count:,} detections published, the last one {late_ms:.0f} ms after its time")
    out.flush(30)
    return count


def _published_at(detection: Detection) -> int:
    if detection.is_final:
        return (detection.last_seen_at or detection.captured_at) + LAST_PUBLISHED_US
    return detection.captured_at + EARLY_PUBLISHED_US


def register(scene: Scene) -> None:
    """Write the scene's cameras to the registry's topic."""
    codec, out = EventCodec(HttpRegistry(endpoints().registry_url)), producer()
    for camera in registered(scene):
        out.produce(CAMERAS.name, codec.encode(CAMERAS, camera), camera.camera_id.encode())
    out.flush(30)


def measure(seconds: float, roles: str, environment: dict[str, str], mailbox: Mailbox) -> dict[str, Any]:
    """Run everything for so long; see what came of it.

    Raises:
        WorkerEnded: the worker crashed.
        SystemExit: a mail is missing or was sent twice, or a record was dead-lettered.
    """
    scene = Scene(CAMERAS_PER_500_S, detections=int(seconds * RATE_PER_S * 2), start_us=0)
    register(scene)
    with (
        tempfile.TemporaryDirectory(prefix="alpr-bench-") as folder,
        LiveWorker(roles, Path(folder), environment) as worker,
    ):
        say(f"worker {worker.process.pid} starts")
        worker.wait_ready(READY_S)
        scene = Scene(scene.cameras, scene.detections, start_us=now_us() + int(LEAD_S * MICROS_PER_S))
        cpu_s, began = worker.cpu_s(), time.monotonic()
        published = publish(scene, seconds)
        cores = (worker.cpu_s() - cpu_s) / (time.monotonic() - began)
        _settle(worker, mailbox)
    codec = EventCodec(HttpRegistry(endpoints().registry_url))
    sighted: dict[str, list[int]] = {}
    sightings = 0
    for record in read_topic(endpoints(), SIGHTINGS, codec):
        sighted.setdefault(record.event.event_id, []).append(record.recorded_at_us)
        sightings += 1
    alerts = {record.event.alert_id: record for record in read_topic(endpoints(), ALERTS, codec)}
    letters, mailed = Progress().end(DLQ), Counter(arrival.alert_id for arrival in mailbox.arrivals)
    if letters or set(mailed) != set(alerts) or max(mailed.values(), default=0) > 1:
        raise SystemExit(
            f"{len(alerts)} alerts, {len(mailed)} of them mailed, {sum(mailed.values())} mails, {letters} dead letters"
        )
    from_sighting, from_frame = [], []
    for arrival in mailbox.arrivals:
        alert = alerts[arrival.alert_id]
        times = sighted[alert.event.proof.event_ids[-1]]
        at_us = times[max(0, bisect_right(times, alert.recorded_at_us) - 1)]
        from_sighting.append((arrival.at_us - at_us) / MICROS_PER_MS)
        from_frame.append((arrival.at_us - alert.event.captured_at) / MICROS_PER_MS)
    return {
        "seconds": seconds,
        "detections/s": round(published / seconds),
        "sightings/s": round(sightings / seconds),
        "alerts/s": round(len(alerts) / seconds, 2),
        "worker cores": round(cores, 2),
        "sighting to SMTP ms": _told(percentiles(from_sighting)),
        "frame to SMTP ms": _told(percentiles(from_frame)),
    }


def _settle(worker: LiveWorker, mailbox: Mailbox) -> None:
    """Wait until no mail has come for a while."""
    counts = (len(mailbox.arrivals) for _ in _ticks(worker, 2.0))
    quiet_s = 0.0
    for before, after in pairwise(counts):
        quiet_s = quiet_s + 2.0 if before == after else 0.0
        if quiet_s >= SETTLE_S:
            return


def _ticks(worker: LiveWorker, every_s: float) -> Iterator[None]:
    while True:
        worker.check()
        yield
        time.sleep(every_s)


def _told(found: Percentiles | None) -> dict[str, float]:
    if found is None:
        raise SystemExit("no alert was mailed")
    return {"p50": round(found.p50_ms, 1), "p99": round(found.p99_ms, 1), "count": found.count}


def main() -> None:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long (default: 5)")
    parser.add_argument("--roles", default=ALL_ROLES, help="of the worker, comma-separated (default: all)")
    parser.add_argument("--out", type=Path, default=Path("bench/results/alert_latency.json"), help="result file")
    options = parser.parse_args()
    stack = Stack(f"bench-{os.getpid()}", services=chosen(), report=say)
    guardian = Guardian(stack)
    mailbox = Mailbox()
    server = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    try:
        stack.start(free_ports=True, fresh=True)
        server.start()
        os.environ.update(stack.endpoints())
        os.environ["ALPR_SMTP_PORT"] = str(server.port)
        endpoints.cache_clear()
        with tempfile.TemporaryDirectory(prefix="alpr-bench-rules-") as folder:
            (Path(folder) / "rules.yml").write_text(RULES)
            topics.main(["apply"], standalone_mode=False)
            result = measure(options.minutes * 60, options.roles, {"ALPR_RULES_PATH": folder}, mailbox)
    finally:
        server.stop()
        stack.destroy()
        guardian.release()
    for what, value in result.items():
        say(f"  {what:<24}{value}")
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"machine": machine, **result}, indent=1) + "\n")
    short = {"sightings/s": RATE_PER_S, "alerts/s": ALERTS_PER_S}
    missed = [f"{result[what]} {what}, not {wanted}" for what, wanted in short.items() if result[what] < wanted]
    if result["sighting to SMTP ms"]["p99"] >= LIMIT_MS:
        missed.append(f"p99 from sighting to SMTP is not below {LIMIT_MS:.0f} ms")
    if missed:
        raise SystemExit("; ".join(missed))


if __name__ == "__main__":
    try:
        main()
    except (StackError, WorkerEnded) as problem:
        raise SystemExit(str(problem)) from problem
