"""`alpr rules`: check, test, explain and backtest alert rules, with the engine that runs live."""

import json
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from time import monotonic
from typing import IO

import click

from alert_rules.advice import unknown_watchlists
from alert_rules.backtest import backtest as run_backtest
from alert_rules.engine import Engine
from alert_rules.errors import RuleFileError
from alert_rules.finding import Finding
from alert_rules.inline_tests import run_tests
from alert_rules.json_schema import schema_text
from alert_rules.loading import RuleSet, load_rules
from alert_rules.settings import rule_settings
from alert_rules.sightings import sighting_from_json, sightings_from_lines
from alert_rules.watchlist_files import load_table
from alert_rules.watchlists import Watchlists
from cli.errors import CommandError
from schemas.errors import SchemaError
from schemas.events import Sighting
from schemas.records import to_json_record

_PATHS = click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
_RULES = click.option(
    "--rules", "rules_path", type=click.Path(path_type=Path), help="Rule file or folder [default: $ALPR_RULES_PATH]"
)
_WATCHLISTS = click.option(
    "--watchlists", "watchlists_path", type=click.Path(path_type=Path),
    help="Watchlist file or folder [default: $ALPR_WATCHLISTS_PATH]",
)  # fmt: skip
PROGRESS_EVERY_S = 1.0
_MARKS = {True: "+", False: "-", None: "?"}


@click.group()
def rules() -> None:
    """Alert rules: check, test, explain, backtest."""


@rules.command()
@_PATHS
@_WATCHLISTS
def lint(paths: tuple[Path, ...], watchlists_path: Path | None) -> None:
    """Check rule files and folders (default: $ALPR_RULES_PATH), and the watchlists.

    Every mistake is shown as file:line:column with what was expected. Exit code 1 when there is one.
    """
    loaded = _load(paths)
    entries = _watchlists(watchlists_path)
    for advice in unknown_watchlists(loaded, entries.sizes):
        click.echo(advice)
    disabled = len(loaded.rules) - len(loaded.enabled)
    off = f" ({disabled} switched off)" if disabled else ""
    click.echo(
        f"{len(loaded.rules)} rules{off} in {len(loaded.sources)} files, {len(entries)} watchlist entries: all good"
    )


@rules.command()
@_PATHS
@click.option("--verbose", "-v", is_flag=True, help="Also name the tests that passed")
def test(paths: tuple[Path, ...], verbose: bool) -> None:
    """Run the tests that stand in rule files (default: $ALPR_RULES_PATH). Exit code 1 when one fails."""
    loaded = _load(paths)
    passed = failed = 0
    for outcome in run_tests(loaded):
        if outcome.passed:
            passed += 1
            if verbose:
                click.echo(f"ok      {outcome.rule.id}: {outcome.test.name}")
            continue
        failed += 1
        click.echo(f"FAILED  {outcome.rule.id}: {outcome.test.name}")
        for place, difference in outcome.failures:
            click.echo(f"        {place}: {difference}")
    untested = [rule.id for rule in loaded.rules if not rule.tests]
    click.echo(f"{passed} passed, {failed} failed" + (f"; without a test: {', '.join(untested)}" if untested else ""))
    if failed:
        raise SystemExit(1)


