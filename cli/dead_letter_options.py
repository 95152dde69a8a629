"""What the commands of `alpr dlq` have in common: filters, states, and reading letters beside their actions."""

import getpass
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import click

from cli.dead_letter_actions import DISCARDED, OPEN, REPLAYED, ActionLog, read_actions
from cli.dead_letter_log import FoundLetter, LetterFilter, letters, moment
from cli.errors import CommandError
from cli.kafka_clients import consumer, service_errors
from cli.output import warn
from schemas.clock import Micros, now_us
from schemas.errors import ErrorType
from schemas.topics import BY_NAME
from schemas.wiring import codec

Command = TypeVar("Command", bound=Callable[..., Any])
ALL = "all"
json_option = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
state_option = click.option(
    "--state", type=click.Choice([OPEN, REPLAYED, DISCARDED, ALL]), default=OPEN, show_default=True,
    help="Only letters that are open, or that people have replayed or discarded.",
)  # fmt: skip
yes_option = click.option("--yes", is_flag=True, help="Do it. Without, only what would be done is shown.")
dry_run_option = click.option("--dry-run", is_flag=True, help="Only show what would be done (as without --yes).")
reason_option = click.option("--reason", metavar="TEXT", help="Why, for the audit trail.")
actor_option = click.option(
    "--actor", default=getpass.getuser, metavar="NAME", help="Who you are (default: your login)."
)


def _moment(_context: click.Context, _option: click.Parameter, value: str | None) -> Micros | None:
    if value is None:
        return None
    try:
        return moment(value, now_us())
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(f"{value!r}: expected 15m, 2h, 3d, or a time (ISO 8601, Unix)") from error


def filters(command: Command) -> Command:
    """The filter options; they arrive as keyword arguments of `LetterFilter`."""
    for option in (
        click.option("--until", callback=_moment, metavar="TIME", help="Failed before: 15m, 2h, 3d (ago) or a time."),
        click.option("--since", callback=_moment, metavar="TIME", help="Failed at or after: 15m, 2h, 3d or a time."),
        click.option("--error-type", type=click.Choice(list(ErrorType), case_sensitive=False), help="Kind of error."),
        click.option("--agent", help="Agent that could not handle the record."),
        click.option("--topic", help="Topic that the record stood on."),
    ):
        command = option(command)
    return command


def read_letters(wanted: LetterFilter) -> Iterator[FoundLetter]:
    """The letters that are asked for.

    Raises:
        CommandError: Kafka, the registry or the topic is not there; what to do next.
    """
    if wanted.topic is not None and wanted.topic not in BY_NAME:
        raise CommandError(f"no topic {wanted.topic!r} in the catalogue; `alpr topics list` shows it")
    skipped: list[str] = []
    with service_errors():
        yield from letters(consumer(tells_end=True), codec(), wanted, skipped)
    for line in skipped:
        warn(line)


def read_action_log() -> ActionLog:
    """What people have done so far.

    Raises:
        CommandError: as `read_letters`.
    """
    skipped: list[str] = []
    with service_errors():
        log = read_actions(consumer(tells_end=True), codec(), skipped)
    for line in skipped:
        warn(line)
    return log


def in_state(found: Iterator[FoundLetter], actions: ActionLog, state: str) -> Iterator[FoundLetter]:
    """The letters in a state."""
    return (one for one in found if state == ALL or actions.state(one.letter.dead_letter_id) == state)
