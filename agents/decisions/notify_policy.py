"""The notifier's policy: which alerts mute others, which are told together, and who is told next when nobody reacts.

It is a file of its own (``alert_rules/notify_policy.yml``, or ``ALPR_NOTIFY_POLICY``), read once at the start. What is
wrong in it is reported with file, line and column, all at once, as in rule files. The words are Alertmanager's
(https://prometheus.io/docs/alerting/latest/configuration/): group_by, group_wait, group_interval, inhibit, equal.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from agents.decisions.alert_matching import LABELS, matches
from alert_rules import expectations as expect
from alert_rules.document import Mapping, Node, Scalar, parse
from alert_rules.errors import Problems, RuleProblem
from alert_rules.reading.actions import ChannelDefaults, read_actions, read_defaults
from alert_rules.rule import SEVERITIES
from schemas.clock import MICROS_PER_S, Micros
from schemas.errors import ConfigError
from schemas.events import Action, Alert, AlertMatcher

MATCHER_KEYS = ("rules", "severities", "sites", "cameras", "plates", "keys")
MAX_ESCALATION_S = 7 * 86_400.0
MAX_WAIT_S = 86_400.0
MAX_PATTERNS = 1000
Part = TypeVar("Part")


@dataclass(frozen=True, slots=True)
class Grouping:
    """Alerts that are told together.

    Attributes:
        matcher: which alerts; None: all.
        by: alerts that agree in these labels are one group.
        wait: how long the first alert of a group waits for others; 0: it goes at once.
        interval: after a message, how long the next one of the group waits.
    """

    matcher: AlertMatcher | None
    by: tuple[str, ...]
    wait: Micros
    interval: Micros


@dataclass(frozen=True, slots=True)
class Inhibition:
    """Alerts that mute graver ones' companions.

    Attributes:
        source: which alerts mute; None: any that is graver than the muted one.
        target: which alerts are muted; None: any.
        equal: only where both agree in these labels.
        lasting: how long after the source, and before it, in event time.
    """

    source: AlertMatcher | None
    target: AlertMatcher | None
    equal: tuple[str, ...]
    lasting: Micros


@dataclass(frozen=True, slots=True)
class Step:
    """Who is told when an alert is still open so long after it was told first."""

    after: Micros
    actions: tuple[Action, ...]


@dataclass(frozen=True, slots=True)
class Escalation:
    """Steps, in the order of their time."""

    matcher: AlertMatcher | None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class NotifyPolicy:
    """The policy; an empty one sends each alert at once and leaves it at that."""

    groupings: tuple[Grouping, ...] = ()
    inhibitions: tuple[Inhibition, ...] = ()
    escalations: tuple[Escalation, ...] = ()

    def grouping_of(self, alert: Alert) -> Grouping | None:
        """The first that is for the alert."""
        return next((each for each in self.groupings if is_for(each.matcher, alert)), None)

    def escalation_of(self, alert: Alert) -> Escalation | None:
        """The first that is for the alert."""
        return next((each for each in self.escalations if is_for(each.matcher, alert)), None)


def is_for(matcher: AlertMatcher | None, alert: Alert) -> bool:
    """Whether a part of the policy is for an alert."""
    return matcher is None or matches(matcher, alert)


def load_policy(path: Path) -> NotifyPolicy:
    """The policy of a file.

    Raises:
        RuleFileError: what is wrong in it, with its places.
        ConfigError: it cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"the policy {path} cannot be read: {error}") from error
    return read_policy(data, str(path))


def read_policy(data: bytes, source: str) -> NotifyPolicy:
    """The policy of a YAML text; one with nothing but comments is empty.

    Raises:
        RuleFileError: what is wrong in it, with its places.
    """
    if not any(line.strip() and not line.lstrip().startswith(b"#") for line in data.splitlines()):
        return NotifyPolicy()
    problems = Problems()
    policy = NotifyPolicy()
    with problems.collect():
        root = expect.mapping(parse(data, source), "the policy")
        expect.known_keys(root, ("notifications", "group", "inhibit", "escalate"), "the policy", problems)
        defaults = ChannelDefaults()
        if "notifications" in root.entries:
            defaults = read_defaults(root.entries["notifications"], problems)
        policy = NotifyPolicy(
            _parts(root, "group", lambda body: _grouping(body, problems), problems),
            _parts(root, "inhibit", lambda body: _inhibition(body, problems), problems),
            _parts(root, "escalate", lambda body: _escalation(body, defaults, problems), problems),
        )
    problems.raise_any()
    return policy


