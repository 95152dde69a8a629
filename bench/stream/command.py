"""The same job on this project's transport, plain Faust, Quix Streams and Kafka Streams.

Decode Avro, fold the plate, drop repeats of a camera's plate within ten seconds (a RocksDB table with its changelog),
encode an event and produce it. A broker of its own is started. Each run has a fresh group, state and output; it is
timed from the worker's first record until all offsets are committed and all events stand in the log; then the output
and the table are read back and compared with what an offline computation says. CPU time is that of the worker's
process, all threads, as the kernel counts it. Engines take turns, so that noise spreads.

    python -m bench.stream                  about 40 minutes
    python -m bench.stream --quick          a few minutes: small runs, one of each; tells whether everything works
    python -m bench.stream --engines runs,quix --records 300000 --runs 5 --no-latency

The first time, Quix Streams gets an environment of its own and the Java job is built (Maven and a JDK of 17 or later),
both in $XDG_CACHE_HOME/alpr (~/.cache/alpr).
"""

import argparse
import os
import platform
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bench.stream.engines import COMMIT_MS, ENGINES, LATENCY, OURS, THROUGHPUT
from bench.stream.job import PARTITIONS
from bench.stream.latency import Latency, run_latency
from bench.stream.report import tables, write_docs, write_plot
from bench.stream.results import Results
from bench.stream.source import Reference, write_source
from bench.stream.throughput import Throughput, run_throughput
from bench.stream.topics import Topics
from bench.stream.worker import BenchFailed, WorkerFailed
from compose.local.errors import StackError
from compose.local.services import chosen
from compose.local.stack import Stack
from compose.local.watch import Guardian

Found = TypeVar("Found", Throughput, Latency)
FAUST = "faust"
TRIES = 3
REPOSITORY = Path(__file__).parents[2]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.stream", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--engines", help=f"comma-separated; all: {','.join(ENGINES)}")
    parser.add_argument("--records", default="300000,1500000", help="sizes of the input (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each engine and size (default: %(default)s)")
    parser.add_argument(
        "--faust-large-runs", type=int, default=1,
        help="runs of plain Faust beyond 500000 records, of 8 minutes each (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--linger-ms", type=int, default=50, help="of all producers in drained runs")
    parser.add_argument("--rate", type=int, default=2000, help="records a second of the latency runs")
    parser.add_argument("--latency-seconds", type=float, default=15.0, help="measured part of a latency run")
    parser.add_argument("--latency-runs", type=int, default=3, help="latency runs of each engine")
    parser.add_argument("--no-latency", action="store_true", help="drained runs only")
    parser.add_argument("--no-throughput", action="store_true", help="latency runs only")
    parser.add_argument("--quick", action="store_true", help="20000 records, one run; writes no files")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "bench/results/stream.json")
    parser.add_argument("--plot", type=Path, default=REPOSITORY / "docs/images/stream-engines.svg")
    parser.add_argument("--docs", type=Path, default=REPOSITORY / "docs/benchmarks.md", help="page with the tables")
    options = parser.parse_args()
    if options.quick:
        options.records, options.runs, options.latency_runs, options.latency_seconds = "20000", 1, 1, 5.0
    unknown = set((options.engines or "").split(",")) - {""} - ENGINES.keys()
    if unknown:
        parser.error(f"no engine {', '.join(sorted(unknown))}; there are: {', '.join(ENGINES)}")
    return options


def _say(line: str) -> None:
    print(line, flush=True)


