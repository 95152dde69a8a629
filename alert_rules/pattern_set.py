"""Many regular expressions asked about a text at once.

RE2's sets (Cox, "Regular Expression Matching in the Wild", 2010) run one automaton for all patterns, so a text costs
about the same for one pattern and for a thousand. They answer "may match": who asks evaluates what they name.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import re2  # type: ignore[import-untyped]  # it has no stubs

MAX_TOGETHER = 1000
"""Patterns in one automaton: a costly one slows down no more than these."""
_MAX_MEMORY_BYTES = 32 << 20
_ALWAYS = ""
"""First in every set, and matches any text: where it is missing, the automaton ran out of memory."""


class PatternSet:
    """Patterns by number. Letter case is ignored, as everywhere in rules.

    Args:
        patterns: each valid on its own (`alert_rules.patterns.compile_pattern`).
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._chunks: list[tuple[Any, range]] = []
        self._unsorted: list[int] = []
        for first in range(0, len(patterns), MAX_TOGETHER):
            self._add(patterns, range(first, min(first + MAX_TOGETHER, len(patterns))))

    def __bool__(self) -> bool:
        return bool(self._chunks or self._unsorted)

    def may_match(self, text: str) -> list[int]:
        """Numbers of the patterns that are found in a text, and of those that had better be asked."""
        found = list(self._unsorted)
        for automaton, numbers in self._chunks:
            try:
                matched = automaton.Match(text)
            except UnicodeEncodeError:  # a lone surrogate: RE2 wants UTF-8
                matched = None
            if matched is None:
                found.extend(numbers)
            elif len(matched) > 1:
                found.extend(numbers[place - 1] for place in matched if place)
        return found

    def _add(self, patterns: Sequence[str], numbers: range) -> None:
        """Compile a chunk; one that is too big for RE2 is halved, and a pattern that is so alone is always named."""
        options = re2.Options()
        options.case_sensitive = False
        options.log_errors = False
        options.never_capture = True
        options.max_mem = _MAX_MEMORY_BYTES
        automaton = re2.Set.SearchSet(options)
        try:
            for pattern in (_ALWAYS, *(patterns[number] for number in numbers)):
                automaton.Add(pattern)
            automaton.Compile()
        except re2.error:
            if len(numbers) == 1:
                self._unsorted += numbers
            for half in _halves(numbers):
                self._add(patterns, half)
        else:
            self._chunks.append((automaton, numbers))


def _halves(numbers: range) -> Iterator[range]:
    middle = len(numbers) // 2
    if middle:
        yield numbers[:middle]
        yield numbers[middle:]
