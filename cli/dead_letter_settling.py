"""`alpr dlq replay` and `alpr dlq discard`: dry runs first, then audited."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import click

from cli.dead_letter_actions import ActionWriter
from cli.dead_letter_kinds import kinds_of, show_kinds
from cli.dead_letter_log import FoundLetter, LetterFilter
from cli.dead_letter_options import (
    actor_option,
    dry_run_option,
    filters,
    json_option,
    read_action_log,
    read_letters,
    reason_option,
    yes_option,
)
from cli.dead_letter_replay import ReplayResult, discard, refusal, replay
from cli.dead_letter_settings import DeadLetterSettings
from cli.errors import CommandError
from cli.kafka_clients import producer, service_errors
from cli.output import say
from schemas.wiring import codec


@click.command(name="replay")
@click.argument("ids", nargs=-1)
@filters
@yes_option
@dry_run_option
@click.option("--rate", type=click.FloatRange(min=0.1), help="Records a second (default: ALPR_DLQ_REPLAY_RATE_PER_S).")
@click.option(
    "--max-retries", type=click.IntRange(min=0),
    help="Leave records that were replayed this often (default: ALPR_DLQ_MAX_RETRIES).",
)  # fmt: skip
@click.option("--again", is_flag=True, help="Also letters that were replayed or discarded before.")
@actor_option
@reason_option
@json_option
def replay_letters(
    ids: tuple[str, ...],
    yes: bool,
    dry_run: bool,
    rate: float | None,
    max_retries: int | None,
    again: bool,
    actor: str,
    reason: str | None,
    as_json: bool,
    **wanted: Any,
) -> None:
    """Send letters (all that match, or those with these IDS) back to their original topic and partition."""
    settings = DeadLetterSettings()
    most = settings.max_retries if max_retries is None else max_retries
    asked = LetterFilter(ids=ids, **wanted)
    actions = None if again else read_action_log()
    if dry_run or not yes:
        refused: list[str] = []
        possible = _possible(read_letters(asked), lambda one: refusal(one.letter, most, actions), refused)
        _show_plan("sent", possible, refused, as_json)
        return
    with service_errors():
        writer = ActionWriter(codec(), actor, reason)
        result = replay(
            read_letters(asked), producer(), writer, max_retries=most, actions=actions,
            rate_per_s=settings.replay_rate_per_s if rate is None else rate,
        )  # fmt: skip
    _show_result("sent", result, as_json)


@click.command(name="discard")
@click.argument("ids", nargs=-1)
@filters
@yes_option
@dry_run_option
@actor_option
@reason_option
@json_option
def discard_letters(
    ids: tuple[str, ...], yes: bool, dry_run: bool, actor: str, reason: str | None, as_json: bool, **wanted: Any
) -> None:
    """Settle letters (all that match, or those with these IDS) without sending them; they stay readable."""
    asked = LetterFilter(ids=ids, **wanted)
    if asked == LetterFilter():
        raise CommandError("which letters? Give ids or filters; to discard all: --since 1970-01-01")
    actions = read_action_log()
    if dry_run or not yes:
        refused: list[str] = []
        possible = _possible(
            read_letters(asked), lambda one: actions.why_settled(one.letter.dead_letter_id), refused
        )  # fmt: skip
        _show_plan("discarded", possible, refused, as_json)
        return
    with service_errors():
        writer = ActionWriter(codec(), actor, reason)
        result = discard(read_letters(asked), producer(), writer, actions)
    _show_result("discarded", result, as_json)


def _possible(
    found: Iterator[FoundLetter], why_not: Callable[[FoundLetter], str | None], refused: list[str]
) -> Iterator[FoundLetter]:
    for one in found:
        reason = why_not(one)
        if reason is None:
            yield one
        else:
            refused.append(reason)


def _show_plan(what: str, possible: Iterator[FoundLetter], refused: list[str], as_json: bool) -> None:
    kinds = kinds_of(possible)
    total = sum(kind.letters for kind in kinds)
    if as_json:
        name = "would_send" if what == "sent" else "would_discard"
        click.echo(json.dumps({name: total, "skipped": len(refused)}))
        return
    show_kinds(kinds)
    say(f"{total} would be {what}, {len(refused)} left out. Nothing was done; --yes does it.")


def _show_result(what: str, result: ReplayResult, as_json: bool) -> None:
    if as_json:
        body = asdict(result)
        click.echo(json.dumps(body if what == "sent" else {"discarded": body.pop("sent"), **body}))
    else:
        for letter_id, reason in result.skipped:
            say(f"left out {letter_id[:8]}: {reason}")
        say(f"{result.sent} {what}, {len(result.skipped)} left out, {len(result.failed)} failed")
    if result.failed:
        lines = "\n".join(f"{letter_id[:8]}: {reason}" for letter_id, reason in result.failed[:20])
        raise CommandError(f"{len(result.failed)} could not be {what}:\n{lines}")
