"""The alternatives of a plate's characters as Avro wrote them, turned into objects only for who asks.

A full detection holds some twenty alternatives, more objects than everything else in it together. Routing checks them,
voting adds them up, all else passes them on: three uses that the bytes serve as they are. `Characters` is that: a
sequence equal to the tuple of tuples of `CharacterAlternative` that it stands for.

Only the form that readers give in practice is taken over: at most 31 positions of at most 31 alternatives, each one
ASCII character, in one Avro block an array (Avro specification, "Binary Encoding"). `schemas.direct_avro` decodes all
other forms in full.
"""

import struct
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import combinations
from math import inf, isnan
from operator import eq, itemgetter, sub
from typing import Any, overload

from schemas.builders import builder
from schemas.events import CharacterAlternative

MAX_POSITIONS = 31
MAX_ALTERNATIVES = 31
MAX_LED = 4
"""Most alternatives of a position that are compared all at once."""
Alternatives = tuple[CharacterAlternative, ...]
Position = tuple[bytes, tuple[float, ...]]
"""The characters that one position may show (ASCII, one byte each) and the probability of each."""


class _Layout:
    """Where things lie in an array of positions with given numbers of alternatives.

    Attributes:
        size: bytes of the array.
        shares: all probabilities, from the first byte of the array on.
        chars: the characters of each position, of the bytes.
        groups: the probabilities of each position, of all of them.
        contest: what to compare to see whether the first of each position leads; None where there is too much of it.
    """

    __slots__ = ("_fixed", "_fixed_bits", "_low", "_top", "chars", "contest", "groups", "shares", "size")

    def __init__(self, counts: bytes) -> None:
        self.shares = struct.Struct("<x" + "".join("x" + "xxf" * (count >> 1) + "x" for count in counts))
        fixed, fixed_bits, low = bytearray([len(counts) << 1]), bytearray(b"\xff"), bytearray(1)
        spans: list[tuple[int, int]] = []
        chars: list[slice] = []
        first = 0
        for count in counts:  # twice the number: a zigzag integer
            number = count >> 1
            begin = len(fixed) + 2
            fixed += bytes([count]) + b"\2\0\0\0\0\0" * number + b"\0"
            fixed_bits += b"\xff" + b"\xff\x80\0\0\0\0" * number + b"\xff"
            low += b"\0" + b"\0\x7f\0\0\0\0" * number + b"\0"
            chars.append(slice(begin, len(fixed), 6))
            spans.append((first, first + number))
            first += number
        fixed.append(0)
        fixed_bits.append(0xFF)
        low.append(0)
        self.size = len(fixed)
        self._fixed, self._fixed_bits = int.from_bytes(fixed), int.from_bytes(fixed_bits)
        self._low = int.from_bytes(low)
        self._top = self._low + (self._low // 0x7F)
        self.chars = _taker(chars)
        self.groups = _taker([slice(first, last) for first, last in spans])
        self.contest = _Contest(chars, spans) if max(counts) >> 1 <= MAX_LED else None

    def fits(self, raw: bytes) -> bool:
        """Whether an array looks so: counts, lengths and end marks are in their places, each character is ASCII.

        All bytes are compared at once, as one number. A character is not zero if 127 added to it reaches its top bit.
        """
        if len(raw) != self.size:
            return False
        number = int.from_bytes(raw)
        return number & self._fixed_bits == self._fixed and ((number & self._low) + self._low) & ~self._low == self._top


class _Contest:
    """Takes the alternatives of all positions apart, each kind with one call.

    Attributes:
        initials: the first character of each position, of the bytes.
        firsts: its probability, of all probabilities.
        champions: the same, once for each other alternative of the position, in the order of `rivals`.
        rivals: the probabilities of the others.
        some: characters to compare with `others`: all pairs of each position, of the bytes.
        others: the other one of each pair.
    """

    __slots__ = ("champions", "firsts", "initials", "others", "rivals", "some")

    def __init__(self, chars: Sequence[slice], spans: Sequence[tuple[int, int]]) -> None:
        self.initials = _taker([where.start for where in chars])
        self.firsts = _taker([first for first, _ in spans])
        self.champions = _taker([first for first, last in spans for _ in range(first + 1, last)])
        self.rivals = _taker([number for first, last in spans for number in range(first + 1, last)])
        pairs = [pair for where in chars for pair in combinations(range(where.start, where.stop, 6), 2)]
        self.some = _taker([one for one, _ in pairs])
        self.others = _taker([other for _, other in pairs])


def _taker(places: Sequence[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """A function that takes what lies at these places (or slices), however few they are."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda taken: tuple([taken[place] for place in places])


@lru_cache(maxsize=1024)  # readers give few; the bound is for hostile input
def _layout_of(counts: bytes) -> _Layout | None:
    """The layout; None where a position has no alternative, or too many."""
    most = MAX_ALTERNATIVES << 1
    return _Layout(counts) if all(0 < count <= most and not count & 1 for count in counts) else None


_even_layouts: dict[bytes, _Layout] = {}
"""Layouts of positions with one number of alternatives, by that of the positions and that one: the likely ones."""


def _layout_at(value: bytes, start: int) -> _Layout | None:
    """The layout of the array that starts here, by its counts; None where that cannot be."""
    number = value[start] >> 1
    place = start + 1
    counts = value[place : place + 1]
    if number > 1 and counts:
        step = 3 * counts[0] + 2  # a length, a character and four bytes each, between a count and an end mark
        counts = value[place : place + (number - 1) * step + 1 : step]  # the next count stands where this one says
    if len(counts) == number and counts.count(counts[0]) == number:
        layout = _layout_of(counts)
        if layout is not None:
            _even_layouts[value[start : start + 2]] = layout
        return layout
    found = bytearray()
    for _ in range(number):
        if place >= len(value):
            return None
        found.append(value[place])
        place += 3 * value[place] + 2
    return _layout_of(bytes(found))


_alternative = builder(CharacterAlternative)


class Characters(Sequence[Alternatives]):
    """Alternatives per character, lazily.

    Attributes:
        raw: the Avro bytes of the whole array, its counts and end mark included.
    """

    __slots__ = ("_items", "_known", "raw")

    def __init__(self, raw: bytes, layout: _Layout | None = None) -> None:
        self.raw = raw
        self._known = layout
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
        layout = _even_layouts.get(value[start : start + 2])
        if layout is not None:
            raw = value[start : start + layout.size]
            if layout.fits(raw):
                return cls(raw, layout)
        layout = _layout_at(value, start)
        if layout is None:
            return None
        raw = value[start : start + layout.size]
        return cls(raw, layout) if layout.fits(raw) else None

    def positions(self, names: bytes | None = None) -> list[Position]:
        """What each position may show.

        Args:
            names: for each character what to give in its place, as for `bytes.translate`.
        """
        layout = self._layout()
        raw = self.raw if names is None else self.raw.translate(names)
        return list(zip(layout.chars(raw), layout.groups(layout.shares.unpack_from(self.raw)), strict=True))

    def leaders(self, names: bytes, lead: float) -> tuple[bytes, tuple[float, ...]] | None:
        """The first alternative of each position and its probability, where all others are well behind it.

        Args:
            names: as for `positions`.
            lead: how much more probable than each other alternative it has to be.

        Returns:
            None where one is not, where two alternatives of a position have one name, or where a position has many:
            `positions` has it all.
        """
        layout = self._layout()
        contest = layout.contest
        if contest is None:
            return None
        shares = layout.shares.unpack_from(self.raw)
        firsts, rivals = contest.firsts(shares), contest.rivals(shares)
        if (
            not min(firsts) - max(rivals, default=-inf)
            > lead  # the weakest of the first leads the strongest of the others
            and not min(map(sub, contest.champions(shares), rivals), default=inf) > lead
        ):
            return None
        raw = self.raw.translate(names)
        if any(map(eq, contest.some(raw), contest.others(raw))):
            return None
        return bytes(contest.initials(raw)), firsts

    def are_probabilities(self, most_together: float) -> bool:
        """Whether every probability lies in 0..1 and those of no position add up to more than `most_together`."""
        layout = self._layout()
        shares = layout.shares.unpack_from(self.raw)
        if not (min(shares) >= 0.0 and max(shares) <= 1.0) or isnan(sum(shares)):
            return False
        return max(map(sum, layout.groups(shares))) <= most_together

    def _layout(self) -> _Layout:
        layout = self._known
        if layout is None:
            layout = self._known = _layout_at(self.raw, 0)
            assert layout is not None, "not of the form that `at` takes"
        return layout

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

    def __reduce__(self) -> tuple[type["Characters"], tuple[bytes]]:
        return Characters, (self.raw,)

    def __hash__(self) -> int:
        return hash(self._loaded())

    def __repr__(self) -> str:
        return repr(self._loaded())
