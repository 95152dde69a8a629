"""What the commands over rules read: rule files, watchlists and events; mistakes in them are said, with their place."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from time import monotonic
from typing import IO, Any

import click

from alert_rules.errors import RuleFileError
from alert_rules.loading import RuleSet, load_rules
from alert_rules.settings import rule_settings
from alert_rules.sightings import sightings_from_lines
from alert_rules.watchlist_files import load_table
from alert_rules.watchlists import Watchlists
from cli.errors import CommandError
from cli.stored_events import StoredEvents
from schemas.clock import now_us, parse_time
from schemas.errors import SchemaError
from schemas.events import Sighting

PROGRESS_EVERY_S = 1.0
Option = Callable[[Callable[..., Any]], Callable[..., Any]]
PATHS: Option = click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
RULES: Option = click.option(
    "--rules", "rules_path", type=click.Path(path_type=Path), help="Rule file or folder [default: $ALPR_RULES_PATH]"
)
WATCHLISTS: Option = click.option(
    "--watchlists", "watchlists_path", type=click.Path(path_type=Path),
    help="Watchlist file or folder [default: $ALPR_WATCHLISTS_PATH]",
)  # fmt: skip
EVENTS: Option = click.option(
    "--events",
    "events_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON lines: sightings or detections, in the order in which they came",
)


class Time(click.ParamType):
    """A time as people write it, to Unix microseconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """ISO 8601 (without a zone: UTC) or a Unix time.

        Raises:
            click.BadParameter: it is neither.
        """
        try:
            return parse_time(value)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no time; such as 2026-01-31 or 2026-01-31T08:00:00Z", param, ctx)


FROM: Option = click.option("--from", "start_us", type=Time(), help="From the store: captured at this time or later")
TO: Option = click.option(
    "--to", "end_us", type=Time(), help="From the store: captured before this time [default: now]"
)
SORT: Option = click.option("--sort", is_flag=True, help="Take the events in order of their capture, not as they stand")


class Events:
    """The events of a file of JSON lines: counts what it reads, names what is no event, shows that it goes on.

    Args:
        path: of the file; it may be read several times.
        sort: whether to take them in order of their capture; they are then kept in memory.

    Attributes:
        read: events so far, in this reading.
        broken: lines so far that are no events.
    """

    def __init__(self, path: Path, *, sort: bool = False) -> None:
        self.read = 0
        self.broken = 0
        self._path = path
        self._sort = sort
        self._said_at = monotonic()

    def __iter__(self) -> Iterator[Sighting]:
        """The sightings, from the first one on; other lines are named."""
        self.read = self.broken = 0
        if not self._sort:
            return self._sightings()
        return iter(sorted(self._sightings(), key=lambda each: (each.captured_at, each.event_id, each.revision)))

    def _sightings(self) -> Iterator[Sighting]:
        with self._path.open(encoding="utf-8", errors="replace") as lines:
            for number, found in sightings_from_lines(lines):
                if isinstance(found, SchemaError):
                    self.broken += 1
                    click.echo(f"{self._path}:{number}: {found}", err=True)
                    continue
                self.read += 1
                if monotonic() - self._said_at >= PROGRESS_EVERY_S and sys.stderr.isatty():
                    self._said_at = monotonic()
                    click.echo(f"\r{self.read:,} events", nl=False, err=True)
                yield found


def chosen_events(
    events_path: Path | None, start_us: int | None, end_us: int | None, *, sort: bool = False
) -> Events | StoredEvents:
    """The events of a file, or of the store where a time is given; both may be read several times.

    Raises:
        click.UsageError: neither or both are given, or the span ends before it begins.
    """
    if events_path is not None:
        if start_us is not None or end_us is not None:
            raise click.UsageError("either --events, or --from and --to")
        return Events(events_path, sort=sort)
    if start_us is None:
        raise click.UsageError("which events? --events FILE, or --from TIME for those of the store")
    end_us = now_us() if end_us is None else end_us
    if end_us <= start_us:
        raise click.UsageError("--to must be later than --from")
    return StoredEvents(start_us, end_us)


def loaded_rules(*paths: Path | None) -> RuleSet:
    """The rules of files and folders; of ``$ALPR_RULES_PATH`` where none is given.

    Raises:
        CommandError: something in them is wrong.
    """
    given = [path for path in paths if path is not None]
    try:
        return load_rules(given or [rule_settings().rules_path])
    except RuleFileError as error:
        raise refused(error) from error


def loaded_watchlists(path: Path | None) -> Watchlists:
    """The entries of a file or folder; of ``$ALPR_WATCHLISTS_PATH`` where none is given.

    Raises:
        CommandError: it is not there, or something in it is wrong.
    """
    if path is not None and not path.exists():
        raise CommandError(f"{path}: there is no such file or folder")
    lists = Watchlists()
    try:
        lists.install(load_table([path or rule_settings().watchlists_path]))
    except RuleFileError as error:
        raise refused(error) from error
    return lists


def refused(error: RuleFileError) -> CommandError:
    """All problems as one message."""
    count = len(error.problems)
    return CommandError(f"{count} problem{'s' if count > 1 else ''}\n{error}")


def open_output(path: Path | None) -> AbstractContextManager[IO[str]]:
    """A file to write to; standard output where none is given."""
    return click.open_file(str(path) if path is not None else "-", "w", encoding="utf-8")