@rules.command()
@_RULES
@_WATCHLISTS
@click.option(
    "--event",
    "event_path",
    required=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="JSON of a sighting or detection; - reads standard input",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON")
def explain(rules_path: Path | None, watchlists_path: Path | None, event_path: str, as_json: bool) -> None:
    """Say for each rule and condition what value it sees in an event, and why it holds or not."""
    engine = Engine(_load((rules_path,) if rules_path else ()), _watchlists(watchlists_path))
    try:
        with click.open_file(event_path, "rb") as event:
            sighting = sighting_from_json(event.read(), "event")
    except SchemaError as error:
        raise CommandError(f"{event_path}: {error}") from error
    explanations = engine.explain(sighting)
    if as_json:
        shown = [
            {"rule": each.rule.id, "fires": each.finding.holds is True, "finding": _plain(each.finding)}
            for each in explanations
        ]
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    for each in explanations:
        verdict = {True: "matches", False: "does not match", None: "cannot tell"}[each.finding.holds]
        click.echo(f"{each.rule.id} ({each.rule.name}): {verdict}")
        for line in _lines(each.finding, 1):
            click.echo(line)


@rules.command()
@_RULES
@_WATCHLISTS
@click.option(
    "--events",
    "events_path",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON lines: sightings or detections, in the order in which they came",
)
@click.option(
    "--output",
    "output_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Alerts as JSON lines [default: standard output]",
)
@click.option("--sort", is_flag=True, help="Take the events in order of their capture, not as they stand")
def backtest(
    rules_path: Path | None, watchlists_path: Path | None, events_path: Path, output_path: Path | None, sort: bool
) -> None:
    """Run the rules over events of the past: which alerts would there have been?

    The same events in the same order give the alerts of the live run, ids included. A line that is no event is named
    and passed over; the exit code is then 1.
    """
    engine = Engine(_load((rules_path,) if rules_path else ()), _watchlists(watchlists_path))
    counter = _Counter()
    with events_path.open(encoding="utf-8", errors="replace") as events, _open_output(output_path) as output:
        sightings: Iterator[Sighting] = counter.sightings(events, events_path)
        if sort:
            sightings = iter(
                sorted(sightings, key=lambda sighting: (sighting.captured_at, sighting.event_id, sighting.revision))
            )
        fired: dict[str, int] = {}
        held_back: dict[str, int] = {}
        for _, decision in run_backtest(engine, sightings):
            for alert in decision.alerts:
                fired[alert.rule.id] = fired.get(alert.rule.id, 0) + 1
                output.write(json.dumps(to_json_record(alert), ensure_ascii=False, sort_keys=True) + "\n")
            for rule_id in decision.held_back:
                held_back[rule_id] = held_back.get(rule_id, 0) + 1
    for rule in engine.rules.enabled:
        click.echo(f"{rule.id}: {fired.get(rule.id, 0)} alerts, {held_back.get(rule.id, 0)} held back", err=True)
    click.echo(f"{counter.events} events, {sum(fired.values())} alerts, {counter.broken} lines passed over", err=True)
    if counter.broken:
        raise SystemExit(1)


@rules.command()
@click.option(
    "--output", "output_path", type=click.Path(dir_okay=False, path_type=Path), help="File [default: standard output]"
)
def schema(output_path: Path | None) -> None:
    """Print the JSON Schema of rule files, for editors."""
    with _open_output(output_path) as output:
        output.write(schema_text())


class _Counter:
    """Counts what a backtest reads, and shows that it goes on."""

    def __init__(self) -> None:
        self.events = 0
        self.broken = 0
        self._said_at = monotonic()

    def sightings(self, lines: Iterator[str], path: Path) -> Iterator[Sighting]:
        """The sightings of the lines; others are named."""
        for number, found in sightings_from_lines(lines):
            if isinstance(found, SchemaError):
                self.broken += 1
                click.echo(f"{path}:{number}: {found}", err=True)
                continue
            self.events += 1
            if monotonic() - self._said_at >= PROGRESS_EVERY_S and sys.stderr.isatty():
                self._said_at = monotonic()
                click.echo(f"\r{self.events:,} events", nl=False, err=True)
            yield found


def _load(paths: tuple[Path, ...]) -> RuleSet:
    try:
        return load_rules(paths or (rule_settings().rules_path,))
    except RuleFileError as error:
        raise _refused(error) from error


def _watchlists(path: Path | None) -> Watchlists:
    if path is not None and not path.exists():
        raise CommandError(f"{path}: there is no such file or folder")
    lists = Watchlists()
    try:
        lists.install(load_table([path or rule_settings().watchlists_path]))
    except RuleFileError as error:
        raise _refused(error) from error
    return lists


def _refused(error: RuleFileError) -> CommandError:
    count = len(error.problems)
    return CommandError(f"{count} problem{'s' if count > 1 else ''}\n{error}")


def _open_output(path: Path | None) -> AbstractContextManager[IO[str]]:
    return click.open_file(str(path) if path is not None else "-", "w", encoding="utf-8")


def _plain(finding: Finding) -> dict[str, object]:
    body: dict[str, object] = {"operator": finding.operator, "holds": finding.holds}
    if finding.parts:
        return {**body, "parts": [_plain(part) for part in finding.parts]}
    return {**body, "field": finding.field, "expected": finding.expected, "observed": finding.observed}


def _lines(finding: Finding, depth: int) -> Iterator[str]:
    indent = "  " * depth + _MARKS[finding.holds] + " "
    if finding.parts:
        yield indent + finding.operator
        for part in finding.parts:
            yield from _lines(part, depth + 1)
    else:
        yield f"{indent}{finding.field} {finding.operator} {finding.expected}: {finding.observed}"
