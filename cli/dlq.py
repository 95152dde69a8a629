"""`alpr dlq`: what could not be handled, and sending it back once the cause is mended."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from heapq import nlargest
from typing import Any, TypeVar

import click

from cli.dead_letter_log import FoundLetter, LetterFilter, letters, moment
from cli.dead_letter_replay import refusal, replay
from cli.errors import CommandError
from cli.kafka_clients import consumer, kafka_errors, producer
from cli.output import say, show_table, table, warn
from schemas.clock import Micros, now_us, to_iso
from schemas.errors import ErrorType, RegistryUnavailable
from schemas.json_form import looks_like_json
from schemas.records import to_json_record
from schemas.topics import BY_NAME
from schemas.wiring import codec
from tables.dead_letters import LetterEntry

PREVIEW_BYTES = 400
_json_option = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
Command = TypeVar("Command", bound=Callable[..., Any])


def _moment(_context: click.Context, _option: click.Parameter, value: str | None) -> Micros | None:
    if value is None:
        return None
    try:
        return moment(value, now_us())
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(f"{value!r}: expected 15m, 2h, 3d, or a time (ISO 8601, Unix)") from error


def _filters(command: Command) -> Command:
    """The filter options; they arrive as one `LetterFilter`."""
    for option in (
        click.option("--until", callback=_moment, metavar="TIME", help="Failed before: 15m, 2h, 3d (ago) or a time."),
        click.option("--since", callback=_moment, metavar="TIME", help="Failed at or after: 15m, 2h, 3d or a time."),
        click.option("--error-type", type=click.Choice(list(ErrorType), case_sensitive=False), help="Kind of error."),
        click.option("--agent", help="Agent that could not handle the record."),
        click.option("--topic", help="Topic that the record stood on."),
    ):
        command = option(command)
    return command


@click.group()
def dlq() -> None:
    """List, show, count and replay dead letters."""


@dlq.command(name="list")
@_filters
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1), help="Most letters, latest first.")
@_json_option
def list_letters(limit: int, as_json: bool, **filters: Any) -> None:
    """The latest letters."""
    entries = (LetterEntry.of(found.letter, found.offset) for found in _read(LetterFilter(**filters)))
    latest = nlargest(limit, entries, key=lambda entry: (entry.failed_at, entry.topic, entry.partition, entry.offset))
    if as_json:
        click.echo(json.dumps([{**asdict(entry), "failed_at": to_iso(entry.failed_at)} for entry in latest]))
        return
    made = table("id", "failed at", "from", "agent", "error type", "tries", "bytes", "message")
    for entry in latest:
        made.add_row(
            entry.dead_letter_id[:8],
            to_iso(entry.failed_at)[:19],
            f"{entry.topic}/{entry.partition}/{entry.offset}",
            entry.agent,
            entry.error_type,
            str(entry.retry_count),
            str(entry.size_bytes),
            entry.message[:120],
        )
    if latest:
        show_table(made)
    else:
        say("no dead letters")


@dlq.command()
@click.argument("letter_id")
@click.option("--value", "value_file", type=click.File("wb"), help="Write the record's bytes to this file (-: stdout).")
@_json_option
def show(letter_id: str, value_file: Any, as_json: bool) -> None:
    """One letter, whole; its id may be cut short."""
    found = list(_read(LetterFilter(ids=(letter_id,))))
    if len(found) != 1:
        raise CommandError(f"{len(found) or 'no'} letters begin with {letter_id!r}; `alpr dlq list` shows their ids")
    letter = found[0].letter
    if value_file is not None:
        value_file.write(letter.value or b"")
        return
    body = to_json_record(letter)
    if as_json:
        click.echo(json.dumps({**body, "dlq_partition": found[0].partition, "dlq_offset": found[0].offset}))
        return
    for name, value in body.items():
        if name not in ("key", "value", "headers", "stack"):
            say(f"{name}: {value}")
    say(f"key: {_preview(letter.key)}")
    for header in letter.headers:
        say(f"header {header.key}: {_preview(header.value)}")
    say(f"value ({len(letter.value or b'')} bytes): {_preview(letter.value)}")
    if letter.stack:
        say(letter.stack)


@dataclass(slots=True)
class _Kind:
    """Counts of one topic, agent and error type."""

    topic: str
    agent: str
    error_type: str
    letters: int = 0
    first_failed_at: Micros = 2**62
    last_failed_at: Micros = 0


@dlq.command()
@_filters
@_json_option
def stats(as_json: bool, **filters: Any) -> None:
    """How many letters there are, by topic, agent and error type."""
    kinds = _kinds(_read(LetterFilter(**filters)))
    if as_json:
        rows = [
            {
                **asdict(kind),
                "first_failed_at": to_iso(kind.first_failed_at),
                "last_failed_at": to_iso(kind.last_failed_at),
            }
            for kind in kinds
        ]
        click.echo(json.dumps({"letters": sum(kind.letters for kind in kinds), "kinds": rows}))
        return
    _show_kinds(kinds)


@dlq.command(name="replay")
@click.argument("ids", nargs=-1)
@_filters
@click.option("--yes", is_flag=True, help="Do it. Without, only what would be sent is shown.")
@click.option("--dry-run", is_flag=True, help="Only show what would be sent (as without --yes).")
@click.option("--rate", default=200.0, show_default=True, type=click.FloatRange(min=0.1), help="Records a second.")
@click.option("--max-retries", default=5, show_default=True, help="Leave letters that were replayed this often.")
@_json_option
def replay_letters(
    ids: tuple[str, ...], yes: bool, dry_run: bool, rate: float, max_retries: int, as_json: bool, **filters: Any
) -> None:
    """Send letters (all that match, or those with these IDS) back to their original topic and partition."""
    wanted = LetterFilter(ids=ids, **filters)
    if dry_run or not yes:
        refused: list[str] = []
        kinds = _kinds(_replayable(_read(wanted), max_retries, refused))
        total = sum(kind.letters for kind in kinds)
        if as_json:
            click.echo(json.dumps({"would_send": total, "skipped": len(refused)}))
            return
        _show_kinds(kinds)
        say(f"{total} would be sent, {len(refused)} left out. Nothing was sent; --yes sends.")
        return
    with kafka_errors():
        result = replay(_read(wanted), producer(), max_retries=max_retries, rate_per_s=rate)
    if as_json:
        click.echo(json.dumps(asdict(result)))
    else:
        for letter_id, reason in result.skipped:
            say(f"left out {letter_id[:8]}: {reason}")
        say(f"{result.sent} sent, {len(result.skipped)} left out, {len(result.failed)} failed")
    if result.failed:
        lines = "\n".join(f"{letter_id[:8]}: {reason}" for letter_id, reason in result.failed[:20])
        raise CommandError(f"{len(result.failed)} could not be sent:\n{lines}")


def _replayable(found: Iterator[FoundLetter], max_retries: int, refused: list[str]) -> Iterator[FoundLetter]:
    for one in found:
        reason = refusal(one.letter, max_retries)
        if reason is None:
            yield one
        else:
            refused.append(reason)


def _read(wanted: LetterFilter) -> Iterator[FoundLetter]:
    if wanted.topic is not None and wanted.topic not in BY_NAME:
        raise CommandError(f"no topic {wanted.topic!r} in the catalogue; `alpr topics list` shows it")
    skipped: list[str] = []
    with _read_errors():
        yield from letters(consumer(), codec(), wanted, skipped)
    for line in skipped:
        warn(line)


@contextmanager
def _read_errors() -> Iterator[None]:
    try:
        with kafka_errors():
            yield
    except RegistryUnavailable as error:
        raise CommandError(str(error)) from error


def _kinds(found: Iterator[FoundLetter]) -> list[_Kind]:
    kinds: dict[tuple[str, str, str], _Kind] = {}
    for one in found:
        letter = one.letter
        key = (letter.topic, letter.agent, letter.error_type)
        kind = kinds.setdefault(key, _Kind(*key))
        kind.letters += 1
        kind.first_failed_at = min(kind.first_failed_at, letter.failed_at)
        kind.last_failed_at = max(kind.last_failed_at, letter.failed_at)
    return sorted(kinds.values(), key=lambda kind: -kind.letters)


def _show_kinds(kinds: list[_Kind]) -> None:
    if not kinds:
        say("no dead letters")
        return
    made = table("letters", "topic", "agent", "error type", "first", "latest")
    for kind in kinds:
        first, latest = to_iso(kind.first_failed_at)[:19], to_iso(kind.last_failed_at)[:19]
        made.add_row(str(kind.letters), kind.topic, kind.agent, kind.error_type, first, latest)
    show_table(made)


def _preview(value: bytes | None) -> str:
    """Text where it is text, else hexadecimal; cut."""
    if value is None:
        return "null"
    head = value[:PREVIEW_BYTES]
    more = "…" if len(value) > PREVIEW_BYTES else ""
    text = head.decode(errors="replace") if looks_like_json(value) or head.isascii() else ""
    return (text if text.isprintable() and text else head.hex(" ")) + more
