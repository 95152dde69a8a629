"""Reads the two forms that existing ALPR rule files have; such files load unchanged.

- by ``type``: ``{name, type: plate_match, plates, actions}`` and ``{name, type: threshold, field, operator, value,
  actions}``;
- by ``conditions``: ``{id, name, enabled, priority, description, conditions, notify, rate_limit, message_template}``,
  all conditions must hold.
"""

from alert_rules import expectations as expect
from alert_rules.conditions.boolean import AllOf
from alert_rules.document import Mapping
from alert_rules.errors import Problems, RuleProblem
from alert_rules.finding import Condition
from alert_rules.reading import common
from alert_rules.reading.actions import ChannelDefaults, read_actions, read_notify
from alert_rules.reading.comparisons import read_comparison
from alert_rules.reading.match import read_plate
from alert_rules.reading.rule_tests import read_tests
from alert_rules.rule import GroupKey, Rule, Suppression
from schemas.events import Action

TYPES = ("plate_match", "threshold")
TYPED_KEYS = (
    "id", "name", "type", "enabled", "severity", "priority", "description", "plates", "field", "operator", "value",
    "actions", "notify", "message", "message_template", "rate_limit", "tests",
)  # fmt: skip
CONDITIONS_KEYS = (
    "id", "name", "enabled", "severity", "priority", "description", "conditions", "notify", "actions", "rate_limit",
    "message_template", "message", "tests",
)  # fmt: skip
RATE_LIMIT_KEYS = ("enabled", "cooldown_seconds", "dedup_key")
DEFAULT_COOLDOWN_S = 300.0
_PARTS: common.PartReaders = {
    **common.COMMON_PARTS,
    "name": ("name", lambda node: expect.text(node, "'name'", limit=200)),
    "priority": ("severity", lambda node: common.read_severity(node, "priority")),
    "severity": ("severity", lambda node: common.read_severity(node, "severity")),
    "message": ("message", common.read_message),
    "message_template": ("message", common.read_message),
}
_COMPARISON_KEYS = ("field", "operator", "op", "value", "values")


def read_typed(body: Mapping, defaults: ChannelDefaults, problems: Problems) -> Rule | None:
    """A rule with a ``type``; None where it is too broken to go on, with the reasons in `problems`."""
    expect.known_keys(body, TYPED_KEYS, "a rule with 'type'", problems)
    match: Condition | None = None
    with problems.collect():
        kind = expect.choice(expect.required(body, "type", "a rule"), "rule type", TYPES)
        if kind == "plate_match":
            match = read_plate(expect.required(body, "plates", "a rule of type plate_match"), problems)
        else:
            match = read_comparison(body, problems)
    return _rule(body, match, defaults, problems)


def read_conditions(body: Mapping, defaults: ChannelDefaults, problems: Problems) -> Rule | None:
    """A rule with ``conditions``; None where it is too broken to go on, with the reasons in `problems`."""
    expect.known_keys(body, CONDITIONS_KEYS, "a rule with 'conditions'", problems)
    parts: list[Condition] = []
    with problems.collect():
        nodes = expect.items(expect.required(body, "conditions", "a rule"), "conditions")
        if not nodes:
            raise RuleProblem(body.place_of("conditions"), "no conditions: the rule would fire on everything")
        for each in nodes:
            with problems.collect():
                condition = expect.mapping(each, "a condition")
                expect.known_keys(condition, _COMPARISON_KEYS, "a condition", problems)
                parts.append(read_comparison(condition, problems))
    match: Condition | None = None
    if parts:
        match = parts[0] if len(parts) == 1 else AllOf(tuple(parts))
    return _rule(body, match, defaults, problems)


def _rule(body: Mapping, match: Condition | None, defaults: ChannelDefaults, problems: Problems) -> Rule | None:
    parts = common.read_parts(body, _PARTS, problems)
    rule_id: str | None = None
    with problems.collect():
        if "id" in body.entries:
            rule_id = common.read_id(body.entries["id"])
        elif "name" in parts:
            rule_id = common.id_from_name(parts["name"])
        elif "name" not in body.entries:
            raise RuleProblem(body.place, "a rule needs 'name' or 'id'")
    with problems.collect():
        parts["suppress"] = _rate_limit(body, problems)
    with problems.collect():
        parts["actions"] = _actions(body, defaults, problems)
    with problems.collect():
        if "tests" in body.entries:
            parts["tests"] = read_tests(body.entries["tests"], problems)
    if rule_id is None or match is None:
        return None
    return Rule(**{"name": rule_id, **parts}, id=rule_id, match=match, place=body.place)


def _rate_limit(body: Mapping, problems: Problems) -> Suppression | None:
    if "rate_limit" not in body.entries:
        return None
    limit = expect.mapping(body.entries["rate_limit"], "'rate_limit'")
    expect.known_keys(limit, RATE_LIMIT_KEYS, "'rate_limit'", problems)
    by, seconds = GroupKey(), DEFAULT_COOLDOWN_S
    if "dedup_key" in limit.entries:
        by = common.read_dedup_key(limit.entries["dedup_key"])
    if "cooldown_seconds" in limit.entries:
        seconds = expect.number_between(
            limit.entries["cooldown_seconds"], "'cooldown_seconds'", 0, expect.MAX_DURATION_S
        )
    return common.suppression(seconds, by) if expect.optional_flag(limit, "enabled", True) else None


def _actions(body: Mapping, defaults: ChannelDefaults, problems: Problems) -> tuple[Action, ...]:
    actions: tuple[Action, ...] = ()
    if "actions" in body.entries:
        actions += read_actions(body.entries["actions"], defaults, problems)
    if "notify" in body.entries:
        actions += read_notify(body.entries["notify"], defaults, problems)
    return actions
