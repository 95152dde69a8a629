"""Actions of the channels that have bounds or secrets of their own."""

import pytest

from tests.unit.alert_rules.builders import problems, rules

GATE = "- {{id: a, match: {{plate: X1}}, actions: [{{type: gate, topic: 'g/{{{{ camera_id }}}}', {}}}]}}"


def test_a_gate_keeps_its_policy() -> None:
    """What a gate action says travels with the alert as it is written, templates and variables included."""
    [rule] = rules(GATE.format("min_likelihood: 0.95, max_age_ms: 2000, password: '${BROKER}'")).rules
    assert rule.actions[0].params == {
        "topic": "g/{{ camera_id }}", "min_likelihood": "0.95", "max_age_ms": "2000", "password": "${BROKER}",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("min_likelihood: 2", "'min_likelihood' must lie between 0 and 1, not 2"),
        ("min_margin: much", "expected 'min_margin' (a number), found 'much'"),
        ("max_age_ms: 600000", "'max_age_ms' must lie between 1 and 60000, not 600000"),
        ("retain: true", "'gate' has no 'retain'"),
        ("password: hunter2", "'password' is a secret"),
    ],
)
def test_a_policy_that_cannot_be_is_told_with_its_place(written: str, words: str) -> None:
    """A bound that is none, a secret in clear, and a retained command are mistakes of the file."""
    [problem] = problems(GATE.format(written))
    assert words in problem


def test_an_apprise_url_is_a_secret() -> None:
    """Its tokens would travel with every alert; a variable is the way."""
    text = "- {{id: a, match: {{plate: X1}}, actions: [{{type: apprise, url: '{}'}}]}}"
    [problem] = problems(text.format("tgram://1:abc/2"))
    assert "'url' of apprise is a secret" in problem
    assert rules(text.format("${TEAM_URL}")).rules[0].actions[0].params == {"url": "${TEAM_URL}"}
