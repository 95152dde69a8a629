"""Which alerts a matcher means, and what alerts have in common. Pure."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from schemas.events import Alert, AlertMatcher
from schemas.identity import normalise

LABELS = ("rule", "severity", "site", "camera", "plate", "key")
"""What alerts can be brought together by."""


def matches(matcher: AlertMatcher, alert: Alert) -> bool:
    """Whether each field that the matcher gives fits the alert.

    A matcher that gives nothing fits nothing: a slip of the keyboard must not mute a whole site.
    """
    wanted = (
        (matcher.rules, (alert.rule.id,)),
        (matcher.severities, (alert.severity,)),
        (matcher.sites, (alert.site_id,)),
        (matcher.cameras, (alert.camera_id,)),
        (matcher.plates, plates_of(alert)),
        (matcher.keys, (alert.key,)),
    )
    given = [(patterns, values) for patterns, values in wanted if patterns]
    return bool(given) and all(_fits(patterns, values) for patterns, values in given)


def plates_of(alert: Alert) -> tuple[str | None, ...]:
    """The plate as it was observed, its normalised form, and what was listed."""
    observed = alert.plate_text
    return observed, None if observed is None else normalise(observed), alert.proof.matched_plate


def labels_of(alert: Alert, names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The alert's values of some of the `LABELS`; what it does not have is empty."""
    values = {
        "rule": alert.rule.id,
        "severity": alert.severity,
        "site": alert.site_id,
        "camera": alert.camera_id,
        "plate": None if alert.plate_text is None else normalise(alert.plate_text),
        "key": alert.key,
    }
    return tuple((name, values[name] or "") for name in names)


def _fits(patterns: Iterable[str], values: Iterable[str | None]) -> bool:
    folded = [value.casefold() for value in values if value is not None]
    return any(fnmatchcase(value, pattern.casefold()) for pattern in patterns for value in folded)
