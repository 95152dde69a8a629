"""What an alert asks for: recipients, freshness, what cannot work, receipts."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.channels.redaction import redact, shown_url, url_secrets
from agents.channels.settings import NotifySettings
from agents.channels.variables import SettingMissing, resolve, variable_values
from agents.decisions.notification import Plan, find, fresh_until, plan, retry_until
from schemas.clock import MICROS_PER_S, now_us
from schemas.events import Action, Alert
from tests.unit.agents.notify.alerts import alert
from tests.unit.agents.notify.fakes import FakeChannel


def _plan(made: Alert, environment: dict[str, str] | None = None, freshness_s: float = 900.0) -> Plan:
    channels = {"fake": FakeChannel()}
    return plan(made, now=now_us(), freshness_s=freshness_s, channels=channels, environment=environment or {})


def test_each_recipient_once() -> None:
    """Actions that name the same recipient give one notification; ids repeat with the same alert."""
    made = alert(actions=(Action("fake", {"to": "a@x,b@x"}), Action("fake", {"to": "b@x"})))
    planned = _plan(made)
    assert [n.address.shown for n in planned.notifications] == ["a@x", "b@x"]
    assert planned.receipts == ()
    assert _plan(made).notifications[0].notification_id == planned.notifications[0].notification_id
    assert len({n.notification_id for n in planned.notifications}) == 2


def test_missing_setting_fails_alone() -> None:
    """An action with an unset variable becomes a failed receipt that names it; the other action is sent."""
    made = alert(actions=(Action("fake", {"to": "${ALPR_ALERT_EMAIL}"}), Action("fake", {"to": "b@x"})))
    planned = _plan(made)
    assert [n.address.shown for n in planned.notifications] == ["b@x"]
    [receipt] = planned.receipts
    assert (receipt.outcome, receipt.detail, receipt.attempts) == ("failed", "ALPR_ALERT_EMAIL is not set", 0)
    assert receipt.recipient == "${ALPR_ALERT_EMAIL}"
    assert [n.address.shown for n in _plan(made, {"ALPR_ALERT_EMAIL": "c@x"}).notifications] == ["c@x", "b@x"]


def test_unknown_channel_fails() -> None:
    """A channel that does not exist is a failed receipt, not a crash; a URL in it is not repeated."""
    [receipt] = _plan(alert(actions=(Action("pigeon", {"url": "https://u:p@h/secret"}),))).receipts
    assert receipt.outcome == "failed"
    assert "pigeon" in (receipt.detail or "")
    assert "secret" not in receipt.recipient


def test_stale_alert_is_recorded_not_sent() -> None:
    """Older than the gate: no notification, a stale receipt for each recipient."""
    planned = _plan(alert(age_s=901, actions=(Action("fake", {"to": "a@x,b@x"}),)))
    assert planned.notifications == ()
    assert [receipt.outcome for receipt in planned.receipts] == ["stale", "stale"]


@pytest.mark.parametrize(
    ("freshness_s", "age_s", "sent"), [(10.0, 11, 0), (10.0, 5, 1), (3600.0, 1800, 1), (0.0, 1, 0)]
)
def test_rule_sets_its_own_gate(freshness_s: float, age_s: float, sent: int) -> None:
    """A rule's freshness takes the place of the default, narrower or wider."""
    made = alert(age_s=age_s, freshness_s=freshness_s, actions=(Action("fake", {"to": "a@x"}),))
    assert len(_plan(made).notifications) == sent


def test_alert_without_actions_asks_for_nothing() -> None:
    """No action, no receipt."""
    assert _plan(alert()) == Plan((), ())


def test_retries_end_with_the_freshness() -> None:
    """A notification is retried for its total time, and never beyond its alert's freshness."""
    made = alert(age_s=100)
    now = now_us()
    assert retry_until(made, now, 60, 900) == now + 60 * MICROS_PER_S
    assert retry_until(made, now, 6000, 900) == fresh_until(made, 900)


@given(st.one_of(st.none(), st.floats()))
def test_any_freshness_gives_a_time(freshness_s: float | None) -> None:
    """Infinite, negative and undefined freshness do not crash the gate; it never closes before the capture."""
    made = alert(freshness_s=freshness_s)
    assert fresh_until(made, 900) >= made.captured_at


def test_find_gives_back_the_planned() -> None:
    """The notification of an id is found again, and not when its recipient is gone."""
    made = alert(actions=(Action("fake", {"to": "${A}"}), Action("fake", {"to": "b@x,c@x"})))
    channels = {"fake": FakeChannel()}
    for planned in _plan(made, {"A": "a@x"}).notifications:
        assert find(planned.notification_id, made, channels, {"A": "a@x"}) == planned
    gone = _plan(made, {"A": "a@x"}).notifications[0].notification_id
    assert find(gone, made, channels, {}) is None


def test_variables() -> None:
    """Variables are replaced once, not in what they stand for; an empty one counts as not set."""
    assert resolve("a ${X} $X ${X}", {"X": "${Y}"}) == "a ${Y} $X ${Y}"
    assert variable_values({"p": "${X}-${Z}"}, {"X": "1"}) == {"X": "1"}
    for environment in ({}, {"X": ""}):
        with pytest.raises(SettingMissing, match=r"^X is not set$"):
            resolve("${X}", environment)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:pw@h.example:8443/a/b?token=1#f", "https://h.example:8443/a/b"),
        ("https://hooks.slack.com/services/T012ABCDE/B012ABCDE/abcDEF0123456789", None),
        ("https://h/notifications/plate-alerts/v1", "https://h/notifications/plate-alerts/v1"),
        ("http://[::1]:80/x", "http://[::1]:80/x"),
        ("https://h/api/" + "a" * 40, "https://h/api/aaa…"),
    ],
)
def test_shown_url(url: str, shown: str | None) -> None:
    """Credentials, query and tokens in the path are hidden; plain words stay."""
    if shown is not None:
        assert shown_url(url) == shown
    for secret in url_secrets(url):
        assert secret not in shown_url(url) or len(secret) < 4


@given(st.text(), st.lists(st.text(min_size=4), max_size=3))
def test_redacted_text_is_one_short_line(text: str, secrets: list[str]) -> None:
    """Whatever the other side says becomes a line of bounded length that Avro can carry, without the secrets."""
    shown = redact(text + "".join(secrets), secrets)
    assert len(shown) <= 300
    assert "\n" not in shown
    shown.encode()


def test_redaction_takes_the_longest_first() -> None:
    """A secret that holds another one leaves nothing of itself."""
    assert redact("x abcd-efgh y", ["abcd", "abcd-efgh"]) == "x *** y"


def test_every_setting_is_documented() -> None:
    """The table in docs/notifications.md names every setting with its description."""
    docs = (Path(__file__).parents[4] / "docs" / "notifications.md").read_text()
    for name, setting in NotifySettings.model_fields.items():
        assert f"| `ALPR_NOTIFY_{name.upper()}` |" in docs, name
        assert setting.description, name
        assert setting.description in docs, name
