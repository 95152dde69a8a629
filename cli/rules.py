"""`alpr rules`: check, test, explain, backtest and compare alert rules, with the engine that runs live."""

import json
from collections.abc import Iterator
from pathlib import Path

import click

from alert_rules.advice import unknown_watchlists
from alert_rules.backtest import backtest as run_backtest
from alert_rules.engine import Engine
from alert_rules.finding import Finding
from alert_rules.json_schema import schema_text
from alert_rules.sightings import sighting_from_json
from cli.errors import CommandError
from cli.rule_diff import diff
from cli.rule_inputs import EVENTS, PATHS, RULES, SORT, WATCHLISTS, Events, loaded_rules, loaded_watchlists, open_output
from cli.rule_mutate import mutate
from cli.rule_tests import test
from schemas.errors import SchemaError
from schemas.records import to_json_record

_MARKS = {True: "+", False: "-", None: "?"}


@click.group()
def rules() -> None:
    """Alert rules: check, test, explain, backtest."""


@rules.command()
@PATHS
@WATCHLISTS
def lint(paths: tuple[Path, ...], watchlists_path: Path | None) -> None:
    """Check rule files and folders (default: $ALPR_RULES_PATH), and the watchlists.

    Every mistake is shown as file:line:column with what was expected. Exit code 1 when there is one.
    """
    loaded = loaded_rules(*paths)
    entries = loaded_watchlists(watchlists_path)
    for advice in unknown_watchlists(loaded, entries.sizes):
        click.echo(advice)
    disabled = len(loaded.rules) - len(loaded.enabled)
    off = f" ({disabled} switched off)" if disabled else ""
    click.echo(
        f"{len(loaded.rules)} rules{off} in {len(loaded.sources)} files, {len(entries)} watchlist entries: all good"
    )


@rules.command()
@RULES
@WATCHLISTS
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
    engine = Engine(loaded_rules(rules_path), loaded_watchlists(watchlists_path))
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
@RULES
@WATCHLISTS
@EVENTS
@click.option(
    "--output",
    "output_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Alerts as JSON lines [default: standard output]",
)
@SORT
def backtest(
    rules_path: Path | None, watchlists_path: Path | None, events_path: Path, output_path: Path | None, sort: bool
) -> None:
    """Run the rules over events of the past: which alerts would there have been?

    The same events in the same order give the alerts of the live run, ids included. A line that is no event is named
    and passed over; the exit code is then 1.
    """
    engine = Engine(loaded_rules(rules_path), loaded_watchlists(watchlists_path))
    events = Events(events_path, sort=sort)
    fired: dict[str, int] = {}
    held_back: dict[str, int] = {}
    with open_output(output_path) as output:
        for _, decision in run_backtest(engine, events):
            for alert in decision.alerts:
                fired[alert.rule.id] = fired.get(alert.rule.id, 0) + 1
                output.write(json.dumps(to_json_record(alert), ensure_ascii=False, sort_keys=True) + "\n")
            for rule_id in decision.held_back:
                held_back[rule_id] = held_back.get(rule_id, 0) + 1
    for rule in engine.rules.enabled:
        click.echo(f"{rule.id}: {fired.get(rule.id, 0)} alerts, {held_back.get(rule.id, 0)} held back", err=True)
    click.echo(f"{events.read} events, {sum(fired.values())} alerts, {events.broken} lines passed over", err=True)
    if events.broken:
        raise SystemExit(1)


@rules.command()
@click.option(
    "--output", "output_path", type=click.Path(dir_okay=False, path_type=Path), help="File [default: standard output]"
)
def schema(output_path: Path | None) -> None:
    """Print the JSON Schema of rule files, for editors."""
    with open_output(output_path) as output:
        output.write(schema_text())


rules.add_command(test)
rules.add_command(diff)
rules.add_command(mutate)


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
