"""`alpr alerts`: what people do with alerts, on ``alpr.alerts.actions``. Silences are kept there too, and listed."""

import json
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import uuid4

import click

from agents.decisions.silences import AlertActions, Silence
from alert_rules.expectations import parse_duration_s
from alert_rules.rule import SEVERITIES
from cli.dead_letter_options import actor_option, json_option
from cli.errors import CommandError
from cli.kafka_clients import TIMEOUT_S, consumer, producer, service_errors
from cli.output import say, show_table, table, warn
from cli.topic_reading import place_of, records
from schemas.clock import MICROS_PER_S, Micros, now_us, parse_time, to_iso
from schemas.errors import SchemaError
from schemas.events import AlertAction, AlertMatcher
from schemas.records import to_json_record
from schemas.topics import ALERT_ACTIONS
from schemas.wiring import codec

Command = TypeVar("Command", bound=Callable[..., Any])
LONGEST_SILENCE_S = 365 * 86_400
note_option = click.option("--note", metavar="TEXT", help="Why, for those who look later.")
ids_argument = click.argument("alert_ids", nargs=-1, required=True, metavar="ALERT_ID...")


@click.group()
def alerts() -> None:
    """Acknowledge, resolve and label alerts; silence those that are expected."""


@alerts.command()
@ids_argument
@actor_option
@note_option
def ack(alert_ids: tuple[str, ...], actor: str, note: str | None) -> None:
    """Somebody takes care of these alerts: they escalate no further."""
    _act(alert_ids, "acknowledge", actor, note)


@alerts.command()
@ids_argument
@actor_option
@note_option
def resolve(alert_ids: tuple[str, ...], actor: str, note: str | None) -> None:
    """These alerts are dealt with."""
    _act(alert_ids, "resolve", actor, note)


@alerts.command()
@ids_argument
@click.option(
    "--as", "label", required=True, metavar="LABEL", help="true_positive, false_positive or words of your own."
)
@actor_option
@note_option
def label(alert_ids: tuple[str, ...], label: str, actor: str, note: str | None) -> None:
    """Say what these alerts were: the measure of a rule."""
    _act(alert_ids, "label", actor, note, label=label)


def _patterns(name: str, what: str) -> Callable[[Command], Command]:
    return click.option(
        f"--{name}", name, multiple=True, metavar="GLOB", help=f"{what} (repeatable; ? and * are wild)."
    )


@alerts.command()
@_patterns("rule", "Rule id")
@click.option("--severity", multiple=True, type=click.Choice(SEVERITIES), help="Severity (repeatable).")
@_patterns("site", "Site")
@_patterns("camera", "Camera")
@_patterns("plate", "Plate, as observed, normalised or listed")
@_patterns("key", "Group that the alert fired for")
@click.option("--alert", "alert_id", metavar="ALERT_ID", help="One alert alone, in place of all the above.")
@click.option("--for", "lasting", metavar="SPAN", help="How long: 30m, 2h, 3d.")
@click.option("--until", metavar="TIME", help="Its end, in place of --for: ISO 8601 or Unix.")
@click.option("--from", "starts", metavar="TIME", help="Its beginning (default: now).")
@click.option("--comment", required=True, metavar="TEXT", help="Why.")
@actor_option
@json_option
def silence(
    alert_id: str | None, lasting: str | None, until: str | None, starts: str | None, comment: str, actor: str,
    as_json: bool, **given: tuple[str, ...],
) -> None:  # fmt: skip
    """Hold the notifications of alerts back that fit everything given. They are raised all the same."""
    now = now_us()
    matcher = matcher_of(given)
    if (matcher is None) == (alert_id is None):
        raise CommandError("say which alerts: --rule, --severity, --site, --camera, --plate, --key; or --alert alone")
    starts_at = _time(starts, "--from") if starts is not None else now
    ends_at = _end(lasting, until, starts_at)
    if ends_at <= max(now, starts_at):
        raise CommandError("it would be over before it begins")
    if ends_at - now > LONGEST_SILENCE_S * MICROS_PER_S:
        raise CommandError("a silence ends within a year")
    silence_id = str(uuid4())
    action = AlertAction(
        action_id=silence_id, alert_id=alert_id or silence_id, action="silence", actor=actor, acted_at=now,
        note=comment, until=ends_at, starts_at=starts_at, matcher=matcher,
    )  # fmt: skip
    _write([action])
    if as_json:
        click.echo(json.dumps(to_json_record(action)))
    else:
        say(f"{silence_id}: silent until {to_iso(ends_at)[:19]}Z")


@alerts.command()
@click.argument("silence_id")
@actor_option
@note_option
def unsilence(silence_id: str, actor: str, note: str | None) -> None:
    """End a silence; its id may be cut short."""
    found = [each for each in read_silences().silences(now_us()) if each.silence_id.startswith(silence_id)]
    if len(found) != 1:
        raise CommandError(
            f"{len(found) or 'no'} silences begin with {silence_id!r}; `alpr alerts silences` shows them"
        )
    ended = found[0]
    action = AlertAction(
        action_id=str(uuid4()), alert_id=ended.alert_id or ended.silence_id, action="unsilence", actor=actor,
        acted_at=now_us(), note=note, silence_id=ended.silence_id,
    )  # fmt: skip
    _write([action])
    say(f"{ended.silence_id}: ended")


