"""One partition of one stage of the correlations: records of its log in, alerts and changes of its table out.

Stage 0 takes sightings by plate. A rule whose group is the plate is decided there; of the others stage 0 only finds
the events and sends each on under its group (`Rekeyed`), to the stage that has all of a group in one partition. Time
comes by the log alone, as ticks; what a stage has decided up to is passed on behind what it has sent (`Passed`), so
that the next stage knows the same.

Nothing here depends on where one call ends and the next begins, nor on the order of events between two ticks.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from alert_rules.correlations import group as groups
from alert_rules.correlations.admission import Admission
from alert_rules.correlations.event import Seen
from alert_rules.correlations.group import Outcome
from alert_rules.correlations.operator import FOREVER_US
from alert_rules.correlations.plan import AMEND, Part, Plan
from alert_rules.correlations.rekeyed import Rekeyed
from alert_rules.correlations.store import (
    ADMITTED,
    DUE,
    WATERMARKS,
    OrderedStore,
    Working,
    admitted_key,
    between,
    due_key,
    parted,
    slot_of,
    state_key,
    time_of,
    waiting_row,
)
from alert_rules.correlations.watermarks import PartitionTime
from alert_rules.watchlists import Watchlists
from schemas.clock import MICROS_PER_S
from schemas.events import Alert, Sighting

KEEP_ADMITTED_US = 86_400 * MICROS_PER_S
"""How long a later revision finds where its event has been admitted to."""
MAX_DUE = 5_000
"""Events that are taken at once; with more, time passes in steps."""
FORGET_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Tick:
    """A source says up to when (inclusive) nothing more will come from it.

    Attributes:
        source: name of the partition that it speaks for.
    """

    source: str
    watermark_us: int


@dataclass(frozen=True, slots=True)
class Passed:
    """This partition has decided up to a time: a tick for every partition of the next stage."""

    watermark_us: int


Input = Sighting | Rekeyed | Tick


@dataclass(slots=True)
class Step:
    """What some records of the log led to.

    Attributes:
        alerts: in the order in which they were decided.
        outputs: for the next stage, in this order.
        changes: of the table; None deletes.
        late: events that came too late, by rule id.
        held_back: firings within a suppression, by rule id.
        lost: what did not count because of a bound, by (rule id, name).
    """

    alerts: list[Alert] = field(default_factory=list)
    outputs: list[Rekeyed | Passed] = field(default_factory=list)
    changes: dict[bytes, bytes | None] = field(default_factory=dict)
    late: Counter[str] = field(default_factory=Counter)
    held_back: Counter[str] = field(default_factory=Counter)
    lost: Counter[tuple[str, str]] = field(default_factory=Counter)


class Correlator:
    """Decides the correlations of one partition.

    Args:
        plan: the rules in force.
        watchlists: for stage 0.
        stage: which.
        sources: how many partitions speak for the input's time.
        owns: whether a record's key belongs to this partition: in stage 0 a plate, else a group.
    """

    def __init__(
        self,
        plan: Plan,
        watchlists: Watchlists,
        stage: int = 0,
        sources: int = 1,
        owns: Callable[[str], bool] = lambda _group: True,
    ) -> None:
        self._plan = plan
        self._admission = Admission(plan, watchlists)
        self._stage = stage
        self._sources = sources
        self._seeds = [
            (part, group) for part in plan.of_stage(stage) for group in _seeds(part) if owns(_key_of(part, group))
        ]

    def step(self, store: OrderedStore, inputs: Iterable[Input]) -> Step:
        """Take records of the log, in its order.

        Args:
            store: of the partition, with the changes of earlier steps.
            inputs: any number of records; where a step ends changes nothing.
        """
        work = Working(store)
        step = Step(changes=work.changes)
        for each in inputs:
            if isinstance(each, Tick):
                self._tick(work, each, step)
            elif isinstance(each, Rekeyed):
                self._take_rekeyed(work, each, step)
            else:
                self._take_sighting(work, each, step)
        return step

    def watermark_us(self, store: OrderedStore) -> int | None:
        """Up to when this partition has decided."""
        return _time_of_partition(Working(store)).decided_us

    def explain(self, store: OrderedStore, rule_id: str, group: str) -> str:
        """What a group's state is, in words; those of a rule's later operators have other groups."""
        lines = []
        for part in self._plan.of_stage(self._stage):
            if part.rule.id == rule_id and part.number == 0:
                row = Working(store).get(state_key(part.slot(group)))
                life = groups.load(part, row["v"]).life if row is not None else groups.new_group(part).life
                lines.append(f"{part.operator.describe()}: {part.operator.words(life.state)}")
        return "; ".join(lines)

    # taking events in

    def _take_sighting(self, work: Working, sighting: Sighting, step: Step) -> None:
        key = admitted_key(sighting.captured_at, sighting.event_id)
        row = work.get(key) or {"rev": 0, "to": []}
        if row["rev"] >= sighting.revision:
            return
        admitted = {(each.part.rule.id, each.group): each for each in self._admission.admit(sighting)}
        before = [(rule_id, group) for rule_id, group in row["to"]]
        if not admitted and not before:
            return
        for rule_id, group in before:
            part = self._plan.part(rule_id, 0)
            if part is not None and (rule_id, group) not in admitted:
                self._take_or_send(work, part, group, Seen(sighting, gone=True), step)
        for place, each in admitted.items():
            self._take_or_send(work, each.part, each.group, each.event, step, known=place in before)
        forgotten_us = _time_of_partition(work).forgotten_us
        if forgotten_us is None or sighting.captured_at > forgotten_us:
            work.put(key, {"rev": sighting.revision, "to": sorted(admitted)})

    def _take_or_send(
        self, work: Working, part: Part, group: str, event: Seen, step: Step, *, known: bool = False
    ) -> None:
        if part.stage == self._stage:
            self._take(work, part, group, event, step, known=known)
        else:
            step.outputs.append(Rekeyed(part.rule.id, part.number, part.meaning, group, event))

    def _take_rekeyed(self, work: Working, each: Rekeyed, step: Step) -> None:
        part = self._plan.part(each.rule_id, each.number)
        if part is not None and part.meaning == each.meaning and part.stage == self._stage:
            self._take(work, part, each.group, each.event, step)

    def _take(self, work: Working, part: Part, group: str, event: Seen, step: Step, *, known: bool = False) -> None:
        """Let an event wait for its time, or deal with it where that is over."""
        slot = part.slot(group)
        decided_us = _time_of_partition(work).decided_us
        if decided_us is not None and event.at_us <= decided_us:
            self._late(work, part, group, event, decided_us, step, known=known)
            return
        key = due_key(event.at_us, slot, event.event_id)
        waiting = work.get(key)
        if waiting is None or waiting["e"]["rev"] <= event.sighting.revision:
            work.put_text(key, waiting_row(part.rule.id, part.number, group, event))

    def _late(
        self, work: Working, part: Part, group: str, event: Seen, decided_us: int, step: Step, *, known: bool
    ) -> None:
        """An event whose time has been decided on; one that is known or gone is not counted as late."""
        uncounted = known or event.gone
        if part.correlation.late.policy != AMEND:
            step.late[part.rule.id] += not uncounted
            return
        row = work.get(state_key(part.slot(group)))
        before = groups.load(part, row["v"]) if row is not None else groups.new_group(part)
        amended = groups.amend(part, group, before, Seen.decode(event.encode()), decided_us)
        if amended is None:
            step.late[part.rule.id] += not uncounted
            return
        self._keep(work, part, group, row, amended[0])
        self._give(part, amended[1], step)

    # time

    def _tick(self, work: Working, tick: Tick, step: Step) -> None:
        before = _time_of_partition(work)
        marks = before.marks.observe(tick.source, tick.watermark_us)
        if marks is before.marks:
            return
        least = marks.least(self._sources)
        if least is None or least == before.decided_us:
            _set_time(work, PartitionTime(marks, before.decided_us, before.forgotten_us))
            return
        # what is decided while time passes must see the new time: nothing may begin to wait for what is over
        _set_time(work, PartitionTime(marks, least, before.forgotten_us))
        self._seed(work, least)
        for until_us, rows in _due(work, before.decided_us, least):
            self._pass_time(work, rows, until_us, step)
        forgotten_us = _forget(work, before.forgotten_us, least - KEEP_ADMITTED_US)
        _set_time(work, PartitionTime(marks, least, forgotten_us))
        step.outputs.append(Passed(least))

    def _seed(self, work: Working, now_us: int) -> None:
        """Give the groups that are expected a state, once."""
        work.prefetch(state_key(part.slot(group)) for part, group in self._seeds)
        for part, group in self._seeds:
            if work.get(state_key(part.slot(group))) is None:
                self._keep(work, part, group, None, groups.seeded_group(part, group, now_us))

    def _pass_time(self, work: Working, rows: list[tuple[bytes, str]], until_us: int, step: Step) -> None:
        touched: dict[bytes, tuple[dict[str, object], list[Seen]]] = {}
        parsed: dict[str, Seen] = {}  # the rows of one sighting, for many rules, are mostly one text
        for key, value in rows:
            work.delete(key)
            row, text = parted(value)
            _, events = touched.setdefault(slot_of(key), (row, []))
            if text is not None:
                if text not in parsed:
                    parsed[text] = Seen.parse(text)
                events.append(parsed[text])
        work.prefetch(state_key(slot) for slot in touched)
        for slot, (row, events) in touched.items():
            group = str(row["g"])
            part = self._plan.part(str(row["r"]), int(str(row["n"])))
            if part is None or part.slot(group) != slot:
                work.delete(state_key(slot))  # the rule is gone, or counts something else now
                continue
            state = work.get(state_key(slot))
            before = groups.load(part, state["v"]) if state is not None else groups.new_group(part)
            after, outcome = groups.pass_time(part, group, before, events, until_us)
            self._keep(work, part, group, state, after)
            self._give(part, outcome, step)

    def _keep(self, work: Working, part: Part, group: str, row: dict[str, object] | None, after: groups.Group) -> None:
        slot = part.slot(group)
        old = row["t"] if row is not None else None
        wake = groups.wake_us(part, after)
        if isinstance(old, int) and old != wake:
            work.delete(due_key(old, slot))
        if wake is None:
            if row is not None:
                work.delete(state_key(slot))
            return
        timer = wake if wake < FOREVER_US else None
        if timer is not None:
            work.put_text(due_key(timer, slot), waiting_row(part.rule.id, part.number, group))
        work.put(state_key(slot), {"t": timer, "v": groups.dump(part, after)})

    def _give(self, part: Part, outcome: Outcome, step: Step) -> None:
        step.alerts += outcome.alerts
        step.held_back[part.rule.id] += outcome.held_back
        for lost in outcome.lost:
            step.lost[part.rule.id, lost.what] += lost.number
        following = self._plan.part(part.rule.id, part.number + 1)
        for emit in outcome.emits:
            assert following is not None
            step.outputs.append(Rekeyed(part.rule.id, following.number, following.meaning, emit.group, emit.event))


def _time_of_partition(work: Working) -> PartitionTime:
    """How far the partition is; asked for each event, so decoded once."""
    if work.time is None:
        work.time = PartitionTime.decode(work.get(WATERMARKS))
    return work.time


def _set_time(work: Working, time: PartitionTime) -> None:
    work.time = time
    work.put(WATERMARKS, time.encode())


def _forget(work: Working, after_us: int | None, until_us: int) -> int:
    """Delete old admissions, a bounded number at once.

    Returns:
        Up to when there are none any more.
    """
    rows = work.scan(*between(ADMITTED, after_us, until_us), FORGET_AT_ONCE)
    for key, _ in rows:
        work.delete(key)
    return until_us if len(rows) < FORGET_AT_ONCE else time_of(rows[-1][0]) - 1


def _due(work: Working, after_us: int | None, watermark_us: int) -> Iterator[tuple[int, list[tuple[bytes, str]]]]:
    """What is due, in steps of time of `MAX_DUE` rows at most."""
    while True:
        rows = work.scan(*between(DUE, after_us, watermark_us), MAX_DUE)
        if len(rows) < MAX_DUE:
            yield watermark_us, rows
            return
        edge_us = time_of(rows[-1][0])
        earlier = [row for row in rows if time_of(row[0]) < edge_us]
        if earlier:
            yield edge_us - 1, earlier
            after_us = edge_us - 1
        else:  # all of one instant: that is one step, however many they are
            yield edge_us, work.scan(*between(DUE, after_us, edge_us), 1 << 31)
            after_us = edge_us


def _key_of(part: Part, group: str) -> str:
    """The key under which the records of a group come: in stage 0 that of its plate."""
    fields, values = part.rule.group_by.fields, group.split("|")
    return values[fields.index(None)] if part.stage == 0 and len(values) == len(fields) else group


def _seeds(part: Part) -> tuple[str, ...]:
    groups_of = getattr(part.operator, "seeds", None)
    found: tuple[str, ...] = groups_of() if groups_of is not None else ()
    return found