class Bench:
    """The runs, on one broker.

    Args:
        options: of the command line.
        bootstrap: the broker.
        broker_pid: its process.
    """

    def __init__(self, options: argparse.Namespace, bootstrap: str, broker_pid: int) -> None:
        self._options = options
        self._topics = Topics(bootstrap)
        self._broker_pid = broker_pid
        self._engines = tuple(options.engines.split(",")) if options.engines else ()
        self.results = Results(
            machine=f"{_cpu_model()}, {os.cpu_count()} cores, Python {platform.python_version()}",
            settings={
                "commit_ms": COMMIT_MS,
                "linger_ms": options.linger_ms,
                "latency_linger_ms": 5,
                "rate_per_s": options.rate,
                "partitions": PARTITIONS,
                "read_bytes": 0.0,
            },
        )

    def throughput(self) -> None:
        """All drained runs.

        Raises:
            BenchFailed: one failed.
        """
        for records in map(int, self._options.records.split(",")):
            source = f"bench-reads-{records}"
            _say(f"{records} reads: writing {source} ...")
            reference = write_source(self._topics.bootstrap, source, records)
            self.results.settings["read_bytes"] = round(reference.read_bytes, 1)
            for number in range(self._options.runs):
                for name in self._in_turn(THROUGHPUT, number):
                    if name == FAUST and records > 500_000 and number >= self._options.faust_large_runs:
                        continue
                    self._run(name, source, reference)
            self._topics.delete(source)

    def _run(self, name: str, source: str, reference: Reference) -> None:
        linger_ms = self._options.linger_ms
        found = self._patiently(
            name,
            lambda: run_throughput(ENGINES[name], self._topics, source, reference, linger_ms, self._broker_pid, _say),
        )
        if found is None:
            return
        self.results.add(reference.reads, name, found)
        self._save()
        _say(
            f"{name:<16} {reference.reads:>8} records {found.records_per_s:>8.0f}/s "
            f"{found.cpu_s_per_100k:>6.2f} CPU s per 100 k ({found.warmed_cpu_s_per_100k:.2f} in the second half) "
            f"{found.peak_rss_mb:>4.0f} MB"
        )

    def latency(self) -> None:
        """All runs at a steady rate.

        Raises:
            BenchFailed: one failed.
        """
        for number in range(self._options.latency_runs):
            for name in self._in_turn(LATENCY, number):
                self._run_latency(name)

    def _run_latency(self, name: str) -> None:
        options, linger_ms = self._options, self.results.settings["latency_linger_ms"]
        found = self._patiently(
            name,
            lambda: run_latency(ENGINES[name], self._topics, options.rate, options.latency_seconds, linger_ms, _say),
        )
        if found is None:
            return
        self.results.add_latency(name, found)
        self._save()
        _say(
            f"{name:<16} {options.rate}/s: p50 {found.p50_ms:.1f} ms, p99 {found.p99_ms:.1f} ms, "
            f"{found.cores:.3f} cores"
        )

    def _patiently(self, name: str, run: Callable[[], Found]) -> Found | None:
        """A run, tried again when the worker died or got stuck; None for a peer that never makes it.

        Quix Streams 3.28 now and then falls over its own changelog at first, and plain Faust's commits stall on a
        machine that is busy with other things. That is noted beside the results.

        Raises:
            BenchFailed: what was made is wrong, or this project's worker failed.
        """
        for _ in range(TRIES):
            try:
                return run()
            except WorkerFailed as failure:
                if name.startswith(OURS.name):
                    raise
                first_line = str(failure).partition("\n")[0]
                _say(f"{first_line}; once more")
                self.results.settings["failures"] = [*self.results.settings.get("failures", []), first_line]
        return None

    def _in_turn(self, standard: tuple[str, ...], number: int) -> tuple[str, ...]:
        """The engines, another one first each time."""
        names = self._engines or standard
        shift = number % len(names)
        return names[shift:] + names[:shift]

    def _save(self) -> None:
        if not self._options.quick:
            self.results.save(self._options.out)


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def main() -> None:
    """Run the bench; print the tables, and keep them unless it was a quick one."""
    options = _options()
    for end in (signal.SIGINT, signal.SIGTERM):  # also where a shell's background job would ignore them
        signal.signal(end, lambda number, _: sys.exit(128 + number))
    stack = Stack(f"bench-stream-{os.getpid()}", services=chosen(("kafka",)), report=_say)
    guardian = Guardian(stack)
    try:
        stack.start(free_ports=True, fresh=True)
        (broker,) = stack.services()
        bench = Bench(options, stack.endpoints()["ALPR_KAFKA_BOOTSTRAP"], broker.pid)
        if not options.no_throughput:
            bench.throughput()
        if not options.no_latency:
            bench.latency()
    except (BenchFailed, StackError) as error:
        sys.exit(f"bench.stream: {error}")
    finally:
        stack.destroy()
        guardian.release()
    text = tables(bench.results)
    _say(f"\n{text}")
    if not options.quick and not options.no_throughput and not options.no_latency:
        write_plot(options.plot, bench.results)
        write_docs(options.docs, text)
