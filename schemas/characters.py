"""The alternatives of a plate's characters as Avro wrote them, turned into objects only for who asks.

A full detection holds some twenty alternatives, more objects than everything else in it together. Routing checks them,
voting adds them up, all else passes them on: three uses that the bytes serve as they are. `Characters` is that: a
sequence equal to the tuple of tuples of `CharacterAlternative` that it stands for.

Only the form that readers give in practice is taken over: at most 31 positions of at most 31 alternatives, each one
ASCII character, in one Avro block an array (Avro specification, "Binary Encoding"). `schemas.direct_avro` decodes all
other forms in full.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from operator import eq, sub
from typing import overload

from schemas.builders import builder
from schemas.events import CharacterAlternative

MAX_POSITIONS = 31
MAX_ALTERNATIVES = 31
MAX_LED = 4
"""Most alternatives that are compared column by column."""
Alternatives = tuple[CharacterAlternative, ...]
Position = tuple[bytes, tuple[float, ...]]
"""The characters that one position may show (ASCII, one byte each) and the probability of each."""

_ONE = rb"\x02[\x01-\x7f].{4}"  # length 1 (zigzag), the character, a float
_POSITION = (
    b"(?:"
    + b"|".join(
        b"%s(?:%s){%d}\\x00" % (re.escape(bytes([count << 1])), _ONE, count) for count in range(1, MAX_ALTERNATIVES + 1)
    )
    + b")"
)


@lru_cache(maxsize=MAX_POSITIONS + 1)
def _pattern(positions: int) -> re.Pattern[bytes]:
    """What an array of this many positions looks like. Counts stand in front, so there is one way to read it."""
    return re.compile(b"%s%s{%d}\\x00" % (re.escape(bytes([positions << 1])), _POSITION, positions), re.DOTALL)


class _Layout:
    """Where things lie in an array of positions with given numbers of alternatives.

    Attributes:
        shares: all probabilities, from the first byte of the array on.
        count: alternatives of each position; 0 where they differ.
        spans: for each position where its first character lies and where the last one ends, in bytes, and the same of
            its probabilities, in numbers.
    """

    __slots__ = ("count", "shares", "spans")

    def __init__(self, counts: bytes) -> None:
        self.count = counts[0] >> 1 if len(set(counts)) == 1 else 0
        self.shares = struct.Struct("<x" + "".join("x" + "xxf" * (count >> 1) + "x" for count in counts))
        self.spans: list[tuple[int, int, int, int]] = []
        place, first = 1, 0
        for count in counts:  # twice the number: a zigzag integer
            end = place + 3 * count + 2  # a length, a character and four bytes each, between a count and an end mark
            self.spans.append((place + 2, end, first, first + (count >> 1)))
            place, first = end, first + (count >> 1)


_layout_of = lru_cache(maxsize=4096)(_Layout)  # readers give few; the bound is for hostile input


_alternative = builder(CharacterAlternative)


class Characters(Sequence[Alternatives]):
    """Alternatives per character, lazily.

    Attributes:
        raw: the Avro bytes of the whole array, its counts and end mark included.
    """

    __slots__ = ("_items", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._items: tuple[Alternatives, ...] | None = None

    @classmethod
    def at(cls, value: bytes, start: int) -> "Characters | None":
        """The array that starts here; None where it is empty, not of the usual form, or cut off.

        Raises:
            IndexError: the value ends before it.
        """
        count = value[start]
        if count & 1 or not 0 < count <= MAX_POSITIONS << 1:
            return None
        found = _pattern(count >> 1).match(value, start)
        return cls(found.group()) if found is not None else None

    def positions(self, names: bytes | None = None) -> list[Position]:
        """What each position may show.

        Args:
            names: for each character what to give in its place, as for `bytes.translate`.
        """
        layout = self._layout()
        shares = layout.shares.unpack_from(self.raw)
        raw = self.raw if names is None else self.raw.translate(names)
        return [(raw[start:end:6], shares[first:last]) for start, end, first, last in layout.spans]

    def leaders(self, names: bytes, lead: float) -> tuple[bytes, tuple[float, ...]] | None:
        """The first alternative of each position and its probability, where all others are well behind it.

        Args:
            names: as for `positions`.
            lead: how much more probable than each other alternative it has to be.

        Returns:
            None where one is not, where two alternatives of a position have one name, or where positions have different
            numbers of alternatives, or many: `positions` has it all.
        """
        layout = self._layout()
        count = layout.count
        if not 0 < count <= MAX_LED:
            return None
        shares = layout.shares.unpack_from(self.raw)
        first = shares[::count]
        raw = self.raw.translate(names)
        columns = [raw[place :: 6 * count + 2] for place in range(3, 3 + 6 * count, 6)]
        for number in range(1, count):
            if not min(map(sub, first, shares[number::count])) > lead:
                return None
            for other in columns[:number]:
                if any(map(eq, columns[number], other)):
                    return None
        return columns[0], first

    def are_probabilities(self, most_together: float) -> bool:
        """Whether every probability lies in 0..1 and those of no position add up to more than `most_together`."""
        layout = self._layout()
        shares = layout.shares.unpack_from(self.raw)
        if not (min(shares) >= 0.0 and max(shares) <= 1.0):
            return False
        for _, _, first, last in layout.spans:  # noqa: SIM110 - no generator: this runs for each detection
            if not sum(shares[first:last]) <= most_together:  # nan makes the sum nan, which compares false
                return False
        return True

    def _layout(self) -> _Layout:
        raw = self.raw
        count = raw[1]
        step = 3 * count + 2
        counts_if_alike = raw[1:-1:step]  # the next count stands where this one says
        if len(raw) == (raw[0] >> 1) * step + 2 and counts_if_alike.count(count) == raw[0] >> 1:
            return _layout_of(counts_if_alike)
        counts = []
        place = 1
        for _ in range(raw[0] >> 1):
            count = raw[place]
            counts.append(count)
            place += 3 * count + 2
        return _layout_of(bytes(counts))

    def _loaded(self) -> tuple[Alternatives, ...]:
        if self._items is None:
            self._items = tuple(
                [
                    tuple([_alternative(char, share) for char, share in zip(chars.decode(), shares, strict=True)])
                    for chars, shares in self.positions()
                ]
            )
        return self._items

    def __len__(self) -> int:
        return self.raw[0] >> 1

    @overload
    def __getitem__(self, index: int) -> Alternatives: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Alternatives, ...]: ...

    def __getitem__(self, index: int | slice) -> Alternatives | tuple[Alternatives, ...]:
        return self._loaded()[index]

    def __iter__(self) -> Iterator[Alternatives]:
        return iter(self._loaded())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Characters):
            return self.raw == other.raw or self._loaded() == other._loaded()
        return self._loaded() == other if isinstance(other, tuple) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._loaded())

    def __repr__(self) -> str:
        return repr(self._loaded())
