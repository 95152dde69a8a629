"""Plates and plate patterns as lists hold them, looked up by index, and scored by likelihood.

A listed plate is found under its folded text (`schemas.identity.fold`): reads that differ by OCR confusables alone have
the same. Of what is found the likelihood decides, and it is part of the alert's proof:

- the same text is a hit;
- a text that differs by confusables alone is a hit from `MIN_CONFUSABLE` on, which one or two sure confusions reach
  (plate grammars seldom have both forms, so a twin that differs by O for 0 is most likely the plate itself);
- a text that the reader's own alternatives lead to is a hit from `MIN_NEAR` on;
- a threshold of the rule or list replaces both; ``exact`` leaves only the first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from alert_rules.patterns import compile_pattern, wildcard_regex
from alert_rules.plate_reads import PlateReads
from schemas.identity import MAX_PLATE_CHARS, fold, normalise

MIN_CONFUSABLE = 0.0005
MIN_NEAR = 0.02
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class PlateHit:
    """A listed plate that the reads may have come from.

    Attributes:
        listed: plate or pattern, as listed (normalised).
        plate: the plate that it stands for: for a pattern, with the wildcards filled in.
        likelihood: probability that the reads came from `plate`.
        exact: the text is the same, not merely confusable.
        differing: the differing characters in words; empty when exact.
    """

    listed: str
    plate: str
    likelihood: float
    exact: bool
    differing: str = ""


@dataclass(frozen=True)
class PlatePattern:
    """A plate, or a pattern with ``?`` for one character and ``*`` for any run of them.

    Attributes:
        text: normalised, wildcards kept.
    """

    text: str

    @classmethod
    def parse(cls, written: str) -> "PlatePattern":
        """Read a plate as people write it (``AB-123``, ``ab?1*``).

        Raises:
            ValueError: nothing of a plate is left, or it is longer than a plate.
        """
        if written.isalnum() and written.isascii() and len(written) <= MAX_PLATE_CHARS:
            return cls(written.upper())
        parts: list[str] = [""]
        for char in written:
            if char in "?*":
                parts += [char, ""]
            else:
                parts[-1] += char
        text = "".join(part if part in ("?", "*") else normalise(part) for part in parts)
        while "**" in text:
            text = text.replace("**", "*")
        letters = text.replace("?", "").replace("*", "")
        if not letters:
            raise ValueError("no letter or digit in it")
        if len(text.replace("*", "")) > MAX_PLATE_CHARS:
            raise ValueError(f"more than {MAX_PLATE_CHARS} characters")
        return cls(text)

    @property
    def is_wildcard(self) -> bool:
        """Whether it stands for more than one plate."""
        return "?" in self.text or "*" in self.text

    @property
    def first_fold(self) -> str:
        """Folded first character, ``""`` where that is a wildcard: where an index keeps the pattern."""
        return "" if self.text[0] in "?*" else fold(self.text[0])

    @property
    def folded_regex(self) -> str:
        """A regular expression that is found in folded texts which the pattern may match."""
        return rf"\A{wildcard_regex(fold(self.text))}\z"

    @cached_property
    def _regex(self) -> Any:
        return compile_pattern(wildcard_regex(fold(self.text)))

    def fill(self, text: str) -> str | None:
        """The plate that a text makes of the pattern, its confusables read as the pattern has them; None: no match."""
        match = self._regex.fullmatch(fold(text))
        if match is None:
            return None
        filled, group = "", 0
        for char in self.text:
            if char in "?*":
                group += 1
                start, end = match.span(group)
                filled += text[start:end]
            else:
                filled += char
        return filled


def accept(reads: PlateReads, listed: str, plate: str, threshold: float | None, exact: bool) -> PlateHit | None:
    """The hit that a candidate plate is, or None where the reads speak too little for it.

    Args:
        reads: of the sighting.
        listed: as the list has it.
        plate: the plate that it stands for here.
        threshold: least likelihood; None for the defaults above.
        exact: only the same text counts.
    """
    if plate in reads.texts:
        return PlateHit(listed, plate, reads.likelihood(plate), exact=True)
    if exact:
        return None
    least = threshold
    if least is None:
        least = MIN_CONFUSABLE if fold(plate) in reads.folds else MIN_NEAR
    probability = reads.likelihood(plate)
    if probability < least:
        return None
    return PlateHit(listed, plate, probability, exact=False, differing=reads.differing(plate))


class PlateIndex(Generic[Item]):
    """Plates and patterns with what belongs to each, found without looking through all of them."""

    def __init__(self) -> None:
        self._plates: dict[str, list[tuple[str, Item]]] = {}
        self._patterns: dict[str, list[tuple[PlatePattern, Item]]] = {}

    def add(self, pattern: PlatePattern, item: Item) -> None:
        """Put a plate or pattern in."""
        if pattern.is_wildcard:
            self._patterns.setdefault(pattern.first_fold, []).append((pattern, item))
        else:
            self._plates.setdefault(fold(pattern.text), []).append((pattern.text, item))

    def remove(self, pattern: PlatePattern, item: Item) -> None:
        """Take one out again; nothing happens where it is not there."""
        if pattern.is_wildcard:
            kept = [pair for pair in self._patterns.get(pattern.first_fold, []) if pair != (pattern, item)]
            _replace(self._patterns, pattern.first_fold, kept)
        else:
            key = fold(pattern.text)
            _replace(self._plates, key, [pair for pair in self._plates.get(key, []) if pair != (pattern.text, item)])

    def hits(
        self, reads: PlateReads, threshold: float | None = None, exact: bool = False
    ) -> Iterator[tuple[PlateHit, Item]]:
        """Everything that the reads hit, in no particular order."""
        for plate, item in self._candidates(reads, exact):
            hit = accept(reads, plate, plate, threshold, exact)
            if hit is not None:
                yield hit, item
        if self._patterns:
            yield from self._pattern_hits(reads, threshold, exact)

    def _candidates(self, reads: PlateReads, exact: bool) -> Iterator[tuple[str, Item]]:
        plates = self._plates
        for key in reads.folds:
            yield from plates.get(key, ())
        if not exact:
            for key in reads.near_folds:
                yield from plates.get(key, ())

    def _pattern_hits(self, reads: PlateReads, threshold: float | None, exact: bool) -> Iterator[tuple[PlateHit, Item]]:
        for text in reads.texts:
            for bucket in (fold(text[0]), ""):
                for pattern, item in self._patterns.get(bucket, ()):
                    filled = pattern.fill(text)
                    hit = accept(reads, pattern.text, filled, threshold, exact) if filled is not None else None
                    if hit is not None:
                        yield hit, item


def _replace(buckets: dict[str, list[Any]], key: str, kept: list[Any]) -> None:
    if kept:
        buckets[key] = kept
    else:
        buckets.pop(key, None)
