"""`alpr rules explain`: what each rule makes of an event, and how the correlations stood when it came."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from alert_rules.correlations.standing import Standing, standings
from alert_rules.engine import Engine, Explanation
from alert_rules.finding import Finding
from alert_rules.sightings import sighting_from_json
from cli.errors import CommandError
from cli.rule_inputs import FROM, RULES, WATCHLISTS, Events, loaded_rules, loaded_watchlists
from cli.stored_events import StoredEvents, stored_event
from schemas.clock import MICROS_PER_S
from schemas.errors import SchemaError
from schemas.events import Sighting

HISTORY_US = 86_400 * MICROS_PER_S
"""How far back the store is read for what correlations know, where nothing is said."""
_MARKS = {True: "+", False: "-", None: "?"}


@click.command()
@RULES
@WATCHLISTS
@click.option(
    "--event", required=True, help="File with the JSON of a sighting or detection, - for standard input; or an event id"
)
@click.option(
    "--history",
    "history_path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON lines with what came before the event, for correlations [default for an id: the store]",
)
@FROM
@click.option("--json", "as_json", is_flag=True, help="As JSON")
def explain(
    rules_path: Path | None,
    watchlists_path: Path | None,
    event: str,
    history_path: Path | None,
    start_us: int | None,
    as_json: bool,
) -> None:
    """Say for each rule and condition what value it sees in an event, and why it holds or not.

    An event id is looked up in --history, or in the store. With a history, or from the store (a day back, or --from),
    a correlation also says for which group the event counts, what its window holds with it, and what was sought.
    """
    engine = Engine(loaded_rules(rules_path), loaded_watchlists(watchlists_path))
    sighting, history = _sighting_and_history(event, history_path, start_us)
    stood: dict[str, list[Standing]] = {}
    if history is not None:
        for each in standings(engine.rules.enabled, engine.watchlists, history, sighting):
            stood.setdefault(each.rule.id, []).append(each)
    explanations = engine.explain(sighting)
    if as_json:
        shown = [_plain_rule(found, stood.get(found.rule.id, [])) for found in explanations]
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    for found in explanations:
        verdict = {True: "matches", False: "does not match", None: "cannot tell"}[found.finding.holds]
        click.echo(f"{found.rule.id} ({found.rule.name}): {verdict}")
        for line in (*_lines(found.finding, 1), *_standing_lines(stood.get(found.rule.id, []))):
            click.echo(line)


def _sighting_and_history(
    event: str, history_path: Path | None, start_us: int | None
) -> tuple[Sighting, Iterable[Sighting] | None]:
    history = None if history_path is None else Events(history_path)
    if event == "-" or Path(event).exists():
        try:
            with click.open_file(event, "rb") as file:
                return sighting_from_json(file.read(), "event"), history
        except SchemaError as error:
            raise CommandError(f"{event}: {error}") from error
        except OSError as error:
            raise CommandError(f"{event}: {error.strerror}") from error
    if history is not None:
        # the last revision: what is known of it
        found = max((each for each in history if each.event_id == event), key=lambda each: each.revision, default=None)
        where = str(history_path)
    else:
        found, where = stored_event(event), "the store"
    if found is None:
        raise CommandError(f"there is no file {event}, and {where} has no event of that id")
    if history is not None:
        return found, history
    start_us = found.captured_at - HISTORY_US if start_us is None else start_us
    return found, StoredEvents(start_us, found.captured_at + 1)


def _plain_rule(found: Explanation, stood: list[Standing]) -> dict[str, object]:
    body = {"rule": found.rule.id, "fires": found.finding.holds is True, "finding": _plain(found.finding)}
    if not stood:
        return body
    groups = [
        {"group": each.group, "state": each.words, "alerts": [alert.alert_id for alert in each.alerts]}
        for each in stood
    ]
    return {**body, "fires": any(each.alerts for each in stood), "groups": groups}


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


def _standing_lines(stood: list[Standing]) -> Iterator[str]:
    for each in stood:
        yield f"    group {each.group}, with this event: {each.words}"
        for alert in each.alerts:
            yield f"      alert {alert.alert_id}: {alert.message}"
        if not each.alerts:
            yield "      no alert by this event"
