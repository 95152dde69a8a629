"""Dead letters counted by topic, agent and error type."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from cli.dead_letter_log import FoundLetter
from cli.output import say, show_table, table
from schemas.clock import Micros, to_iso


@dataclass(slots=True)
class Kind:
    """Counts of one topic, agent and error type."""

    topic: str
    agent: str
    error_type: str
    letters: int = 0
    first_failed_at: Micros = 2**62
    last_failed_at: Micros = 0

    def as_json(self) -> dict[str, Any]:
        """For machines, with times as ISO 8601."""
        times = {"first_failed_at": to_iso(self.first_failed_at), "last_failed_at": to_iso(self.last_failed_at)}
        return {**asdict(self), **times}


def kinds_of(found: Iterable[FoundLetter]) -> list[Kind]:
    """The kinds, the most frequent one first."""
    kinds: dict[tuple[str, str, str], Kind] = {}
    for one in found:
        letter = one.letter
        key = (letter.topic, letter.agent, letter.error_type)
        kind = kinds.setdefault(key, Kind(*key))
        kind.letters += 1
        kind.first_failed_at = min(kind.first_failed_at, letter.failed_at)
        kind.last_failed_at = max(kind.last_failed_at, letter.failed_at)
    return sorted(kinds.values(), key=lambda kind: -kind.letters)


def show_kinds(kinds: list[Kind]) -> None:
    """A table of them."""
    if not kinds:
        say("no dead letters")
        return
    made = table("letters", "topic", "agent", "error type", "first", "latest")
    for kind in kinds:
        first, latest = to_iso(kind.first_failed_at)[:19], to_iso(kind.last_failed_at)[:19]
        made.add_row(str(kind.letters), kind.topic, kind.agent, kind.error_type, first, latest)
    show_table(made)
