"""What is allowed in a rule file, but perhaps not meant."""

from collections.abc import Collection, Iterator

from alert_rules.conditions.boolean import AllOf, AnyOf, Not
from alert_rules.conditions.permit import PermitMatch
from alert_rules.conditions.watchlist import WatchlistMatch
from alert_rules.errors import nearest
from alert_rules.finding import Condition
from alert_rules.loading import RuleSet


def unknown_watchlists(rules: RuleSet, known: Collection[str]) -> Iterator[str]:
    """A line for each watchlist that a rule names and no file has.

    Its entries may come through the API; or the name is misspelt, and the rule will never fire.
    """
    for rule in rules.rules:
        for name in watchlist_names(rule.match):
            if name not in known:
                hint = nearest(name, known) if known else ""
                yield f"{rule.place}: note: no file has entries of watchlist '{name}'{hint} (the API may)"


def watchlist_names(condition: Condition) -> Iterator[str]:
    """The watchlists that a condition, or one below it, looks through."""
    if isinstance(condition, WatchlistMatch | PermitMatch):
        yield from condition.list_ids
    elif isinstance(condition, Not):
        yield from watchlist_names(condition.part)
    elif isinstance(condition, AllOf | AnyOf):
        for part in condition.parts:
            yield from watchlist_names(part)
