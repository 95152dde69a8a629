"""``condition: {gte: 5}``: bounds of a number, in the words of Sigma's correlations."""

from dataclasses import dataclass

from alert_rules.expectations import show_duration
from schemas.clock import MICROS_PER_S

TESTS = {
    "gte": lambda value, limit: value >= limit,
    "gt": lambda value, limit: value > limit,
    "lte": lambda value, limit: value <= limit,
    "lt": lambda value, limit: value < limit,
    "eq": lambda value, limit: value == limit,
}
_SIGNS = {"gte": ">=", "gt": ">", "lte": "<=", "lt": "<", "eq": "="}


@dataclass(frozen=True, slots=True)
class Bound:
    """One or two bounds, all of which must hold.

    Attributes:
        parts: (name of the test, limit), sorted.
    """

    parts: tuple[tuple[str, float], ...]

    def holds(self, value: float) -> bool:
        """Whether the number is within."""
        return all(TESTS[name](value, limit) for name, limit in self.parts)

    def words(self) -> str:
        """For people: ``>= 5``."""
        return " and ".join(f"{_SIGNS[name]} {limit:g}" for name, limit in self.parts)


def span(micros: int) -> str:
    """A time span for people."""
    return show_duration(round(micros / MICROS_PER_S, 3))
