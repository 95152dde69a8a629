"""The life of an alert on real Kafka, registry and mail server: silences, groups, escalation, muting, the digest."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from schemas.events import Action, Alert, RuleRef
from tests.connected.notify.conftest import ROOT, Notifier, until
from tests.unit.agents.notify.alerts import alert

DIGEST_S = 6
BOSS = f"boss-{uuid4().hex[:8]}@example.org"
POLICY = f"""
inhibit:
  - {{source: {{rules: [muting]}}, target: {{rules: [muted]}}, equal: [camera], for: 10m}}
group:
  - {{match: {{rules: [grouped]}}, group_by: [rule, site], group_wait: 4s, group_interval: 5s}}
  - {{match: {{rules: [interrupted]}}, group_by: [rule, site], group_wait: 12s, group_interval: 12s}}
escalate:
  - match: {{rules: [escalating]}}
    steps: [{{after: 20s, actions: [{{type: email, to: {BOSS}}}]}}]
"""


@pytest.fixture(scope="module")
def notifier(stack: Any, topics: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notifier]:
    """A running notifier with a policy and short times."""
    folder: Path = tmp_path_factory.mktemp("life")
    policy = folder / "policy.yml"
    policy.write_text(POLICY)
    settings = {"ALPR_NOTIFY_POLICY": str(policy), "ALPR_NOTIFY_DIGEST_S": str(DIGEST_S)}
    made = Notifier(stack, folder, settings)
    made.start()
    yield made
    made.stop()


def address() -> str:
    """A mail address that nobody else uses."""
    return f"guard-{uuid4().hex[:8]}@example.org"


def of_rule(rule: str, to: str, **changes: Any) -> Alert:
    """A new alert of a rule with a mail action."""
    actions = (Action("email", {"to": to}),)
    made = alert(alert_id=str(uuid4()), actions=actions, **changes)
    return replace(made, rule=RuleRef(rule, rule.capitalize(), "v1"))


def alpr(notifier: Notifier, *words: str) -> str:
    """What `alpr alerts` prints."""
    environment = {**os.environ, **notifier.stack.env}
    command = [sys.executable, "-m", "cli.main", "alerts", *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def outcome_of(notifier: Notifier, made: Alert) -> str:
    """The outcome of an alert's only receipt, once it is there."""
    [receipt] = until("the receipt", lambda: notifier.receipts(made))
    outcome: str = receipt.outcome
    return outcome


def test_silence_and_its_end(notifier: Notifier) -> None:
    """Before a silence there is a mail, under it a receipt that names it, after it a mail again."""
    to, camera = address(), f"cam-{uuid4().hex[:6]}"
    before = of_rule("plain", to, camera_id=camera)
    notifier.put(before)
    assert outcome_of(notifier, before) == "delivered"
    made = alpr(
        notifier, "silence", "--camera", camera, "--for", "10m", "--comment", "works", "--actor", "kim", "--json"
    )
    silence_id = json.loads(made)["action_id"]
    time.sleep(2)  # it is a topic of its own: what follows closely may be quicker
    under = of_rule("plain", to, camera_id=camera)
    notifier.put(under)
    assert outcome_of(notifier, under) == "silenced"
    [receipt] = notifier.receipts(under)
    assert receipt.detail == f"silence {silence_id} by kim: works"
    listed = json.loads(alpr(notifier, "silences", "--json"))
    assert [each["state"] for each in listed if each["silence_id"] == silence_id] == ["active"]
    alpr(notifier, "unsilence", silence_id)
    time.sleep(2)
    after = of_rule("plain", to, camera_id=camera)
    notifier.put(after)
    assert outcome_of(notifier, after) == "delivered"
    assert len(notifier.mails(to)) == 2


def test_unacknowledged_alert_escalates(notifier: Notifier) -> None:
    """The one that nobody acknowledges is mailed to the boss, once; the other one is not."""
    to = address()
    ignored, taken = of_rule("escalating", to, plate_text="IGNORED1"), of_rule("escalating", to, plate_text="TAKEN1")
    notifier.put(ignored, taken)
    until("both mails", lambda: len(notifier.mails(to)) == 2)
    alpr(notifier, "ack", taken.alert_id)
    [mail] = until("the boss's mail", lambda: notifier.mails(BOSS))
    assert "IGNORED1" in mail["Subject"]
    assert "Not acknowledged for 20s" in mail["Subject"]
    time.sleep(3)
    assert len(notifier.mails(BOSS)) == 1
    assert {receipt.recipient for receipt in notifier.receipts(ignored)} == {to, BOSS}
    assert {receipt.recipient for receipt in notifier.receipts(taken)} == {to}


def test_graver_alert_mutes_the_lesser_one_across_partitions(notifier: Notifier) -> None:
    """Alerts of two rules lie in any partitions; for the same key at one camera the graver one mutes the other."""
    key, to = uuid4().hex[:8], address()
    grave = of_rule("muting", to, key=key, severity="critical")
    lesser = [of_rule("muted", to, key=key, severity="low", camera_id=camera) for camera in ("gate-1", "gate-2")]
    notifier.put(grave)
    assert outcome_of(notifier, grave) == "delivered"
    notifier.put(*lesser)
    assert [outcome_of(notifier, made) for made in lesser] == ["inhibited", "delivered"]


def test_group_is_one_mail(notifier: Notifier) -> None:
    """Alerts of all partitions that wait together are told in one mail; each has its receipt."""
    to, site = address(), uuid4().hex
    alerts = [of_rule("grouped", to, site_id=site, message=f"number {n}") for n in range(12)]
    notifier.put(*alerts)
    until("all receipts", lambda: len(notifier.receipts(*alerts)) == 12)
    assert {receipt.outcome for receipt in notifier.receipts(*alerts)} == {"delivered"}
    [summary] = notifier.mails(to)
    text = notifier.mail(summary)["Text"]
    assert all(f"number {n}" in text for n in range(12))
    assert summary["Subject"] == "[high] 12 alerts: Grouped: ABC123 at gate-1"


def test_stale_alerts_are_one_digest(notifier: Notifier) -> None:
    """Late alerts of all partitions come in one mail a recipient, after the interval; their receipts say stale."""
    to = address()
    alerts = [of_rule("plain", to, age_s=5000.0, message=f"late {n}") for n in range(12)]
    notifier.put(*alerts)
    until("all receipts", lambda: len(notifier.receipts(*alerts)) == 12)
    [summary] = until("the digest", lambda: notifier.mails(to))
    assert "12 late alerts" in summary["Subject"]
    notifier.put(*alerts)
    time.sleep(DIGEST_S + 2)
    assert len(notifier.mails(to)) == 1
    assert {receipt.outcome for receipt in notifier.receipts(*alerts)} == {"stale"}


def test_kill_between_waiting_and_sending(notifier: Notifier) -> None:
    """A group that waits when the worker is killed is told by the next one, every alert once."""
    to, site = address(), uuid4().hex
    alerts = [of_rule("interrupted", to, site_id=site, message=f"number {n}") for n in range(6)]
    notifier.put(*alerts)
    time.sleep(5)  # they have reached their group, and a checkpoint has kept it
    assert notifier.mails(to) == []
    notifier.kill()
    notifier.start()
    until("all receipts", lambda: len({receipt.alert_id for receipt in notifier.receipts(*alerts)}) == 6)
    [summary] = notifier.mails(to)
    text = notifier.mail(summary)["Text"]
    assert all(f"number {n}" in text for n in range(6))
    time.sleep(3)
    assert len(notifier.mails(to)) == 1
