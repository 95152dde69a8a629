"""Reads a rule in the native form: ``id``, ``match`` and what goes with it."""

from alert_rules import expectations as expect
from alert_rules.conditions.anything import Anything
from alert_rules.conditions.boolean import AllOf
from alert_rules.conditions.validity import Validity
from alert_rules.correlations.operator import Timeless
from alert_rules.correlations.plan import Correlation
from alert_rules.document import Mapping
from alert_rules.errors import Problems, RuleProblem
from alert_rules.fields import find_field
from alert_rules.finding import Condition
from alert_rules.reading import common
from alert_rules.reading.actions import ChannelDefaults, read_actions, read_notify
from alert_rules.reading.correlation import read_correlation
from alert_rules.reading.correlation_types import TYPES
from alert_rules.reading.match import read_match
from alert_rules.reading.rule_tests import read_tests
from alert_rules.rule import GroupKey, Rule, Suppression
from schemas.events import Action

KEYS = (
    "id", "name", "severity", "enabled", "description", "runbook", "match", "group_by", "timespan", "correlation",
    "late", "suppress", "actions", "notify", "message", "freshness", "valid_from", "valid_until", "tests",
)  # fmt: skip
VALIDITY_KEYS = ("valid_from", "valid_until")
SUPPRESS_KEYS = ("for", "by", "realert", "max")
_PARTS: common.PartReaders = {
    **common.COMMON_PARTS,
    "name": ("name", lambda node: expect.text(node, "'name'", limit=200)),
    "runbook": ("runbook", lambda node: expect.text(node, "'runbook'", limit=2000)),
    "message": ("message", common.read_message),
    "freshness": ("freshness_s", lambda node: expect.duration_s(node, "'freshness'")),
}


def read_native(body: Mapping, defaults: ChannelDefaults, problems: Problems) -> Rule | None:
    """A rule in the native form; None where it is too broken to go on, with the reasons in `problems`."""
    expect.known_keys(body, KEYS, "a rule", problems)
    rule_id: str | None = None
    with problems.collect():
        rule_id = common.read_id(expect.required(body, "id", "a rule"))
    match: Condition | None = None
    with problems.collect():
        if "match" in body.entries or "correlation" not in body.entries:
            match = read_match(expect.required(body, "match", "a rule"), problems)
        else:
            match = Anything()
    correlation: Correlation | None = None
    with problems.collect():
        correlation = read_correlation(body, TYPES, problems)
    validity: Validity | None = None
    with problems.collect():
        validity = _validity(body, correlation)
    if match is not None and validity is not None:
        match = AllOf((*(match.parts if isinstance(match, AllOf) else (match,)), validity))
    group, suppress = _grouping(body, problems, _default_group(correlation))
    parts = common.read_parts(body, _PARTS, problems)
    actions: tuple[Action, ...] = ()
    with problems.collect():
        actions = _actions(body, defaults, problems)
    with problems.collect():
        if "tests" in body.entries:
            parts["tests"] = read_tests(body.entries["tests"], problems)
    if rule_id is None or match is None:
        return None
    return Rule(
        **{"name": rule_id, **parts},
        id=rule_id,
        match=match,
        place=body.place,
        group_by=group,
        correlation=correlation,
        validity=validity,
        suppress=suppress,
        actions=actions,
    )


def _validity(body: Mapping, correlation: Correlation | None) -> Validity | None:
    given = [key for key in VALIDITY_KEYS if key in body.entries]
    if not given:
        return None
    place = body.place_of(given[0])
    if correlation is not None and not all(isinstance(operator, Timeless) for operator in correlation.operators):
        # silence before and after would be taken for the silence that it waits for
        raise RuleProblem(place, f"'{given[0]}' is not for a correlation that fires by time alone")
    validity = Validity(*(common.read_time(body.entries[key], f"'{key}'") if key in given else None
                          for key in VALIDITY_KEYS))  # fmt: skip
    if not validity.overlaps(validity):
        raise RuleProblem(place, "'valid_from' must lie before 'valid_until'")
    return validity


def _default_group(correlation: Correlation | None) -> GroupKey:
    field = TYPES[correlation.type].group if correlation is not None else None
    return GroupKey() if field is None else GroupKey((find_field(field),))


def _grouping(body: Mapping, problems: Problems, group: GroupKey) -> tuple[GroupKey, Suppression | None]:
    suppress = None
    with problems.collect():
        if "group_by" in body.entries:
            group = common.read_group(body.entries["group_by"])
    with problems.collect():
        if "suppress" in body.entries:
            node = body.entries["suppress"]
            if isinstance(node, Mapping):
                expect.known_keys(node, SUPPRESS_KEYS, "'suppress'", problems)
            suppress = common.read_suppression(node, group)
    return group, suppress


def _actions(body: Mapping, defaults: ChannelDefaults, problems: Problems) -> tuple[Action, ...]:
    actions: tuple[Action, ...] = ()
    if "actions" in body.entries:
        actions += read_actions(body.entries["actions"], defaults, problems)
    if "notify" in body.entries:
        actions += read_notify(body.entries["notify"], defaults, problems)
    return actions
