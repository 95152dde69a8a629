"""The notifier's policy: what it says, and that each error names its place."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import alert_rules
from agents.decisions.notify_policy import NotifyPolicy, load_policy, read_policy
from alert_rules.errors import RuleFileError
from schemas.clock import MICROS_PER_S
from schemas.errors import ConfigError
from schemas.events import AlertMatcher
from tests.unit.agents.notify.alerts import alert

WHOLE = b"""
notifications:
  email: {smtp_host: mail.example.org}
inhibit:
  - {source: {severities: [high, critical]}, target: {severities: low}, equal: [site], for: 10m}
  - {}
group:
  - {match: {rules: ["parking-*"]}, group_by: [rule, site], group_wait: 30s, group_interval: 5m}
  - {group_by: [site]}
escalate:
  - match: {severities: [critical]}
    steps:
      - {after: 5m, actions: [{type: sms, to: "${ON_CALL}"}]}
      - {after: 1h, actions: [{type: email, to: boss@example.org}]}
"""


def test_every_part_is_read() -> None:
    """Spans are microseconds, a single value is a list of one, defaults of channels reach the steps."""
    policy = read_policy(WHOLE, "policy.yml")
    first, second = policy.inhibitions
    assert (first.source, first.target) == (
        AlertMatcher(severities=("high", "critical")), AlertMatcher(severities=("low",)),
    )  # fmt: skip
    assert (first.equal, first.lasting) == (("site",), 600 * MICROS_PER_S)
    assert (second.source, second.equal, second.lasting) == (None, ("key", "site"), 300 * MICROS_PER_S)
    grouping, other = policy.groupings
    assert (grouping.by, grouping.wait, grouping.interval) == (
        ("rule", "site"), 30 * MICROS_PER_S, 300 * MICROS_PER_S,
    )  # fmt: skip
    assert (other.wait, other.interval) == (0, 300 * MICROS_PER_S)
    [escalation] = policy.escalations
    assert [step.after // MICROS_PER_S for step in escalation.steps] == [300, 3600]
    assert escalation.steps[1].actions[0].params["smtp_host"] == "mail.example.org"


def test_first_part_that_fits_counts() -> None:
    """A part without a matcher is for the rest."""
    policy = read_policy(WHOLE, "policy.yml")
    assert policy.grouping_of(alert()) == policy.groupings[1]
    assert policy.escalation_of(alert()) is None
    assert policy.escalation_of(alert(severity="critical")) == policy.escalations[0]


@pytest.mark.parametrize(
    ("text", "place", "word"),
    [
        (b"grup: []", "1:1", "did you mean 'group'"),
        (b"group: {}", "1:8", "a list"),
        (b"group: [{group_wait: 3s}]", "1:9", "group_by"),
        (b"group: [{group_by: [rul]}]", "1:21", "rule"),
        (b"group:\n  - group_by: [rule]\n    group_wait: soon", "3:17", "10m"),
        (b"group:\n  - group_by: [rule]\n    group_wait: 2d", "3:17", "at most"),
        (b"group: [{group_by: [rule], match: {}}]", "1:35", "names nothing"),
        (b"group: [{group_by: [rule], match: {rule: x}}]", "1:36", "rules"),
        (b"inhibit: [{source: {severities: [grave]}}]", "1:34", "severity"),
        (b"inhibit: [{to: x}]", "1:12", "has no 'to'"),
        (b"escalate: [{steps: []}]", "1:20", "at least one step"),
        (b"escalate: [{steps: [{after: 5m}]}]", "1:21", "actions"),
        (b"escalate: [{steps: [{after: 5m, actions: [{type: fax}]}]}]", "1:50", "fax"),
        (b"escalate: [{steps: [{after: 5m, actions: [{type: gate, topic: x}]}]}]", "1:42", "gate"),
        (b"escalate: [{steps: [{after: 0s, actions: [{type: email}]}]}]", "1:29", "longer"),
        (b"escalate:\n- steps:\n  - {after: 5m, actions: [{type: email}]}\n  - {after: 5m, actions: [{type: email}]}",
         "4:13", "longer than the step before"),
        (b"escalate: [{steps: [{after: 9d, actions: [{type: email}]}]}]", "1:29", "at most 7d"),
        (b"[]", "1:1", "mapping"),
        (b"group: [", "1:9", "YAML"),
    ],
    ids=lambda value: value.decode()[:40] if isinstance(value, bytes) else None,
)  # fmt: skip
def test_error_names_its_place(text: bytes, place: str, word: str) -> None:
    """File, line, column and what was expected; nothing of a broken policy is used."""
    with pytest.raises(RuleFileError) as caught:
        read_policy(text, "policy.yml")
    assert any(str(problem).startswith(f"policy.yml:{place}: ") for problem in caught.value.problems), caught.value
    assert word in str(caught.value)


def test_all_errors_are_told_at_once() -> None:
    """An author mends a file in one go."""
    with pytest.raises(RuleFileError) as caught:
        read_policy(b"grup: []\ninhibit: [{to: x}, {equal: [colour]}]\nescalate: [{steps: []}]", "policy.yml")
    assert len(caught.value.problems) == 4


@given(st.binary(max_size=60) | st.text("groupinhbt:[]{}- \n*&#\"'", max_size=40).map(str.encode))
def test_any_bytes_are_a_policy_or_a_located_error(data: bytes) -> None:
    """No other exception comes of a file."""
    try:
        assert isinstance(read_policy(data, "policy.yml"), NotifyPolicy)
    except RuleFileError as error:
        assert error.problems


def test_shipped_policy_changes_nothing_until_it_is_edited(tmp_path: Path) -> None:
    """It is all comments; without the comment signs it is a policy with every part."""
    shipped = Path(alert_rules.__file__).parent / "notify_policy.yml"
    assert load_policy(shipped) == NotifyPolicy()
    lines = shipped.read_text().splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("# inhibit:"))
    edited = tmp_path / "policy.yml"
    edited.write_text("\n".join(line.removeprefix("# ").removeprefix("#") for line in lines[first:]))
    policy = load_policy(edited)
    assert (len(policy.inhibitions), len(policy.groupings), len(policy.escalations)) == (1, 1, 1)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_policy(tmp_path / "missing.yml")
