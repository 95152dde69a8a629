"""Folded plates within two characters of a text, found without looking through all of them.

Cut a plate into three parts: one that differs in at most two characters has one part the same (S. Wu and U. Manber,
"Fast Text Searching Allowing Errors", Communications of the ACM 35(10), 1992: partition into k + 1 pieces). The
reader's doubts change two characters at most (`alert_rules.plate_reads`), so a text that is near no listed plate need
not have its doubts looked at.
"""

from collections.abc import Iterable

MAX_CHANGED = 2
PARTS = MAX_CHANGED + 1


class NearPlates:
    """An index of folded plates by their parts.

    Args:
        plates: folded.
    """

    def __init__(self, plates: Iterable[str]) -> None:
        self._by_part: dict[tuple[int, int, str], list[str]] = {}
        for plate in dict.fromkeys(plates):
            for key in _keys(plate):
                self._by_part.setdefault(key, []).append(plate)

    def near(self, text: str) -> tuple[str, ...]:
        """Plates of the text's length that differ from it in one or two characters, sorted."""
        found = {plate for key in _keys(text) for plate in self._by_part.get(key, ())}
        return tuple(sorted(plate for plate in found if 0 < _differences(text, plate) <= MAX_CHANGED))


def _keys(text: str) -> list[tuple[int, int, str]]:
    size = len(text)
    return [
        (size, part, text[part * size // PARTS : (part + 1) * size // PARTS])
        for part in range(PARTS)
        if size >= PARTS or part == 0
    ]


def _differences(a: str, b: str) -> int:
    return sum(x != y for x, y in zip(a, b, strict=True))
