"""A group of a correlation: its state, and what becomes of it with events and time.

The one place that knows in which order an operator is called. Values in, values out.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from alert_rules.correlations import realert
from alert_rules.correlations.alert import firing_alert, silence_key
from alert_rules.correlations.event import Plain, Seen
from alert_rules.correlations.operator import Emit, Lost, Result
from alert_rules.correlations.plan import AMEND, Part
from alert_rules.correlations.realert import Realert, Silence
from schemas.events import Alert

MAX_LOG = 1_000
"""Decided events that an amending group keeps; with more, the oldest can no longer be amended."""
MAX_TIMERS = 10_000
"""Timers that one step of time may bring in a group: an operator that asks for more has a mistake."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a group gave.

    Attributes:
        alerts: in order.
        emits: for the rule's next operator.
        held_back: firings within a suppression.
        lost: what did not count because of a bound, by name.
    """

    alerts: tuple[Alert, ...] = ()
    emits: tuple[Emit, ...] = ()
    held_back: int = 0
    lost: tuple[Lost, ...] = ()


@dataclass(frozen=True, slots=True)
class Life:
    """An operator's state with the silences after its alerts: what decides about the group's future.

    Attributes:
        state: the operator's.
        silences: by key of the suppression.
    """

    state: object
    silences: dict[str, Silence] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """A group with what a later amendment needs.

    Attributes:
        life: as of the time that was decided on.
        base: as of the events before `log`.
        log: decided events that may still be amended, in order, also those that are gone; only with ``late: amend``.
        raised: ids of alerts with their times, as far back as the log.
    """

    life: Life
    base: Life
    log: tuple[Seen, ...] = ()
    raised: tuple[tuple[int, str], ...] = ()


def new_group(part: Part) -> Group:
    """A group that nothing is known of."""
    life = Life(part.operator.start())
    return Group(life, life)


def seeded_group(part: Part, group: str, now_us: int) -> Group:
    """A group that is expected from the time on at which its rule took effect."""
    life = Life(part.operator.seed(group, now_us))  # type: ignore[attr-defined]  # asked of seeded operators only
    return Group(life, life)


def pass_time(part: Part, name: str, group: Group, events: Iterable[Seen], until_us: int) -> tuple[Group, Outcome]:
    """Process events, and time up to and including `until_us`.

    Args:
        part: operator and rule.
        name: of the group.
        group: before.
        events: new ones, in order, none after `until_us`.
        until_us: from then on nothing has been decided yet.
    """
    events = tuple(events)
    life, outcome = _run(part, name, group.life, events, until_us)
    if part.correlation.late.policy != AMEND:
        return Group(life, life), outcome
    raised = (*group.raised, *((alert.fired_at, alert.alert_id) for alert in outcome.alerts))
    kept = replace(group, life=life, log=(*group.log, *events), raised=raised)
    return _compact(part, name, kept, until_us), outcome


def amend(part: Part, name: str, group: Group, late: Seen, until_us: int) -> tuple[Group, Outcome] | None:
    """Decide the logged time again with an event that came late, or that is gone.

    Only alerts that were not raised before come out.

    Returns:
        None where the event is older than what can be amended.
    """
    if late.at_us <= until_us - part.correlation.late.up_to_us:
        return None
    known = {event.event_id: event for event in group.log}
    before = known.get(late.event_id)
    if before is not None and before.sighting.revision >= late.sighting.revision:
        return group, Outcome()
    if len(group.log) >= MAX_LOG and late.order < group.log[0].order:
        return None
    known[late.event_id] = late
    return _again(part, name, group, known.values(), until_us)


def _again(part: Part, name: str, group: Group, log: Iterable[Seen], until_us: int) -> tuple[Group, Outcome]:
    events = tuple(sorted(log, key=lambda event: event.order))
    life, outcome = _run(part, name, group.base, events, until_us)
    ids = {alert_id for _, alert_id in group.raised}
    added = tuple(alert for alert in outcome.alerts if alert.alert_id not in ids)
    raised = (*group.raised, *((alert.fired_at, alert.alert_id) for alert in added))
    kept = Group(life, group.base, events, raised)
    # what was held back or lost was counted when it was decided for the first time
    return _compact(part, name, kept, until_us), Outcome(added, outcome.emits)


def _compact(part: Part, name: str, group: Group, until_us: int) -> Group:
    """Move the base up to where nothing can be amended any more."""
    edge_us = until_us - part.correlation.late.up_to_us
    old = [event for event in group.log if event.at_us <= edge_us]
    if len(group.log) - len(old) > MAX_LOG:
        old = list(group.log[:-MAX_LOG])
        edge_us = old[-1].at_us
    base, _ = _run(part, name, group.base, old, edge_us)
    raised = tuple(pair for pair in group.raised if pair[0] > edge_us)
    return replace(group, base=base, log=group.log[len(old) :], raised=raised)


def _run(part: Part, name: str, life: Life, events: Iterable[Seen], until_us: int) -> tuple[Life, Outcome]:
    operator, state = part.operator, life.state
    results: list[Result] = []

    def let_pass(before_us: int) -> None:
        nonlocal state
        for _ in range(MAX_TIMERS):
            timer_us = operator.next_timer_us(state)
            if timer_us is None or timer_us >= before_us:
                return
            state, fired = operator.on_time(state, timer_us)
            results.extend(fired)
        results.append(Lost("timers"))
        state = operator.start()

    for event in events:
        if event.gone:
            continue
        let_pass(event.at_us)
        state = _kept(part, state, event.at_us)
        state, fired = operator.on_event(state, event)
        results.extend(fired)
    let_pass(until_us + 1)
    return _settle(part, name, Life(_kept(part, state, until_us), life.silences), results, until_us)


def _kept(part: Part, state: object, now_us: int) -> object:
    """The state, or a new one where its time is over: here, so that it does not matter when somebody looks."""
    keep_us = part.operator.keep_until_us(state)
    return state if keep_us is not None and keep_us >= now_us else part.operator.start()


def _settle(part: Part, name: str, life: Life, results: Iterable[Result], until_us: int) -> tuple[Life, Outcome]:
    """Firings to alerts, by the rule's suppression."""
    silence = _realert(part) if part.rule.suppress is not None else None
    silences = dict(life.silences)
    alerts: list[Alert] = []
    emits: list[Emit] = []
    lost: list[Lost] = []
    held_back = 0
    for result in results:
        if isinstance(result, Emit):
            emits.append(result)
        elif isinstance(result, Lost):
            lost.append(result)
        else:
            suppressed: int | None = 0
            if silence is not None:
                key = silence_key(part.rule, result)
                silences[key], suppressed = silence.decide(silences.get(key), result.at_us)
            if suppressed is None:
                held_back += 1
            else:
                alerts.append(firing_alert(part, name, result, suppressed))
    if silence is not None:
        silences = realert.bounded({key: each for key, each in silences.items() if silence.over_us(each) >= until_us})
    return Life(life.state, silences), Outcome(tuple(alerts), tuple(emits), held_back, tuple(lost))


