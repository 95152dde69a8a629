"""The plate that a read may be as well, for actions that must not act on an ambiguous one."""

from alert_rules.plate_reads import PlateReads
from schemas.confusion import CONFUSABLE_CLASSES
from schemas.events import Plate
from schemas.identity import evidence, normalise


def runner_up(reads: PlateReads, plate: Plate | None, taken_for: str | None) -> tuple[str, float] | None:
    """The most likely other plate, and its likelihood by the same measure as `Proof.likelihood`.

    Considered are the texts of the reads themselves and every text that differs in one character, by an alternative
    that the reader saw or by a character that OCR takes for it. Two such changes at once are less likely than either.

    Args:
        reads: observed and resolved text.
        plate: as observed, with the alternatives of its characters.
        taken_for: the plate that was listed; a pattern, or None, stands for the text that was resolved.

    Returns:
        None where nothing was read; no text and 0 where no other plate comes into question.
    """
    if not reads.texts:
        return None
    own = reads.texts[-1] if taken_for is None or set(taken_for) & set("?*") else taken_for
    rivals = {text for text in reads.texts if text != own}
    for text in reads.texts:
        rivals |= _one_changed(text, plate if plate is not None and plate.normalized_text == text else None)
    rivals -= {own, ""}
    # texts in order, so that of two alike the same one is named every time
    return max(((text, reads.likelihood(text)) for text in sorted(rivals)), key=lambda each: each[1], default=("", 0.0))


def _one_changed(text: str, plate: Plate | None) -> set[str]:
    seen = [{normalise(item.char) for item in position} for position in evidence(plate)] if plate is not None else []
    changed = set()
    for at, char in enumerate(text):
        others = set(next((group for group in CONFUSABLE_CLASSES if char in group), ""))
        if len(seen) == len(text):
            others |= seen[at]
        changed |= {text[:at] + other + text[at + 1 :] for other in others if len(other) == 1 and other != char}
    return changed