@alerts.command()
@json_option
def silences(as_json: bool) -> None:
    """The silences that are in force or still to come."""
    now = now_us()
    found = read_silences().silences(now)
    if as_json:
        click.echo(json.dumps([_silence_json(each, now) for each in found]))
        return
    if not found:
        say("no silences")
        return
    made = table("id", "state", "from", "until", "by", "alerts", "comment")
    for each in found:
        made.add_row(
            each.silence_id[:8],
            "active" if each.holds(now) else "pending",
            to_iso(each.starts_at)[:19],
            to_iso(each.until)[:19],
            each.author,
            f"alert {each.alert_id}" if each.matcher is None else words_of(each.matcher),
            each.comment,
        )
    show_table(made)


def matcher_of(given: dict[str, tuple[str, ...]]) -> AlertMatcher | None:
    """The matcher of the options; None where none was given.

    Raises:
        CommandError: a pattern is empty.
    """
    if any(not pattern.strip() for patterns in given.values() for pattern in patterns):
        raise CommandError("an empty pattern fits nothing")
    if not any(given.values()):
        return None
    return AlertMatcher(
        rules=given.get("rule", ()),
        severities=given.get("severity", ()),
        sites=given.get("site", ()),
        cameras=given.get("camera", ()),
        plates=given.get("plate", ()),
        keys=given.get("key", ()),
    )


def words_of(matcher: AlertMatcher) -> str:
    """A matcher in one line."""
    parts = [(name, patterns) for name, patterns in to_json_record(matcher).items() if patterns]
    return ", ".join(f"{name} {' or '.join(patterns)}" for name, patterns in parts)


def read_silences() -> AlertActions:
    """What was done so far.

    Raises:
        CommandError: Kafka, the registry or the topic is not there; what to do next.
    """
    actions = AlertActions()
    with service_errors():
        for message in records(consumer(tells_end=True), ALERT_ACTIONS):
            value = message.value()
            if value is None:
                continue
            try:
                actions.note(codec().decode(ALERT_ACTIONS, value), now_us())
            except SchemaError as error:
                partition, offset = place_of(message)
                warn(f"{ALERT_ACTIONS.name}[{partition}] offset {offset} is no action: {error}")
    return actions


def _silence_json(silence: Silence, now: Micros) -> dict[str, Any]:
    return {
        "silence_id": silence.silence_id,
        "state": "active" if silence.holds(now) else "pending",
        "alert_id": silence.alert_id,
        "matcher": None if silence.matcher is None else to_json_record(silence.matcher),
        "starts_at": to_iso(silence.starts_at),
        "until": to_iso(silence.until),
        "author": silence.author,
        "comment": silence.comment,
    }


def _time(written: str, option: str) -> Micros:
    try:
        return parse_time(written)
    except (ValueError, OverflowError) as error:
        raise CommandError(f"{option} {written!r} is no time: ISO 8601 or Unix") from error


def _end(lasting: str | None, until: str | None, starts_at: Micros) -> Micros:
    if (lasting is None) == (until is None):
        raise CommandError("say how long: --for 2h, or --until TIME")
    if until is not None:
        return _time(until, "--until")
    seconds = parse_duration_s(lasting or "")
    if not seconds:
        raise CommandError(f"--for {lasting!r}: 30m, 2h, 3d")
    return starts_at + round(seconds * MICROS_PER_S)


def _act(alert_ids: tuple[str, ...], action: str, actor: str, note: str | None, label: str | None = None) -> None:
    now = now_us()
    ids = [alert_id.strip() for alert_id in dict.fromkeys(alert_ids)]
    if not all(ids):
        raise CommandError("an alert id is empty")
    _write(
        [
            AlertAction(
                action_id=str(uuid4()), alert_id=each, action=action, actor=actor, acted_at=now, label=label, note=note
            )
            for each in ids
        ]
    )
    say(f"{action}: {', '.join(ids)}")


def _write(actions: list[AlertAction]) -> None:
    failures: list[str] = []

    def delivered(error: Any, _message: Any) -> None:
        if error is not None:
            failures.append(str(error))

    with service_errors():
        codec().prepare(ALERT_ACTIONS)
        writer = producer()
        for action in actions:
            value = codec().encode(ALERT_ACTIONS, action)
            writer.produce(ALERT_ACTIONS.name, key=action.alert_id.encode(), value=value, on_delivery=delivered)
        if writer.flush(TIMEOUT_S):
            failures.append(f"no acknowledgement within {TIMEOUT_S:g} s")
    if failures:
        raise CommandError(f"not written: {failures[0]}")
