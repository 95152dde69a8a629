"""One stage of the correlations in the alerts role: records of a run in, alerts and records of the next stage out.

What fires is decided by `alert_rules.correlations`; docs/correlations.md tells which stage does what. A stage that no
rule needs reads and writes nothing.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from agents.decisions.stage_records import (
    INPUTS,
    last_passed,
    partition_of,
    passed_outputs,
    read_record,
    rekeyed_output,
    sources_of,
)
from alert_rules.alerts import alert_key
from alert_rules.book import RuleBook
from alert_rules.correlations.driver import Correlator, Input, Passed, Step
from alert_rules.correlations.plan import Plan
from alert_rules.correlations.rekeyed import Rekeyed
from alert_rules.correlations.store import WATERMARKS, admitted_key
from alert_rules.engine import Engine
from schemas.clock import MICROS_PER_S
from schemas.codec import EventCodec
from schemas.events import Alert, Sighting
from schemas.topics import ALERTS, DLQ
from streams.guard import DeadLetterGuard
from streams.retry import retrying
from streams.run import Output, Record, Run
from streams.table import RunTable
from tables.run_rows import RunRows
from telemetry import metrics

PASS_ON_EVERY_US = MICROS_PER_S
"""Event time between two words to the next stage: each goes to all of its partitions, from all of this one's."""
AT_ONCE = 50
"""Records between two looks at what else the worker has to do."""


@dataclass(slots=True)
class Decided:
    """What the records of a run led to.

    Attributes:
        changes: of the stage's table.
        passed_us: what the next stage is told with this run; None: nothing new.
        alerts, late, held_back, lost: to be counted when the run is finished.
    """

    changes: dict[bytes, bytes | None] = field(default_factory=dict)
    passed_us: int | None = None
    alerts: list[Alert] = field(default_factory=list)
    late: Counter[str] = field(default_factory=Counter)
    held_back: Counter[str] = field(default_factory=Counter)
    lost: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, step: Step) -> None:
        """Count a step."""
        self.alerts += step.alerts
        self.late.update(step.late)
        self.held_back.update(step.held_back)
        self.lost.update(step.lost)


class CorrelationStage:
    """A stage of the rules in force.

    Args:
        number: 0 reads sightings, the others what the stage before has sent.
        table: of this stage alone, partitioned like its input.
        book: rules and watchlists in force; a change of them counts from the next run on.
        codec: writes alerts.
        guard: keeps records that cannot be handled.
    """

    def __init__(self, number: int, table: RunTable, book: RuleBook, codec: EventCodec, guard: DeadLetterGuard) -> None:
        self.table = table
        self._number = number
        self._book = book
        self._codec = codec
        self._guard = guard
        self._engine: Engine | None = None
        self._plan = Plan(())
        self._correlators: dict[int, Correlator] = {}
        self._told_us: dict[int, int] = {}

    def is_needed(self) -> bool:
        """Whether any rule in force needs this stage."""
        engine = self._book.engine
        if engine is not self._engine:
            self._engine, self._plan, self._correlators = engine, Plan(engine.rules.enabled), {}
        return bool(self._plan.rules) and self._number < self._plan.stages

    async def decide(self, run: Run, inputs: Sequence[tuple[Record, Input]], outputs: list[Output]) -> Decided:
        """Work off records in the order of the log. Call it for a stage that `is_needed`; it waits for nobody.

        A record fails alone: what it led to is left out whole, and it becomes a dead letter.

        Args:
            run: in hand.
            inputs: its records with what they say.
            outputs: of the run; alerts, records for the next stage and dead letters are added.
        """
        partition = run.tp.partition
        correlator, is_last = self._correlator(partition), self._number + 1 == self._plan.stages
        rows, decided = RunRows(self.table, run), Decided()
        rows.prefetch(_first_keys(event for _, event in inputs))
        passed: list[Passed] = []
        for number, (record, event) in enumerate(inputs, 1):
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
            with self._guard.watch(record, outputs):
                step = correlator.step(rows, (event,))
                made = [self._alert(alert) for alert in step.alerts]
                if not is_last:
                    topic = INPUTS[self._number + 1]
                    made += [rekeyed_output(topic, each) for each in step.outputs if isinstance(each, Rekeyed)]
                    passed += [each for each in step.outputs if isinstance(each, Passed)]
                rows.apply(step.changes)
                outputs += made
                decided.add(step)
        # behind everything that the run has sent: what it says of the time is true there
        last = last_passed(passed)
        if last is not None and last.watermark_us - self._told_us.get(partition, -(1 << 62)) >= PASS_ON_EVERY_US:
            decided.passed_us = last.watermark_us
            outputs += passed_outputs(INPUTS[self._number + 1], partition, last)
        decided.changes = rows.changes
        return decided

    def note(self, run: Run, decided: Decided) -> None:
        """The run is finished: count what it led to."""
        if decided.passed_us is not None:
            self._told_us[run.tp.partition] = decided.passed_us
        for alert in decided.alerts:
            metrics.ALERTS.labels(alert.rule.id, alert.severity).inc()
        for rule_id, number in decided.held_back.items():
            metrics.ALERTS_SUPPRESSED.labels(rule_id).inc(number)
        for rule_id, number in decided.late.items():
            metrics.CORRELATION_LATE.labels(rule_id).inc(number)
        for (rule_id, what), number in decided.lost.items():
            metrics.CORRELATION_LOST.labels(rule_id, what).inc(number)

    def _correlator(self, partition: int) -> Correlator:
        made = self._correlators.get(partition)
        if made is None:
            count = INPUTS[self._number].partitions
            made = self._correlators[partition] = Correlator(
                self._plan, self._book.watchlists, self._number, sources_of(self._number),
                lambda group: partition_of(group, count) == partition,
            )  # fmt: skip
        return made

    def _alert(self, alert: Alert) -> Output:
        return Output(ALERTS.name, alert_key(alert), self._codec.encode(ALERTS, alert))


class StageReader:
    """Works off the runs of a re-keyed topic.

    Args:
        stage: that reads it.
        codec: of the alerts.
        guard: keeps what is no record of a stage.
    """

    def __init__(self, stage: CorrelationStage, codec: EventCodec, guard: DeadLetterGuard) -> None:
        self._stage = stage
        self._codec = codec
        self._guard = guard

    async def handle(self, run: Run) -> None:
        """Raise the alerts of a run's records. Where no rule needs the stage any more, they are passed over."""
        if not self._stage.is_needed():
            await run.finish()
            return
        inputs, outputs = await retrying(lambda: self._read(run), run=run, what="schema registry")
        decided = await self._stage.decide(run, inputs, outputs)
        if await run.finish({self._stage.table: decided.changes}, outputs):
            self._stage.note(run, decided)

    async def _read(self, run: Run) -> tuple[list[tuple[Record, Input]], list[Output]]:
        self._codec.prepare(ALERTS, DLQ)
        inputs: list[tuple[Record, Input]] = []
        read, letters = self._guard.decode_run(run, read_record)
        inputs += read
        return inputs, letters


def _first_keys(events: Iterable[Input]) -> Iterable[bytes]:
    yield WATERMARKS
    for event in events:
        if isinstance(event, Sighting):
            yield admitted_key(event.captured_at, event.event_id)