def wake_us(part: Part, group: Group) -> int | None:
    """When time must pass for the group again, though nothing comes; None where it can be forgotten.

    Args:
        part: operator and rule.
        group: as `pass_time` left it: what is over by then is gone from it.
    """
    operator, life = part.operator, group.life
    kept = [operator.keep_until_us(life.state)]
    kept += [_realert(part).over_us(silence) for silence in life.silences.values()] if part.rule.suppress else []
    kept += [group.log[-1].at_us + part.correlation.late.up_to_us] if group.log else []
    times = [time + 1 for time in kept if time is not None]  # kept up to and including its time
    timer_us = operator.next_timer_us(life.state)
    return min([*times, *([timer_us] if timer_us is not None else [])], default=None)


def _realert(part: Part) -> Realert:
    suppress = part.rule.suppress
    assert suppress is not None
    return Realert(suppress.for_us, suppress.max_us)


def dump(part: Part, group: Group) -> Plain:
    """A group in plain values."""
    body: dict[str, Plain] = {"s": part.operator.dump(group.life.state), "q": realert.dump(group.life.silences)}
    if part.correlation.late.policy == AMEND:
        body["b"] = [part.operator.dump(group.base.state), realert.dump(group.base.silences)]
        body["l"] = [event.encode() for event in group.log]
        body["f"] = [list(pair) for pair in group.raised]
    return body


def load(part: Part, body: Plain) -> Group:
    """A group from plain values."""
    life = Life(part.operator.load(body["s"]), realert.load(body["q"]))
    if "b" not in body:
        return Group(life, life)
    state, silences = body["b"]
    return Group(
        life,
        Life(part.operator.load(state), realert.load(silences)),
        tuple(Seen.decode(event) for event in body["l"]),
        tuple((at_us, alert_id) for at_us, alert_id in body["f"]),
    )
