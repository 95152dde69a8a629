"""A sighting's plate as rules see it: every text that it may be taken for, with the evidence."""

from functools import cached_property
from itertools import combinations

from alert_rules.errors import shown
from schemas.events import Plate, Resolved, Sighting
from schemas.identity import evidence, fold, likelihood, normalise

MIN_ALTERNATIVE = 0.05
"""A reading of a character that the reader gives less than this is no reason to look another plate up."""
MAX_VARIANTS = 16


class PlateReads:
    """The observed text and the resolved one, side by side, and what they may stand for.

    Attributes:
        texts: normalised; observed first, then resolved where it differs. Empty for an unreadable plate.
    """

    def __init__(self, plate: Plate | None, resolved: Resolved | None) -> None:
        self._plates: list[Plate] = []
        if plate is not None and plate.normalized_text:
            self._plates.append(plate)
        if resolved is not None and resolved.text and resolved.text not in [p.normalized_text for p in self._plates]:
            self._plates.append(Plate(resolved.text, resolved.text, resolved.confidence))
        self.texts = tuple(plate.normalized_text for plate in self._plates)

    @classmethod
    def of(cls, sighting: Sighting) -> "PlateReads":
        """The reads of a sighting."""
        return cls(sighting.plate, sighting.resolved)

    @cached_property
    def folds(self) -> tuple[str, ...]:
        """Folded texts: equal folds differ by OCR confusables alone."""
        return tuple(dict.fromkeys(fold(text) for text in self.texts))

    @cached_property
    def near_folds(self) -> tuple[str, ...]:
        """Folds that the reader itself thought possible, from the alternatives of one or two characters."""
        return tuple(key for key in self._variants() if key not in self.folds)

    def likelihood(self, candidate: str) -> float:
        """Probability that the reads came from a plate (`schemas.identity.likelihood`), by the better of the texts."""
        return max((likelihood(plate, candidate) for plate in self._plates), default=0.0)

    def differing(self, candidate: str) -> str:
        """In which characters the best text differs, such as ``O for 0 at 3``; empty where it does not."""
        if candidate in self.texts or not self._plates:
            return ""
        text = max(self._plates, key=lambda plate: likelihood(plate, candidate)).normalized_text
        if len(text) != len(candidate):
            return f"{shown(text)} for {shown(candidate)}"
        return ", ".join(
            f"{read} for {true} at {position}"
            for position, (read, true) in enumerate(zip(text, candidate, strict=True), start=1)
            if read != true
        )

    def _variants(self) -> list[str]:
        if not self._plates:
            return []
        plate = self._plates[0]
        base = fold(plate.normalized_text)
        swaps: list[tuple[float, int, str]] = []
        for position, alternatives in enumerate(evidence(plate)):
            for item in alternatives:
                char = fold(normalise(item.char))
                if len(char) == 1 and char != base[position] and item.probability >= MIN_ALTERNATIVE:
                    swaps.append((item.probability, position, char))
        swaps.sort(key=lambda swap: (-swap[0], swap[1:]))
        variants: dict[str, float] = {}
        for probability, position, char in swaps[:MAX_VARIANTS]:
            variants[_swap(base, (position, char))] = probability
        for (p1, i, a), (p2, j, b) in combinations(swaps[:6], 2):
            if i != j:
                variants.setdefault(_swap(base, (i, a), (j, b)), p1 * p2)
        return sorted(variants, key=lambda key: -variants[key])[:MAX_VARIANTS]


def _swap(text: str, *swaps: tuple[int, str]) -> str:
    chars = list(text)
    for position, char in swaps:
        chars[position] = char
    return "".join(chars)
