"""Reads a rule's ``match`` tree."""

from collections.abc import Callable

from alert_rules import expectations as expect
from alert_rules.conditions.boolean import AllOf, AnyOf, Not
from alert_rules.conditions.permit import AMBIGUOUS, UNKNOWN, PermitMatch
from alert_rules.conditions.plate import PlateMatch
from alert_rules.conditions.watchlist import WatchlistMatch
from alert_rules.document import Listing, Mapping, Node
from alert_rules.errors import Problems, RuleProblem, shown
from alert_rules.finding import Condition
from alert_rules.permits import MIN_ODDS
from alert_rules.plate_patterns import PlatePattern
from alert_rules.reading import comparisons
from alert_rules.reading.places import read_places
from alert_rules.reading.schedules import read_schedule
from alert_rules.reading.zones import read_zone

CONDITION_KEYS = (
    "all",
    "any",
    "not",
    *comparisons.KEYS,
    "plate",
    "watchlist",
    "permit",
    "schedule",
    "cameras",
    "sites",
    "zone",
)
PERMIT_KEYS = ("list", "likelihood", "odds", "ambiguous")
WATCHLIST_NAME_CHARS = 100


def read_match(node: Node, problems: Problems) -> Condition:
    """A condition: a mapping of conditions that must all hold, or a list of such.

    Raises:
        RuleProblem: it is no condition.
        RuleFileError: several things are wrong in it.
    """
    if isinstance(node, Listing):
        return _all(node, problems)
    tree = expect.mapping(node, "a condition")
    before = len(problems.found)
    expect.known_keys(tree, CONDITION_KEYS, "a condition", problems)
    parts: list[Condition] = []
    if "field" in tree.entries or any(key in tree.entries for key in comparisons.KEYS):
        with problems.collect():
            parts.append(comparisons.read_comparison(tree, problems))
    for key, read in _READERS.items():
        if key in tree.entries:
            with problems.collect():
                parts.append(read(tree.entries[key], problems))
    if not parts and len(problems.found) == before:
        raise RuleProblem(node.place, f"an empty condition; expected one of {', '.join(CONDITION_KEYS)}")
    return parts[0] if len(parts) == 1 else AllOf(tuple(parts))


def read_plate(node: Node, problems: Problems) -> PlateMatch:
    """``plate: AB123``, a list of plates, or ``{any_of, likelihood, exact}``.

    Raises:
        RuleProblem: it is none of these.
    """
    threshold, exact, listed = None, False, node
    if isinstance(node, Mapping):
        expect.known_keys(node, ("any_of", "likelihood", "exact"), "'plate'", problems)
        threshold, exact = _strictness(node)
        listed = expect.required(node, "any_of", "'plate'")
    return PlateMatch(read_patterns(listed, problems), threshold, exact)


def read_patterns(node: Node, problems: Problems) -> tuple[PlatePattern, ...]:
    """Plates and patterns.

    Raises:
        RuleProblem: there are none.
    """
    nodes = expect.items(node, "plates", single=True)
    if not nodes:
        raise RuleProblem(node.place, "no plates: nothing could match")
    if len(nodes) > comparisons.MAX_LIST:
        raise RuleProblem(
            node.place, f"{len(nodes):,} plates; more than {comparisons.MAX_LIST:,} belong in a watchlist"
        )
    patterns = []
    for each in nodes:
        with problems.collect():
            patterns.append(read_pattern(each))
    return tuple(patterns)


def read_pattern(node: Node) -> PlatePattern:
    """One plate or pattern.

    Raises:
        RuleProblem: it is neither.
    """
    written = expect.text(node, "a plate", limit=100)
    try:
        return PlatePattern.parse(written)
    except ValueError as error:
        raise RuleProblem(node.place, f"{shown(written)} is no plate: {error}") from None


def _watchlist(node: Node, problems: Problems) -> WatchlistMatch:
    threshold, exact, listed = None, False, node
    if isinstance(node, Mapping):
        expect.known_keys(node, ("list", "likelihood", "exact"), "'watchlist'", problems)
        threshold, exact = _strictness(node)
        listed = expect.required(node, "list", "'watchlist'")
    return WatchlistMatch(_names(listed, node), threshold, exact)


def _permit(node: Node, problems: Problems) -> PermitMatch:
    likelihood, odds, ambiguous, listed = None, MIN_ODDS, UNKNOWN, node
    if isinstance(node, Mapping):
        expect.known_keys(node, PERMIT_KEYS, "'permit'", problems)
        if "likelihood" in node.entries:
            likelihood = expect.number_between(node.entries["likelihood"], "'likelihood'", 0.0, 1.0)
        if "odds" in node.entries:
            odds = expect.number_between(node.entries["odds"], "'odds'", 1.0, 1e6)
        if "ambiguous" in node.entries:
            ambiguous = expect.choice(node.entries["ambiguous"], "'ambiguous'", AMBIGUOUS)
        listed = expect.required(node, "list", "'permit'")
    return PermitMatch(_names(listed, node), likelihood, odds, ambiguous)


def _names(listed: Node, around: Node) -> tuple[str, ...]:
    """Names of watchlists, each once."""
    names = expect.items(listed, "watchlist names", single=True)
    if not names:
        raise RuleProblem(around.place, "no watchlist is named")
    return tuple(
        dict.fromkeys(expect.text(name, "a watchlist name", limit=WATCHLIST_NAME_CHARS).strip() for name in names)
    )


def _strictness(node: Mapping) -> tuple[float | None, bool]:
    threshold = None
    if "likelihood" in node.entries:
        threshold = expect.number_between(node.entries["likelihood"], "'likelihood'", 0.0, 1.0)
    return threshold, expect.optional_flag(node, "exact", False)


def _all(node: Node, problems: Problems) -> Condition:
    return AllOf(_parts(node, "'all'", problems))


def _any(node: Node, problems: Problems) -> Condition:
    return AnyOf(_parts(node, "'any'", problems))


def _not(node: Node, problems: Problems) -> Condition:
    return Not(read_match(node, problems))


def _parts(node: Node, what: str, problems: Problems) -> tuple[Condition, ...]:
    nodes = expect.items(node, f"conditions of {what}")
    if not nodes:
        raise RuleProblem(node.place, f"{what} has no conditions")
    parts = []
    for each in nodes:
        with problems.collect():
            parts.append(read_match(each, problems))
    return tuple(parts)


_READERS: dict[str, Callable[[Node, Problems], Condition]] = {
    "all": _all,
    "any": _any,
    "not": _not,
    "plate": read_plate,
    "watchlist": _watchlist,
    "permit": _permit,
    "schedule": read_schedule,
    "cameras": read_places("camera_id"),
    "sites": read_places("site_id"),
    "zone": read_zone,
}
