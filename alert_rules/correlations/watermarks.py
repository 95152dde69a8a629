"""Up to when a partition's input is complete: the least of what its sources have said."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from alert_rules.correlations.event import Plain


@dataclass(frozen=True, slots=True)
class Watermarks:
    """What each source has said last. A value; `observe` makes the next one.

    Attributes:
        said: source to event time up to which (inclusive) nothing more will come from it.
    """

    said: Mapping[str, int] = field(default_factory=dict)

    def observe(self, source: str, watermark_us: int) -> "Watermarks":
        """Take a source's word; it never goes back, so reading records again changes nothing."""
        before = self.said.get(source)
        if before is not None and before >= watermark_us:
            return self
        return Watermarks({**self.said, source: watermark_us})

    def least(self, sources: int) -> int | None:
        """The time up to which all is known; None until so many sources have spoken.

        Args:
            sources: how many there are.
        """
        return min(self.said.values(), default=None) if len(self.said) >= sources else None


@dataclass(frozen=True, slots=True)
class PartitionTime:
    """How far a partition is.

    Attributes:
        marks: what its sources have said.
        decided_us: everything up to this time is decided.
        forgotten_us: admissions up to this time are gone.
    """

    marks: Watermarks = field(default_factory=Watermarks)
    decided_us: int | None = None
    forgotten_us: int | None = None

    def encode(self) -> Plain:
        """As plain values."""
        return [dict(self.marks.said), self.decided_us, self.forgotten_us]

    @classmethod
    def decode(cls, plain: Plain) -> "PartitionTime":
        """From plain values; None is the beginning."""
        return cls() if plain is None else cls(Watermarks(plain[0]), plain[1], plain[2])
