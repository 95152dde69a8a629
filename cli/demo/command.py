"""The order of the demo: servers, topics, worker, API, edge agent, reckoning."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import click
import httpx
from rich.console import Console

from cli.demo.census import take_census
from cli.demo.children import BIN, Children, exit_status
from cli.demo.progress import Progress
from cli.demo.reckoning import reckon
from cli.demo.rules import write_rules
from cli.demo.source import DemoSource, own_source, rendered_source
from cli.demo.summary import print_summary
from cli.errors import CommandError
from compose.local.errors import PortTaken, StackError
from compose.local.folders import stack_dir
from compose.local.ports import free_port, is_free
from compose.local.processes import last_lines
from compose.local.stack import Stack
from schemas import topics
from schemas.codec import EventCodec
from schemas.endpoints import Endpoints
from schemas.endpoints import endpoints as shared_endpoints
from schemas.kafka_security import kafka_security
from schemas.registry import HttpRegistry

STACK_NAME = "demo"
LIVE_SOURCE_S = 60.0
"""How long a source that does not end is looked at."""
SETTLE_S = 120.0
"""How long the platform may take to finish after the last frame."""
LAG_AT_REST = 200
"""Records: two seconds of ticks (64 a second with 8 partitions), clocks, and what is left of them on other topics."""
CAMERA = "demo-gate"
SITE = "demo"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the demo's own processes listen."""

    worker: str
    api: str
    webhook: str


