"""A sighting's plate as rules see it: every text that it may be taken for, with the evidence."""

from collections.abc import Iterator
from functools import cached_property

from alert_rules.doubts import MIN_ALTERNATIVE, doubtful_folds
from alert_rules.errors import shown
from schemas.events import Plate, Resolved, Sighting
from schemas.identity import evidence, fold, likelihood, normalise


class PlateReads:
    """The observed text and the resolved one, side by side, and what they may stand for.

    Attributes:
        texts: normalised; observed first, then resolved where it differs. Empty for an unreadable plate.
    """

    def __init__(self, plate: Plate | None, resolved: Resolved | None) -> None:
        self._observed = plate if plate is not None and plate.normalized_text else None
        self._resolved = resolved
        texts: tuple[str, ...] = (self._observed.normalized_text,) if self._observed is not None else ()
        if resolved is not None and resolved.text and resolved.text not in texts:
            texts += (resolved.text,)
        self.texts = texts
        self._folds: tuple[str, ...] | None = None
        self._near_folds: tuple[str, ...] | None = None

    @classmethod
    def of(cls, sighting: Sighting) -> "PlateReads":
        """The reads of a sighting."""
        return cls(sighting.plate, sighting.resolved)

    @cached_property
    def _plates(self) -> tuple[Plate, ...]:
        """One for each text."""
        observed, resolved = self._observed, self._resolved
        plates: tuple[Plate, ...] = (observed,) if observed is not None else ()
        if resolved is not None and len(self.texts) > len(plates):
            plates += (Plate(resolved.text, resolved.text, resolved.confidence),)
        return plates

    @property
    def folds(self) -> tuple[str, ...]:
        """Folded texts: equal folds differ by OCR confusables alone."""
        if self._folds is None:
            self._folds = tuple(dict.fromkeys(map(fold, self.texts)))
        return self._folds

    @property
    def near_folds(self) -> tuple[str, ...]:
        """Folds that the reader itself thought possible, from the alternatives of one or two characters."""
        if self._near_folds is None:
            folds = self.folds
            doubts = doubtful_folds(self._observed) if self._observed is not None else []
            self._near_folds = tuple([key for key in doubts if key not in folds])
        return self._near_folds

    def likelihood(self, candidate: str) -> float:
        """Probability that the reads came from a plate (`schemas.identity.likelihood`), by the better of the texts."""
        return max((likelihood(plate, candidate) for plate in self._plates), default=0.0)

    def one_off(self, plate: str) -> Iterator[str]:
        """Texts that differ from a plate in a character that the reader itself thought possible."""
        read = evidence(self._observed) if self._observed is not None else ()
        if len(read) != len(plate):
            return
        for position, alternatives in enumerate(read):
            for item in alternatives:
                char = normalise(item.char)
                if item.probability >= MIN_ALTERNATIVE and len(char) == 1 and char != plate[position]:
                    yield plate[:position] + char + plate[position + 1 :]

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
