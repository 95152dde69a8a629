"""What a change of rules or lists would have changed: the alerts of two runs over the same events, compared."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields

from schemas.events import Alert

_NOT_COMPARED = frozenset({"alert_id", "rule", "context"})
"""The rule's version differs with every change of meaning; the context repeats the trigger."""


@dataclass(frozen=True, slots=True)
class Changed:
    """An alert that both runs raise, but not alike.

    Attributes:
        parts: names of the alert's fields that differ.
    """

    old: Alert
    new: Alert
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleCounts:
    """How many alerts of a rule appear, vanish, change and stay."""

    appeared: int = 0
    vanished: int = 0
    changed: int = 0
    same: int = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """Two runs compared, in the order of event time.

    Attributes:
        same: rule id to how many alerts both runs raise alike.
    """

    appeared: tuple[Alert, ...]
    vanished: tuple[Alert, ...]
    changed: tuple[Changed, ...]
    same: dict[str, int]

    def __bool__(self) -> bool:
        return bool(self.appeared or self.vanished or self.changed)

    @property
    def by_rule(self) -> dict[str, RuleCounts]:
        """Counts by rule id, for rules that raised something in one of the runs."""
        appeared, vanished = (Counter(alert.rule.id for alert in each) for each in (self.appeared, self.vanished))
        changed = Counter(each.new.rule.id for each in self.changed)
        return {
            rule_id: RuleCounts(appeared[rule_id], vanished[rule_id], changed[rule_id], self.same.get(rule_id, 0))
            for rule_id in sorted({*appeared, *vanished, *changed, *self.same})
        }


def compare(old: Iterable[Alert], new: Iterable[Alert]) -> Difference:
    """Compare two runs by alert id: rule, group and trigger are then the same."""
    before = {alert.alert_id: alert for alert in old}
    after = {alert.alert_id: alert for alert in new}
    changed: list[Changed] = []
    same: dict[str, int] = {}
    for alert_id in before.keys() & after.keys():
        first, second = before[alert_id], after[alert_id]
        parts = tuple(
            field.name
            for field in fields(Alert)
            if field.name not in _NOT_COMPARED and getattr(first, field.name) != getattr(second, field.name)
        )
        if parts:
            changed.append(Changed(first, second, parts))
        else:
            same[second.rule.id] = same.get(second.rule.id, 0) + 1
    return Difference(
        appeared=tuple(sorted((after[key] for key in after.keys() - before.keys()), key=_order)),
        vanished=tuple(sorted((before[key] for key in before.keys() - after.keys()), key=_order)),
        changed=tuple(sorted(changed, key=lambda each: _order(each.new))),
        same=same,
    )


def _order(alert: Alert) -> tuple[int, str, str]:
    return alert.fired_at, alert.rule.id, alert.alert_id
