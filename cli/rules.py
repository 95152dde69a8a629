"""`alpr rules`: check, test, explain, backtest and compare alert rules, with the engine that runs live."""

import json
from pathlib import Path

import click

from alert_rules.advice import unknown_watchlists
from alert_rules.backtest import backtest as run_backtest
from alert_rules.engine import Engine
from alert_rules.json_schema import schema_text
from cli.rule_diff import diff
from cli.rule_explain import explain
from cli.rule_hunt import hunt
from cli.rule_inputs import (
    EVENTS,
    FROM,
    PATHS,
    RULES,
    SORT,
    TO,
    WATCHLISTS,
    chosen_events,
    loaded_rules,
    loaded_watchlists,
    open_output,
)
from cli.rule_mutate import mutate
from cli.rule_tests import test
from schemas.records import to_json_record


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
@EVENTS
@FROM
@TO
@click.option(
    "--output",
    "output_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Alerts as JSON lines [default: standard output]",
)
@SORT
def backtest(
    rules_path: Path | None,
    watchlists_path: Path | None,
    events_path: Path | None,
    start_us: int | None,
    end_us: int | None,
    output_path: Path | None,
    sort: bool,
) -> None:
    """Run the rules over events of the past: which alerts would there have been?

    The events come from a file, or from the store in the order of their capture. The same events in the same order
    give the alerts of the live run, ids included. A line that is no event is named and passed over; the exit code is
    then 1.
    """
    engine = Engine(loaded_rules(rules_path), loaded_watchlists(watchlists_path))
    events = chosen_events(events_path, start_us, end_us, sort=sort)
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


rules.add_command(explain)
rules.add_command(hunt)
rules.add_command(test)
rules.add_command(diff)
rules.add_command(mutate)