class Demo:
    """One run of the demo."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.folder = stack_dir(STACK_NAME) / "platform"
        self.stack = Stack(STACK_NAME, report=self._say)

    def run(self, source: str | None, seed: int, keep: bool) -> bool:
        """Everything, in order. Returns whether all figures add up.

        Raises:
            CommandError: a stage did not get going; the message says which and why.
        """
        self.stop()
        shutil.rmtree(
            self.folder, ignore_errors=True
        )  # Kafka starts empty: no table, spool or log of an earlier run fits
        self.folder.mkdir(parents=True)
        finished = False
        try:
            endpoints = self._start_stack()
            holds = self._run_on(endpoints, source, seed, keep)
            finished = True
        finally:
            if not (keep and finished):
                self.stop()
        return holds

    def stop(self) -> None:
        """Stop whatever a demo has left running."""
        children = Children(self.folder)
        if names := children.running():
            self._say(f"stopping {', '.join(names)}")
        children.stop()
        self.stack.stop()

    def _run_on(self, endpoints: Endpoints, source: str | None, seed: int, keep: bool) -> bool:
        codec = EventCodec(HttpRegistry.of(endpoints))
        environment = {**self.stack.endpoints(), "ALPR_KAFKA_SECURITY_PROTOCOL": "PLAINTEXT"}
        children = Children(self.folder, environment)
        webhooks = self.folder / "webhooks.jsonl"

        self._stage("Pictures and models")
        self._run(sys.executable, "-m", "edge_agent", "models", "fetch")
        watched = own_source(source) if source else rendered_source(self.folder, seed)
        self._say(
            f"{watched.location}"
            + (f", with {len(watched.watchlisted)} watchlisted plates" if watched.watchlisted else "")
        )

        self._stage("Topics and schemas")
        self._run(str(BIN / "alpr"), "topics", "apply")
        self._run(str(BIN / "alpr"), "schemas", "register")

        self._stage("Worker, API and webhook receiver")
        addresses = self._start_platform(children, watched, webhooks)

        self._stage("Edge agent")
        started_at = time.monotonic()
        with Progress(self.console, endpoints) as progress:
            self._watch_camera(children, watched, progress)
            camera_s = time.monotonic() - started_at
            self._settle(children, addresses, progress)

        self._stage("Reckoning")
        received = len(webhooks.read_text().splitlines()) if webhooks.exists() else 0
        census = take_census(endpoints, codec, received)
        checks = reckon(census, expect_alerts=bool(watched.watchlisted))
        print_summary(self.console, census, checks)
        self._say(f"the camera was watched for {camera_s:.0f} s")
        self._print_places(endpoints, addresses, keep)
        return all(check.holds for check in checks)

    def _start_stack(self) -> Endpoints:
        self._stage("Servers")
        try:
            try:
                self.stack.start(fresh=True)
            except PortTaken as taken:
                self._say(f"{taken}\n  Taking free ports instead.")
                self.stack.start(fresh=True, free_ports=True)
        except StackError as error:
            raise CommandError(f"{error}\n`alpr doctor` tells what this machine lacks.") from error
        # its own servers want no login, whatever the environment says about others
        os.environ.update({**self.stack.endpoints(), "ALPR_KAFKA_SECURITY_PROTOCOL": "PLAINTEXT"})
        for read_once in (shared_endpoints, kafka_security):
            read_once.cache_clear()
        return Endpoints()

    def _start_platform(self, children: Children, source: DemoSource, webhooks: Path) -> Addresses:
        worker_port, api_port, hook_port = (port if is_free(port) else free_port() for port in (6066, 8000, 8099))
        addresses = Addresses(*(f"http://127.0.0.1:{port}" for port in (worker_port, api_port, hook_port)))

        receiver = children.start("webhook", [sys.executable, "-m", "cli.demo.receiver", str(hook_port), str(webhooks)])
        rules = self.folder / "rules.yml"
        write_rules(rules, list(source.watchlisted), f"{addresses.webhook}/alerts")
        worker = children.start(
            "worker",
            [str(BIN / "faust"), "-A", "streams", "worker", "-l", "info"],
            ALPR_RULES_PATH=str(rules),
            ALPR_DATADIR=str(self.folder / "worker"),
            ALPR_WEB_PORT=str(worker_port),
            ALPR_API_URL=addresses.api,
        )
        api = children.start("api", [str(BIN / "alpr"), "api", "--port", str(api_port)], ALPR_API_URL=addresses.api)
        children.wait_http("webhook", receiver, addresses.webhook, 20)
        children.wait_http("worker", worker, f"{addresses.worker}/ready", 90)
        self._say(f"worker ready: {addresses.worker}/ready")
        children.wait_http("api", api, f"{addresses.api}/health", 60)
        self._say(f"API ready: {addresses.api}/docs")
        return addresses

    def _watch_camera(self, children: Children, source: DemoSource, progress: Progress) -> None:
        edge = children.start(
            "edge",
            [
                *(sys.executable, "-m", "edge_agent"),
                *("--source", source.location, "--camera", CAMERA, "--site", SITE),
                *(
                    "--spool-dir",
                    str(self.folder / "spool"),
                    "--metrics-port",
                    str(9100 if is_free(9100) else free_port()),
                ),
            ],
        )
        end = time.monotonic() + LIVE_SOURCE_S
        while edge.is_alive() and not (source.live and time.monotonic() > end):
            progress.show("watching the camera")
            time.sleep(0.5)
        if source.live:
            edge.stop(signal.SIGTERM, 20)
        elif (status := exit_status(edge)) != 0:
            log = children.log("edge")
            raise CommandError(f"the edge agent ended with exit code {status}. The end of {log}:\n{last_lines(log)}")

    def _settle(self, children: Children, addresses: Addresses, progress: Progress) -> None:
        """Wait until no role has records left to do and the topics have stopped growing.

        Raises:
            CommandError: not within `SETTLE_S`.
        """
        end = time.monotonic() + SETTLE_S
        quiet_since = time.monotonic()
        before: dict[str, int] = {}
        while time.monotonic() < end:
            counts = progress.show("waiting for the last records")
            try:
                lag = _largest_lag(httpx.get(f"{addresses.worker}/metrics", timeout=10).text)
            except httpx.TimeoutException:
                continue
            except httpx.HTTPError as error:
                log = children.log("worker")
                raise CommandError(f"the worker is gone ({error}). The end of {log}:\n{last_lines(log)}") from error
            # sightings are left out: ticks are written among them for ever. They also are the lag of a role at rest,
            # and what a role has not read after so long is younger than that, so it is ticks and nothing else.
            counts = {name: count for name, count in counts.items() if name != topics.SIGHTINGS.name}
            if counts != before or lag > LAG_AT_REST:
                before, quiet_since = counts, time.monotonic()
            if counts[topics.DETECTED.name] == 0 or time.monotonic() - quiet_since > 4.0:
                return
            time.sleep(0.5)
        raise CommandError(f"the worker still had records to do after {SETTLE_S:.0f} s: see {self.folder}/worker.log")

    def _run(self, *command: str) -> None:
        """Run a command as a user would, and show what it said where it failed.

        Raises:
            CommandError: it did not end with 0.
        """
        shown = " ".join(Path(part).name if part.startswith("/") else part for part in command)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
        if done.returncode != 0:
            raise CommandError(f"`{shown}` failed:\n{done.stdout}{done.stderr}")
        self._say(f"{shown}: done")

    def _print_places(self, endpoints: Endpoints, addresses: Addresses, keep: bool) -> None:
        self.console.print()
        if not keep:
            self.console.print(
                f"  Logs: {self.folder}\n  [dim]make demo KEEP=1 leaves everything running to look at.[/dim]",
                highlight=False,
            )
            return
        for label, url in (
            ("API documentation", f"{addresses.api}/docs"),
            ("Recent events", f"{addresses.api}/events/recent"),
            ("Alerts", f"{addresses.api}/alerts"),
            ("Mails", endpoints.mail_api_url),
            ("Worker", f"{addresses.worker}/ready"),
            ("Metrics", f"{addresses.worker}/metrics"),
            ("OpenSearch", f"{endpoints.opensearch_url}/alpr-events/_search?pretty"),
            ("Logs", str(self.folder)),
        ):
            self.console.print(f"  {label:20} {url}", highlight=False)
        self.console.print(
            '  [dim]make down stops it; eval "$(alpr stack env --name demo)" points commands at it.[/dim]'
        )

    def _stage(self, title: str) -> None:
        self.console.print(f"[bold]{title}[/bold]")

    def _say(self, line: str) -> None:
        self.console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)


def _largest_lag(exposition: str) -> int:
    """Largest `alpr_stream_lag_records` of a role, over its topics."""
    lags: Counter[str] = Counter()
    for line in exposition.splitlines():
        if line.startswith("alpr_stream_lag_records{"):
            labels, lag = line.rsplit(" ", 1)
            lags[labels.split('role="', 1)[1].split('"', 1)[0]] += int(float(lag))
    return max(lags.values(), default=0)


@click.command()
@click.option("--source", metavar="FILE|DIR|RTSP-URL", help="Your own pictures instead of the rendered clip.")
@click.option("--seed", default=2611, show_default=True, help="Which plates the rendered clip shows.")
@click.option("--keep", is_flag=True, help="Leave everything running at the end.")
@click.option("--down", is_flag=True, help="Stop what --keep left running, and nothing else.")
def demo(source: str | None, seed: int, keep: bool, down: bool) -> None:
    """Run the main job end to end on real services: camera, detections, sightings, alerts, stores.

    Exit code 1 when a stage delivered nothing or the figures do not add up.
    """
    console = Console(highlight=False)
    job = Demo(console)
    if down:
        job.stop()
        return
    if not job.run(source, seed, keep):
        raise CommandError("some figures do not add up: see the lines marked NO above")
