"""A rule as the engine knows it, whichever form it was written in."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any

from alert_rules.conditions.validity import Validity
from alert_rules.correlations.plan import Correlation
from alert_rules.errors import Place
from alert_rules.fields import Field
from alert_rules.finding import Condition
from alert_rules.templates import Template
from schemas.events import Action, Sighting, WatchlistEntry

SEVERITIES = ("info", "low", "medium", "high", "critical")
PLATE_GROUP = "plate"
"""Name of the default group: one vehicle, by the sighting's match key, so that a misread stays in its group."""


@dataclass(frozen=True, slots=True)
class GroupKey:
    """What sightings have in common that one rule treats as one thing.

    Attributes:
        fields: empty for the plate.
    """

    fields: tuple[Field | None, ...] = (None,)

    def of(self, sighting: Sighting) -> str:
        """The group of a sighting, as text. A field is None for the plate."""
        return "|".join(
            sighting.match_key if field is None else field.show(field.read(sighting)) for field in self.fields
        )

    def canonical(self) -> list[str]:
        """Paths in order: the order shows in the key."""
        return [PLATE_GROUP if field is None else ".".join(field.path) for field in self.fields]


@dataclass(frozen=True, slots=True)
class Suppression:
    """After an alert, matches of the same group stay silent for a time (event time), and are counted.

    Attributes:
        for_us: how long.
        by: the group; not always the one that the rule alerts for.
        max_us: the time doubles up to this while matches go on; None: it stays.
    """

    for_us: int
    by: GroupKey
    max_us: int | None = None

    def canonical(self) -> list[Any]:
        """The meaning in plain values."""
        bounds = [self.for_us] if self.max_us is None else [self.for_us, self.max_us]
        return [*bounds, self.by.canonical()]


@dataclass(frozen=True, slots=True)
class ExpectedAlert:
    """An alert that an inline test expects: what is None may be anything.

    Attributes:
        fields: name to text, of the alert or its trigger.
    """

    at_us: int | None
    fields: dict[str, str]
    place: Place


@dataclass(frozen=True, slots=True)
class RuleTest:
    """An inline test: sightings in, alerts of this rule expected.

    Attributes:
        alerts: the alerts in order; or how many, where only that is given.
        until_us: how far time goes on after the last event, for correlations.
    """

    name: str
    events: tuple[Sighting, ...]
    alerts: tuple[ExpectedAlert, ...] | int
    watchlists: tuple[WatchlistEntry, ...]
    place: Place
    until_us: int = 0


@dataclass(frozen=True)
class Rule:
    """A rule.

    Attributes:
        match: what a sighting must be like.
        correlation: what is looked for in the sightings that match; None: each is an alert.
        group_by: what the alert is for.
        freshness_s: older alerts are recorded but not sent; None: the notifier's default.
        message: None for the default message.
        place: where it stands.
        validity: which sightings this version of the rule is for; it is a part of `match`. None: all.
    """

    id: str
    name: str
    match: Condition
    place: Place
    severity: str = "medium"
    enabled: bool = True
    description: str | None = None
    runbook: str | None = None
    group_by: GroupKey = GroupKey()
    suppress: Suppression | None = None
    actions: tuple[Action, ...] = ()
    message: Template | None = None
    freshness_s: float | None = None
    correlation: Correlation | None = None
    validity: Validity | None = None
    tests: tuple[RuleTest, ...] = field(default=(), compare=False)

    @cached_property
    def version(self) -> str:
        """Hash of the rule's meaning: when it fires, for what, and what it asks for then.

        Comments, order, spelling, name, description, runbook and tests do not change it.
        """
        text = json.dumps(self.canonical(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return sha256(text.encode()).hexdigest()[:12]

    def canonical(self) -> dict[str, Any]:
        """The rule's meaning in plain values."""
        correlation = {} if self.correlation is None else {"correlation": self.correlation.canonical()}
        validity = {} if self.validity is None else {"valid": [self.validity.from_us, self.validity.until_us]}
        return (
            correlation
            | validity
            | {
                "match": self.match.canonical(),
                "group_by": self.group_by.canonical(),
                "suppress": self.suppress.canonical() if self.suppress else None,
                "severity": self.severity,
                "actions": sorted([action.type, sorted(action.params.items())] for action in self.actions),
                "message": self.message.source if self.message else None,
                "freshness_s": self.freshness_s,
            }
        )
