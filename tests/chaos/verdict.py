"""Did anything get lost, doubled or changed? What every scenario ends with."""

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

SHOWN = 3


def difference(expected: Any, found: Any, around: int = 150) -> str:
    """Where two values part, with what stands before and behind it."""
    if not isinstance(expected, bytes) or not isinstance(found, bytes):
        return f"expected {expected!r}, found {found!r}"
    pairs = zip(expected, found, strict=False)
    at = next((n for n, (one, other) in enumerate(pairs) if one != other), min(len(expected), len(found)))
    part = slice(max(0, at - around), at + around)
    return f"at byte {at} of {len(expected)} expected {expected[part]!r}, found {found[part]!r} of {len(found)}"


@dataclass
class Verdict:
    """Collects what a scenario compared. Everything is compared before anything is judged.

    Attributes:
        scenario: name, for the report.
        numbers: what was counted, by name, in the order of counting.
        faults: what is wrong, in words; empty means that the scenario held.
    """

    scenario: str
    numbers: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def note(self, **numbers: Any) -> None:
        """Numbers for the report that decide nothing."""
        self.numbers.update(numbers)

    def arrivals(
        self, what: str, expected: Collection[Hashable], found: Iterable[Hashable], *, repeats_allowed: bool = False
    ) -> None:
        """Each expected thing arrived, nothing else did, and none twice.

        Args:
            what: where they arrived.
            expected: what an offline recomputation gives.
            found: what is there, repeats included.
            repeats_allowed: a worker that is killed sends again what it sent since its last checkpoint, on a topic; a
                store must not show it.
        """
        counts = Counter(found)
        wanted = set(expected)
        repeats = counts.total() - len(counts)
        self.numbers[what] = f"{len(wanted & counts.keys())}/{len(wanted)}, repeated {repeats}"
        self._fault(f"{what}: lost", wanted - counts.keys())
        self._fault(f"{what}: invented", counts.keys() - wanted)
        if repeats and not repeats_allowed:
            self._fault(f"{what}: doubled", {item for item, count in counts.items() if count > 1})
        if not wanted:
            self.faults.append(f"{what}: nothing was expected, so nothing was tested")

    def table(self, what: str, expected: Mapping[Any, Any], found: Mapping[Any, Any]) -> None:
        """A table is equal to its offline recomputation, key by key."""
        self.numbers[what] = f"{len(expected)} keys"
        self._fault(f"{what}: keys missing", expected.keys() - found.keys())
        self._fault(f"{what}: keys invented", found.keys() - expected.keys())
        wrong = {key for key in expected.keys() & found if expected[key] != found[key]}
        self._fault(f"{what}: values wrong", wrong)
        for key in sorted(wrong)[:1]:
            self.faults[-1] += f": {difference(expected[key], found[key])}"
        if not expected:
            self.faults.append(f"{what}: nothing was expected, so nothing was tested")

    def count(self, what: str, expected: int, found: int) -> None:
        """A number is what it must be."""
        self.numbers[what] = found
        if expected != found:
            self.faults.append(f"{what}: {found} instead of {expected}")

    def _fault(self, what: str, items: Collection[Any]) -> None:
        if items:
            some = ", ".join(repr(item)[:120] for item in list(items)[:SHOWN])
            self.faults.append(f"{what} {len(items)}, such as {some}")

    def __str__(self) -> str:
        numbers = "; ".join(f"{name} {value}" for name, value in self.numbers.items())
        return f"{self.scenario}: {'BROKEN' if self.faults else 'held'}; {numbers}"
