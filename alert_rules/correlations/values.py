"""The value of a field as correlations compare it: without case, plates without their confusable differences."""

from alert_rules.correlations.event import plate_of
from alert_rules.fields import Field, Kind, normal_text
from schemas.events import Sighting
from schemas.identity import fold


def comparable(field: Field, sighting: Sighting) -> str | None:
    """The value; None where it is unknown. Two reads of one plate that differ by confusables are one value."""
    if field.kind is Kind.PLATE:
        plate = plate_of(sighting)
        return None if plate is None else fold(plate)
    value = field.read(sighting)
    if value is None or value == "":
        return None
    return normal_text(field.show(value))


def number(field: Field, sighting: Sighting) -> float | None:
    """The value as a number; None where it is unknown or none."""
    value = field.read(sighting)
    if isinstance(value, bool) or value is None:
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if abs(found) < 1e300 else None  # an extra may say inf or nan


def path_of(field: Field) -> str:
    """The field's one name, whichever alias the rule uses."""
    return ".".join(field.path)
