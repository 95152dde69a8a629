"""`python -m edge_agent read`: the plates of photographs, without any server."""

import json
import sys
from pathlib import Path
from time import perf_counter
from typing import IO

import click

from edge_agent.image_files import files_below
from edge_agent.loading import still_reading
from edge_agent.plate_reading import PlateReading
from edge_agent.settings import EdgeSettings
from edge_agent.stills import Record, read_files


@click.command("read")
@click.argument("folder", type=click.Path(exists=True, path_type=Path), metavar="DIR")
@click.option(
    "--output",
    default="reads.jsonl",
    show_default=True,
    metavar="FILE",
    help="Where the lines go; - for standard output.",
)
def read(folder: Path, output: str) -> None:
    """Read the plates of every image under DIR (or of one file), a JSON line an image.

    \b
    {"file": "a.jpg", "plates": [{"text", "confidence", "box": [x1, y1, x2, y2],
      "characters": [[["8", 0.93], ["B", 0.05]], ...]}], "ms": 120.0}

    Plates stand best first; characters hold, for each position, what else it may be. A file that is no image, or a
    damaged one, gives a line with "error" and no plates. The exit code is 0 unless not one file could be read.

    \b
    python -m edge_agent read photos
    python -m edge_agent read photos --output - | jq -r '.plates[0].text'
    """  # noqa: D301  # click's \b, not a raw text
    reading = still_reading(EdgeSettings())
    total = sum(1 for _ in files_below(folder))
    if output == "-":
        ok, failed = _write(sys.stdout, folder, total, reading)
    else:
        with click.open_file(output, "w", encoding="utf-8") as lines:
            ok, failed = _write(lines, folder, total, reading)
    if not ok:
        raise click.ClickException(f"none of the {failed} files under {folder} could be read as an image")


def _write(lines: IO[str], folder: Path, total: int, reading: PlateReading) -> tuple[int, int]:
    """Writes a line a file; returns how many images were read and how many files were not."""
    progress = _Progress(total)
    ok = failed = 0
    for record in read_files(folder, reading):
        lines.write(json.dumps(record, ensure_ascii=False) + "\n")
        lines.flush()
        if "error" in record:
            failed += 1
        else:
            ok += 1
        progress.step(record)
    progress.finish(ok, failed)
    return ok, failed


class _Progress:
    """A line on standard error that follows the work on a terminal, and a summary everywhere."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._live = sys.stderr.isatty()
        self._start_s = perf_counter()

    def step(self, record: Record) -> None:
        self._done += 1
        if self._live:
            plates = len(record["plates"])
            line = f"{self._done}/{self._total}  {record['file']}: {record.get('error') or f'{plates} plate(s)'}"
            click.echo(f"\r\033[K{line[:100]}", err=True, nl=False)

    def finish(self, ok: int, failed: int) -> None:
        elapsed_s = perf_counter() - self._start_s
        each_ms = 1000 * elapsed_s / max(1, ok + failed)
        start = "\r\033[K" if self._live else ""
        click.echo(f"{start}{ok} images read, {failed} files unreadable, {each_ms:.0f} ms each", err=True)
