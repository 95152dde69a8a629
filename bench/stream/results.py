"""What was measured, as it is kept in bench/results/stream.json: every run, and medians over the runs."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from bench.stream.engines import ENGINES
from bench.stream.latency import Latency
from bench.stream.throughput import Throughput

Measured = TypeVar("Measured", Throughput, Latency)


@dataclass
class Results:
    """All runs so far.

    Attributes:
        machine: what it was measured on.
        settings: of the bench.
        throughput: by number of records and engine.
        latency: by engine.
    """

    machine: str
    settings: dict[str, Any]
    throughput: dict[int, dict[str, list[Throughput]]] = field(default_factory=dict)
    latency: dict[str, list[Latency]] = field(default_factory=dict)

    def add(self, records: int, engine: str, measured: Throughput) -> None:
        """Keep a drained run."""
        self.throughput.setdefault(records, {}).setdefault(engine, []).append(measured)

    def add_latency(self, engine: str, measured: Latency) -> None:
        """Keep a run at the steady rate."""
        self.latency.setdefault(engine, []).append(measured)

    def save(self, path: Path) -> None:
        """Write everything; what is there is replaced in one step."""
        content = {
            "machine": self.machine,
            "settings": self.settings,
            "throughput": {
                str(records): {name: _with_median(runs) for name, runs in engines.items()}
                for records, engines in self.throughput.items()
            },
            "latency": {name: _with_median(runs) for name, runs in self.latency.items()},
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(content, indent=1) + "\n")
        partial.rename(path)


def median(runs: Sequence[Measured]) -> Measured:
    """The medians of each number."""
    kind = type(runs[0])
    return kind(**{f.name: statistics.median(getattr(run, f.name) for run in runs) for f in fields(kind)})


def title(engine: str) -> str:
    """An engine's name for people."""
    return ENGINES[engine].title


def _with_median(runs: Sequence[Measured]) -> dict[str, Any]:
    return {"runs": [_rounded(run) for run in runs], "median": _rounded(median(runs))}


def _rounded(measured: Throughput | Latency) -> dict[str, float]:
    return {name: round(value, 3) for name, value in asdict(measured).items()}
