"""What a plate query means: exact, with wildcards, or tolerant of OCR confusables. Pure."""

import re
from dataclasses import dataclass
from typing import Self

from query_api.errors import FieldProblem, Invalid
from schemas.identity import MAX_PLATE_CHARS, fold, normalise

MAX_QUERY_CHARS = 64
_WILDCARDS = re.compile(r"([?*]+)")


@dataclass(frozen=True, slots=True)
class PlateQuery:
    """A plate that is looked for, by what was observed and by what it was resolved to.

    Attributes:
        text: normalised, folded if `fuzzy`; with the wildcards ``?`` (one character) and ``*`` (any run, also none).
        fuzzy: compare folded texts, so that ``AB0`` finds ``ABO`` (`schemas.identity.fold`).
        typed: normalised as typed, never folded.
    """

    text: str
    fuzzy: bool
    typed: str

    @classmethod
    def parse(cls, raw: str, fuzzy: bool = False) -> Self:
        """Read a query as people type it: any case, with or without separators.

        Raises:
            Invalid: nothing is left to look for (an emoji), or it is longer than any plate.
        """
        parts = _WILDCARDS.split(raw)
        text = "".join(part if position % 2 else normalise(part) for position, part in enumerate(parts))
        text = re.sub(r"[*]*[*]", "*", text)
        if not text:
            raise _wrong(f"{raw!r:.40} has no letter or digit to look for")
        if len(text.replace("*", "")) > MAX_PLATE_CHARS:
            raise _wrong(f"a plate has at most {MAX_PLATE_CHARS} letters and digits")
        return cls(fold(text) if fuzzy else text, fuzzy, text)

    @property
    def is_pattern(self) -> bool:
        """Whether it has wildcards."""
        return "?" in self.text or "*" in self.text

    @property
    def like(self) -> str:
        """The query as SQL ``LIKE`` pattern. Normalised text has no ``%``, ``_`` or backslash to escape."""
        return self.text.replace("?", "_").replace("*", "%")

    def matches(self, *texts: str | None) -> bool:
        """Whether one of the normalised texts is what is looked for; the same as the SQL, for stores in memory."""
        pattern = "".join({"?": ".", "*": ".*"}.get(char, re.escape(char)) for char in self.text)
        found = re.compile(pattern, re.DOTALL)
        return any(found.fullmatch(fold(text) if self.fuzzy else text) for text in texts if text)


def _wrong(message: str) -> Invalid:
    return Invalid(f"plate: {message}", (FieldProblem("plate", message),))
