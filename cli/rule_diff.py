"""`alpr rules diff`: which alerts a change of rules or watchlists would make appear, vanish or read differently."""

import json
from collections.abc import Iterable
from pathlib import Path

import click

from alert_rules.backtest import backtest
from alert_rules.difference import Difference, compare
from alert_rules.engine import Engine
from alert_rules.loading import RuleSet
from alert_rules.watchlists import Watchlists
from cli.rule_inputs import (
    EVENTS,
    FROM,
    SORT,
    TO,
    WATCHLISTS,
    chosen_events,
    loaded_rules,
    loaded_watchlists,
)
from schemas.clock import to_iso
from schemas.events import Alert, Sighting
from schemas.records import to_json_record


@click.command()
@click.argument("old_path", metavar="OLD", type=click.Path(exists=True, path_type=Path))
@click.argument("new_path", metavar="NEW", type=click.Path(exists=True, path_type=Path))
@EVENTS
@FROM
@TO
@WATCHLISTS
@click.option(
    "--new-watchlists",
    "new_watchlists_path",
    type=click.Path(path_type=Path),
    help="Watchlists for the new rules [default: those of the old]",
)
@SORT
@click.option("--fail", is_flag=True, help="Exit code 1 when anything differs")
@click.option("--json", "as_json", is_flag=True, help="As JSON lines, with the whole alerts")
def diff(
    old_path: Path,
    new_path: Path,
    events_path: Path | None,
    start_us: int | None,
    end_us: int | None,
    watchlists_path: Path | None,
    new_watchlists_path: Path | None,
    sort: bool,
    fail: bool,
    as_json: bool,
) -> None:
    """Run two rule sets over the same events and compare the alerts.

    + appears, - vanishes, ~ is raised by both but differs. The counts of each rule are on standard error. A line that
    is no event is named and passed over; the exit code is then 1.
    """
    events = chosen_events(events_path, start_us, end_us, sort=sort)
    old_lists = loaded_watchlists(watchlists_path)
    new_lists = old_lists if new_watchlists_path is None else loaded_watchlists(new_watchlists_path)
    old_rules, new_rules = loaded_rules(old_path), loaded_rules(new_path)
    difference = compare(_alerts(old_rules, old_lists, events), _alerts(new_rules, new_lists, events))
    for line in _json_lines(difference) if as_json else _lines(difference):
        click.echo(line)
    for rule_id, counts in difference.by_rule.items():
        click.echo(
            f"{rule_id}: {counts.appeared} appear, {counts.vanished} vanish, {counts.changed} change, "
            f"{counts.same} stay",
            err=True,
        )
    click.echo(
        f"{events.read} events: {len(difference.appeared)} alerts appear, {len(difference.vanished)} vanish, "
        f"{len(difference.changed)} change",
        err=True,
    )
    if events.broken or (fail and difference):
        raise SystemExit(1)


def _alerts(rules: RuleSet, watchlists: Watchlists, events: Iterable[Sighting]) -> list[Alert]:
    return [alert for _, decision in backtest(Engine(rules, watchlists), events) for alert in decision.alerts]


def _lines(difference: Difference) -> list[str]:
    """One line an alert, in the order of event time."""
    found = [(alert, f"+ {_shown(alert)}") for alert in difference.appeared]
    found += [(alert, f"- {_shown(alert)}") for alert in difference.vanished]
    found += [(each.new, f"~ {_shown(each.new)} [{', '.join(each.parts)}]") for each in difference.changed]
    return [line for _, line in sorted(found, key=lambda pair: (pair[0].fired_at, pair[0].rule.id, pair[1]))]


def _shown(alert: Alert) -> str:
    return f"{to_iso(alert.fired_at)} {alert.rule.id} {alert.key}: {alert.message!r:.160}"


def _json_lines(difference: Difference) -> list[str]:
    bodies: list[dict[str, object]] = [
        {"difference": "appears", "alert": to_json_record(alert)} for alert in difference.appeared
    ]
    bodies += [{"difference": "vanishes", "alert": to_json_record(alert)} for alert in difference.vanished]
    bodies += [
        {
            "difference": "changes",
            "parts": list(each.parts),
            "old": to_json_record(each.old),
            "alert": to_json_record(each.new),
        }
        for each in difference.changed
    ]
    return [json.dumps(body, ensure_ascii=False, sort_keys=True) for body in bodies]
