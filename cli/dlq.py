"""`alpr dlq`: what could not be handled, and sending it back once the cause is mended."""

import json
from dataclasses import asdict
from heapq import nlargest
from typing import Any

import click

from cli.dead_letter_actions import ActionLog
from cli.dead_letter_kinds import kinds_of, show_kinds
from cli.dead_letter_log import LetterFilter
from cli.dead_letter_options import (
    filters,
    in_state,
    json_option,
    read_action_log,
    read_letters,
    state_option,
)
from cli.dead_letter_settling import discard_letters, replay_letters
from cli.errors import CommandError
from cli.output import say, show_table, table
from schemas.clock import to_iso
from schemas.json_form import looks_like_json
from schemas.records import to_json_record
from tables.dead_letters import LetterEntry

PREVIEW_BYTES = 400


@click.group()
def dlq() -> None:
    """List, show, count, replay and discard dead letters."""


dlq.add_command(replay_letters)
dlq.add_command(discard_letters)


@dlq.command(name="list")
@filters
@state_option
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1), help="Most letters, latest first.")
@json_option
def list_letters(state: str, limit: int, as_json: bool, **wanted: Any) -> None:
    """The latest letters."""
    actions = read_action_log()
    found = in_state(read_letters(LetterFilter(**wanted)), actions, state)
    entries = (LetterEntry.of(one.letter, one.offset) for one in found)
    latest = nlargest(limit, entries, key=lambda entry: (entry.failed_at, entry.topic, entry.partition, entry.offset))
    if as_json:
        click.echo(json.dumps([_entry_json(entry, actions) for entry in latest]))
        return
    made = table("id", "failed at", "from", "agent", "error type", "tries", "bytes", "state", "message")
    for entry in latest:
        made.add_row(
            entry.dead_letter_id[:8],
            to_iso(entry.failed_at)[:19],
            f"{entry.topic}/{entry.partition}/{entry.offset}",
            entry.agent,
            entry.error_type,
            str(entry.retry_count),
            str(entry.size_bytes),
            actions.state(entry.dead_letter_id),
            entry.message[:120],
        )
    if latest:
        show_table(made)
    else:
        say("no dead letters")


def _entry_json(entry: LetterEntry, actions: ActionLog) -> dict[str, Any]:
    return {**asdict(entry), "failed_at": to_iso(entry.failed_at), "state": actions.state(entry.dead_letter_id)}


@dlq.command()
@click.argument("letter_id")
@filters
@click.option("--value", "value_file", type=click.File("wb"), help="Write the record's bytes to this file (-: stdout).")
@json_option
def show(letter_id: str, value_file: Any, as_json: bool, **wanted: Any) -> None:
    """One letter, whole; its id may be cut short where the filters leave one."""
    found = list(read_letters(LetterFilter(ids=(letter_id,), **wanted)))
    if len(found) != 1:
        raise CommandError(f"{len(found) or 'no'} letters begin with {letter_id!r}; `alpr dlq list` shows their ids")
    letter = found[0].letter
    if value_file is not None:
        value_file.write(letter.value or b"")
        return
    actions = read_action_log()
    body = to_json_record(letter)
    if as_json:
        more = {
            "dlq_partition": found[0].partition,
            "dlq_offset": found[0].offset,
            "state": actions.state(letter.dead_letter_id),
        }
        click.echo(json.dumps({**body, **more}))
        return
    for name, value in body.items():
        if name not in ("key", "value", "headers", "stack"):
            say(f"{name}: {value}")
    say(f"state: {actions.why_settled(letter.dead_letter_id) or actions.state(letter.dead_letter_id)}")
    say(f"key: {_preview(letter.key)}")
    for header in letter.headers:
        say(f"header {header.key}: {_preview(header.value)}")
    say(f"value ({len(letter.value or b'')} bytes): {_preview(letter.value)}")
    if letter.stack:
        say(letter.stack)


@dlq.command()
@filters
@state_option
@json_option
def stats(state: str, as_json: bool, **wanted: Any) -> None:
    """How many letters there are, by topic, agent and error type."""
    kinds = kinds_of(in_state(read_letters(LetterFilter(**wanted)), read_action_log(), state))
    if as_json:
        total = sum(kind.letters for kind in kinds)
        click.echo(json.dumps({"letters": total, "kinds": [kind.as_json() for kind in kinds]}))
        return
    show_kinds(kinds)


@dlq.command()
@filters
@json_option
def audit(as_json: bool, **wanted: Any) -> None:
    """What people did with letters, oldest first; the filters mean the letter, times the action."""
    asked = LetterFilter(**wanted)
    trail = [action for action in read_action_log().trail if asked.matches_action(action)]
    if as_json:
        click.echo(json.dumps([to_json_record(action) for action in trail]))
        return
    made = table("at", "who", "what", "letter", "from", "agent", "error type", "tries", "reason")
    for action in trail:
        made.add_row(
            to_iso(action.acted_at)[:19],
            action.actor,
            action.action,
            action.dead_letter_id[:8],
            f"{action.topic}/{action.partition}/{action.offset}",
            action.agent,
            action.error_type,
            str(action.retry_count),
            action.reason or "",
        )
    if trail:
        show_table(made)
    else:
        say("nothing was done")


def _preview(value: bytes | None) -> str:
    """Text where it is text, else hexadecimal; cut."""
    if value is None:
        return "null"
    head = value[:PREVIEW_BYTES]
    more = "…" if len(value) > PREVIEW_BYTES else ""
    text = head.decode(errors="replace") if looks_like_json(value) or head.isascii() else ""
    return (text if text.isprintable() and text else head.hex(" ")) + more
