"""The life of an alert at the notifier, as far as it is kept: muting, groups, escalation and the digest.

What is decided is pure (`agents.decisions`); here it meets the rows of a run. Every change goes into the rows, which
the desk hands over with the run: a crash leaves either all of it or nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field

from agents.channels.port import AtMostOnce, Channel
from agents.decisions import alert_groups, desk_mail, inhibition
from agents.decisions.digest import digest
from agents.decisions.escalation import escalated, is_too_late, step_due
from agents.decisions.notification import addresses, fresh_until
from agents.decisions.notify_policy import NotifyPolicy
from agents.decisions.silences import AlertActions, Silence
from agents.decisions.told import Part, Told
from schemas.clock import MICROS_PER_S, Micros
from schemas.errors import ConfigError
from schemas.events import Action, Alert
from tables.alert_life import DIGEST, ESCALATION, GROUP, AlertLifeRows, Due, named
from tables.notifications import KeptRecord, record_body, record_of

Decode = Callable[[KeptRecord], Alert | None]
"""Gives the alert of a record; None where it can no longer be read."""
DIGEST_REMEMBER_S = 86_400.0
"""How long a late alert that stands in a digest is not taken into another."""


@dataclass(frozen=True, slots=True)
class DueMessages:
    """What is to be told now.

    Attributes:
        told: each message with the recipients that it is for: channel and identity; None: all that it names.
        silenced: messages that a silence holds back.
        late: messages that come too late to be sent, since the notifier was down.
    """

    told: list[tuple[Told, tuple[str, str] | None]] = field(default_factory=list)
    silenced: list[tuple[Told, Silence]] = field(default_factory=list)
    late: list[Told] = field(default_factory=list)


class AlertLife:
    """Keeps what is to be told later.

    Args:
        policy: what mutes, what is grouped, what escalates.
        actions: what people did.
        channels: by name.
        environment: where ``${NAME}`` is looked up.
        freshness_s: how late a message may be.
        digest_s: how long late alerts are collected; 0: there is no digest.
    """

    def __init__(
        self,
        policy: NotifyPolicy,
        actions: AlertActions,
        channels: Mapping[str, Channel],
        environment: Mapping[str, str],
        freshness_s: float,
        digest_s: float,
    ) -> None:
        self.actions = actions
        self._policy = policy
        self._channels = channels
        self._environment = environment
        self._freshness_s = freshness_s
        self._digest_s = digest_s

    def next_stage(self, alert: Alert, stage: str) -> tuple[str, str] | None:
        """Where an alert must go before it can be told, with the key of what it meets there; None: nowhere."""
        inhibitions = self._policy.inhibitions
        if stage == desk_mail.RAISED and inhibition.is_concerned(inhibitions, alert):
            return desk_mail.MUTING, alert.key
        grouping = self._policy.grouping_of(alert)
        if stage != desk_mail.GROUPING and grouping is not None:
            return desk_mail.GROUPING, alert_groups.group_name(grouping, alert)
        return None

    def muted_by(self, rows: AlertLifeRows, alert: Alert) -> inhibition.Source | None:
        """The alert that mutes this one, if one does; and remember this one, which may mute others."""
        found = None
        for number, each in enumerate(self._policy.inhibitions):
            name = named(f"{number}|{inhibition.group_of(each, alert)}")
            known = tuple(inhibition.Source(**source) for source in rows.sources(name))
            found = found or inhibition.inhibitor(each, known, alert)
            after = inhibition.with_source(each, known, alert)
            if after != known:
                rows.put_sources(name, [asdict(source) for source in after])
        return found

    def must_wait(self, rows: AlertLifeRows, alert: Alert, record: KeptRecord, now: Micros) -> bool:
        """Whether an alert waits for its group's message, where it is kept from now on."""
        grouping = self._policy.grouping_of(alert)
        if grouping is None:
            return False
        name = named(alert_groups.group_name(grouping, alert))
        if rows.has_member(GROUP, name, alert.alert_id):
            return True
        group, at_once = alert_groups.joined(_group(rows, name), grouping, now)
        _put_group(rows, name, group)
        if not at_once:
            rows.add_member(GROUP, name, alert.alert_id, record, {"arrived": now})
        return not at_once

    def watch(self, rows: AlertLifeRows, alert: Alert, record: KeptRecord, now: Micros) -> None:
        """Begin to wait for somebody to take care of an alert that is told now."""
        due = step_due(self._policy.escalation_of(alert), 0, now)
        name = named(alert.alert_id)
        if due is not None and rows.get(ESCALATION, name) is None:
            rows.put(ESCALATION, name, {"first_at": now, "step": 0, "record": record_body(record)}, due)

    def collect(
        self, rows: AlertLifeRows, alert: Alert, record: KeptRecord, recipient: tuple[str, str], now: Micros
    ) -> None:
        """Keep a late alert for a recipient's digest."""
        name = named("\n".join(recipient))
        if not rows.has_member(DIGEST, name, alert.alert_id):
            rows.add_member(DIGEST, name, alert.alert_id, record, {})
        if rows.get(DIGEST, name) is None:
            rows.put(DIGEST, name, {"recipient": list(recipient)}, now + round(self._digest_s * MICROS_PER_S))

    @property
    def has_digest(self) -> bool:
        """Whether late alerts are told at all."""
        return self._digest_s > 0

    # -- what is due

    def due(self, rows: AlertLifeRows, decode: Decode, now: Micros) -> DueMessages:
        """What is to be told now. The rows go on as if it were told.

        Raises:
            Unavailable: the registry does not answer.
        """
        found = DueMessages()
        for due in rows.due(now):
            if due.kind == GROUP:
                self._group_due(rows, due, decode, now, found)
            elif due.kind == ESCALATION:
                self._escalation_due(rows, due, decode, now, found)
            else:
                self._digest_due(rows, due, decode, now, found)
        return found

    def _group_due(self, rows: AlertLifeRows, due: Due, decode: Decode, now: Micros, found: DueMessages) -> None:
        group = _group(rows, due.name)
        members = rows.take_members(GROUP, due.name)
        if group is None or not members:
            rows.drop(GROUP, due.name)
            return
        _put_group(rows, due.name, alert_groups.told_at(group, now))
        parts_of: dict[tuple[str, str], tuple[Action, list[Part]]] = {}
        for record, body in members:
            alert = decode(record)
            if alert is None:
                continue
            silence = self.actions.silence_of(alert, now)
            if silence is not None:
                found.silenced.append((Told.plainly(alert, record), silence))
                continue
            part = Part(alert.alert_id, alert, record)
            # what it waited on purpose does not make it late
            if now - max(0, due.at - body["arrived"]) > fresh_until(alert, self._freshness_s):
                found.late.append(Told.plainly(alert, record))
                continue
            for recipient, action in self._recipients(alert):
                parts_of.setdefault(recipient, (action, []))[1].append(part)
        for recipient, (action, parts) in parts_of.items():
            told = alert_groups.in_one_message(parts, action, lasting_s=self._freshness_s, now=now)
            found.told.append((told, recipient))

    def _escalation_due(self, rows: AlertLifeRows, due: Due, decode: Decode, now: Micros, found: DueMessages) -> None:
        state = rows.get(ESCALATION, due.name)
        rows.drop(ESCALATION, due.name)
        if state is None:
            return
        record = record_of(state["record"])
        alert = decode(record)
        if alert is None or self.actions.is_taken_care_of(alert.alert_id):
            return
        escalation = self._policy.escalation_of(alert)
        step, first_at = state["step"], state["first_at"]
        if escalation is None or step >= len(escalation.steps):
            return
        told = escalated(escalation, step, alert, record, now=now, lasting_s=self._freshness_s)
        silence = self.actions.silence_of(alert, now)
        if silence is not None:
            found.silenced.append((told, silence))
        elif is_too_late(due.at, now, self._freshness_s):
            found.late.append(told)
        else:
            found.told.append((told, None))
        after = step_due(escalation, step + 1, first_at)
        if after is not None:
            rows.put(ESCALATION, due.name, {**state, "step": step + 1}, after)

    def _digest_due(self, rows: AlertLifeRows, due: Due, decode: Decode, now: Micros, found: DueMessages) -> None:
        state = rows.get(DIGEST, due.name)
        rows.drop(DIGEST, due.name)
        members = rows.take_members(DIGEST, due.name)
        if state is None or not members:
            return
        recipient = (state["recipient"][0], state["recipient"][1])
        alerts = [alert for record, _ in members if (alert := decode(record)) is not None]
        actions = [action for alert in alerts for who, action in self._recipients(alert) if who == recipient]
        if actions:
            told = digest(alerts, actions[-1], "\n".join(recipient), now=now, lasting_s=self._freshness_s)
            found.told.append((told, recipient))

    def _recipients(self, alert: Alert) -> list[tuple[tuple[str, str], Action]]:
        """Channel and identity of each recipient whom an alert's actions name, with the first action that does."""
        found: dict[tuple[str, str], Action] = {}
        for action in alert.actions:
            if isinstance(self._channels.get(action.type), AtMostOnce):
                continue
            try:
                addressed = addresses(action, self._channels, self._environment)
            except ConfigError:
                continue
            for address in addressed:
                found.setdefault((action.type, address.identity), action)
        return list(found.items())


def _group(rows: AlertLifeRows, name: bytes) -> alert_groups.Group | None:
    state = rows.get(GROUP, name)
    return None if state is None else alert_groups.Group(state["due"], state["quiet_until"], state["interval"])


def _put_group(rows: AlertLifeRows, name: bytes, group: alert_groups.Group) -> None:
    rows.put(GROUP, name, asdict(group), group.next_at)
