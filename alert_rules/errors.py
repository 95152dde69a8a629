"""What is wrong with a rule file, and where."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches

from schemas.errors import ConfigError

MAX_PROBLEMS = 50
"""A file that is not a rule file at all should not fill the screen."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a file; line and column count from 1."""

    source: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}"


class RuleProblem(ConfigError):
    """One thing that is wrong, with its place."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(f"{place}: {message}")
        self.place = place
        self.message = message


class RuleFileError(ConfigError):
    """Everything that is wrong with one or more rule files. None of them is used.

    Attributes:
        problems: in file order.
    """

    def __init__(self, problems: Iterable[RuleProblem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: problem.place))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class Problems:
    """Collects problems, so that a file's author sees all of them at once."""

    def __init__(self) -> None:
        self.found: list[RuleProblem] = []

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Keep a problem that the block raises, and go on after the block."""
        try:
            yield
        except RuleProblem as problem:
            self.add(problem)
        except RuleFileError as error:
            for each in error.problems:
                self.add(each)

    def add(self, problem: RuleProblem) -> None:
        """Keep a problem."""
        if len(self.found) < MAX_PROBLEMS:
            self.found.append(problem)

    def raise_any(self) -> None:
        """Raise what was collected.

        Raises:
            RuleFileError: there was something.
        """
        if self.found:
            raise RuleFileError(self.found)


def nearest(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the nearest known name, or the known names where none is near."""
    names = list(known)
    lowered = {candidate.lower(): candidate for candidate in names}
    close = get_close_matches(name.lower()[:100], lowered, n=1, cutoff=0.6)
    if close:
        return f"; did you mean '{lowered[close[0]]}'?"
    if len(names) <= 24:
        return f"; known: {', '.join(names)}"
    return ""


def shown(text: str, limit: int = 60) -> str:
    """The text in quotes, shortened, for messages."""
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")
