"""The plate is one of these: exact, by pattern, or by likelihood."""

from dataclasses import dataclass, field
from typing import Any

from alert_rules.facts import Facts
from alert_rules.finding import Finding, Truth
from alert_rules.plate_patterns import PlateHit, PlateIndex, PlatePattern
from schemas.identity import fold


@dataclass(frozen=True, slots=True)
class PlateMatch:
    """``plate: {any_of: [...], likelihood: 0.5, exact: false}``.

    Attributes:
        patterns: plates and patterns.
        threshold: least likelihood; None for the defaults (`alert_rules.plate_patterns`).
        exact: only the same text counts.
    """

    patterns: tuple[PlatePattern, ...]
    threshold: float | None = None
    exact: bool = False
    _index: PlateIndex[None] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        index: PlateIndex[None] = PlateIndex()
        for pattern in dict.fromkeys(self.patterns):
            index.add(pattern, None)
        object.__setattr__(self, "_index", index)

    def holds(self, facts: Facts) -> Truth:
        """Whether the reads hit a plate of the list; unknown for an unreadable plate."""
        if not facts.reads.texts:
            return None
        return next(self._index.hits(facts.reads, self.threshold, self.exact), None) is not None

    def explain(self, facts: Facts) -> Finding:
        """The most likely hit."""
        hits = [hit for hit, _ in self._index.hits(facts.reads, self.threshold, self.exact)]
        best = min(hits, key=lambda hit: (-hit.likelihood, not hit.exact, hit.listed), default=None)
        holds = None if not facts.reads.texts else best is not None
        return Finding(holds, "plate", self._operator(), self._expected(), observed_plate(facts, best), best)

    def canonical(self) -> Any:
        """Order and repetition mean nothing."""
        return ["plate", sorted({pattern.text for pattern in self.patterns}), self.threshold, self.exact]

    def folds(self) -> frozenset[str] | None:
        """Folded plates, one of which the reads must have among theirs; None where there are patterns."""
        if any(pattern.is_wildcard for pattern in self.patterns):
            return None
        return frozenset(fold(pattern.text) for pattern in self.patterns)

    def _operator(self) -> str:
        return "is exactly" if self.exact else "is"

    def _expected(self) -> str:
        names = [pattern.text for pattern in self.patterns]
        least = "" if self.threshold is None else f", likelihood {self.threshold:g} or more"
        more = len(names) - 10
        return ", ".join(names[:10]) + (f" and {more} more" if more > 0 else "") + least


def observed_plate(facts: Facts, hit: PlateHit | None) -> str:
    """The plate's texts, and for a hit its likelihood and differing characters, in words."""
    texts = facts.reads.texts
    if not texts:
        return "unreadable"
    words = texts[0] if len(texts) == 1 else f"{texts[0]} (resolved {texts[1]})"
    if hit is None:
        return words
    words += f", likelihood {hit.likelihood:.4g}"
    return words + (f" ({hit.differing})" if hit.differing else "")