def _parts(root: Mapping, key: str, read: Callable[[Mapping], Part], problems: Problems) -> tuple[Part, ...]:
    found: list[Part] = []
    node = root.entries.get(key)
    if node is None or (isinstance(node, Scalar) and node.is_null):
        return ()
    for each in expect.items(node, f"'{key}'"):
        with problems.collect():
            found.append(read(expect.mapping(each, f"a part of '{key}'")))
    return tuple(found)


def _grouping(body: Mapping, problems: Problems) -> Grouping:
    expect.known_keys(body, ("match", "group_by", "group_wait", "group_interval"), "a group", problems)
    return Grouping(
        _matcher(body, "match", problems),
        _labels(expect.required(body, "group_by", "a group"), "group_by"),
        _span(body, "group_wait", 0.0, MAX_WAIT_S),
        _span(body, "group_interval", 300.0, MAX_WAIT_S),
    )


def _inhibition(body: Mapping, problems: Problems) -> Inhibition:
    expect.known_keys(body, ("source", "target", "equal", "for"), "an inhibition", problems)
    equal = body.entries.get("equal")
    return Inhibition(
        _matcher(body, "source", problems),
        _matcher(body, "target", problems),
        ("key", "site") if equal is None else _labels(equal, "equal"),
        _span(body, "for", 300.0, MAX_WAIT_S),
    )


def _escalation(body: Mapping, defaults: ChannelDefaults, problems: Problems) -> Escalation:
    expect.known_keys(body, ("match", "steps"), "an escalation", problems)
    steps: list[Step] = []
    listed = expect.required(body, "steps", "an escalation")
    for node in expect.items(listed, "'steps'"):
        with problems.collect():
            step = expect.mapping(node, "a step")
            expect.known_keys(step, ("after", "actions"), "a step", problems)
            after = _span(step, "after", None, MAX_ESCALATION_S)
            if after <= (steps[-1].after if steps else 0):
                place = step.entries["after"].place
                raise RuleProblem(place, "'after' counts from the first notification: longer than the step before")
            actions = read_actions(expect.required(step, "actions", "a step"), defaults, problems)
            if any(action.type == "gate" for action in actions):
                raise RuleProblem(step.entries["actions"].place, "a step tells people; it opens no gate")
            steps.append(Step(after, actions))
    if not steps:
        raise RuleProblem(listed.place, "an escalation needs at least one step")
    return Escalation(_matcher(body, "match", problems), tuple(steps))


def _matcher(body: Mapping, key: str, problems: Problems) -> AlertMatcher | None:
    node = body.entries.get(key)
    if node is None:
        return None
    given = expect.mapping(node, f"'{key}'")
    expect.known_keys(given, MATCHER_KEYS, f"'{key}'", problems)
    patterns = {name: _patterns(given.entries[name], name) for name in MATCHER_KEYS if name in given.entries}
    if not patterns:
        raise RuleProblem(node.place, f"'{key}' names nothing; leave it out to mean every alert")
    return AlertMatcher(**patterns)


def _patterns(node: Node, name: str) -> tuple[str, ...]:
    nodes = expect.items(node, f"'{name}'", single=True)
    if not 1 <= len(nodes) <= MAX_PATTERNS:
        raise RuleProblem(node.place, f"'{name}' has 1 to {MAX_PATTERNS} patterns, found {len(nodes)}")
    if name == "severities":
        return tuple(dict.fromkeys(expect.choice(each, "severity", SEVERITIES) for each in nodes))
    return tuple(dict.fromkeys(expect.text(each, f"a pattern of '{name}'", limit=200) for each in nodes))


def _labels(node: Node, what: str) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(
            expect.choice(each, f"label of {what}", LABELS) for each in expect.items(node, f"'{what}'", single=True)
        )
    )


def _span(body: Mapping, key: str, default_s: float | None, most_s: float) -> Micros:
    node = body.entries.get(key) if default_s is not None else expect.required(body, key, "it")
    seconds = default_s if node is None else expect.duration_s(node, f"'{key}'")
    assert seconds is not None
    if node is not None and seconds > most_s:
        raise RuleProblem(node.place, f"'{key}' is at most {expect.show_duration(most_s)}")
    return round(seconds * MICROS_PER_S)
