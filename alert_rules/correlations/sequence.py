"""sequence: A, then B, then C, in the vocabulary of Flink CEP.

A run is a match that has begun. Each event is offered to the runs in the order in which they began, then may begin a
run itself. A run takes an event for its next step as soon as the present step has enough of them, so loops are
reluctant (Flink: not greedy), and the last step ends the match as soon as it has enough.

Contiguity as in Flink's documentation ("FlinkCEP - Complex event processing", Combining patterns):

- ``next``: the very next event of the group must fit, else the run ends;
- ``followed_by``: events that do not fit are passed over, the first that fits is taken;
- ``followed_by_any``: as before, and the run also goes on without the event it took;
- ``not`` between two steps: an event that fits it ends the run, also where it would fit the next step;
- ``not`` after the last step: the match is complete when the time is over and no such event came.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from alert_rules.correlations.bound import span
from alert_rules.correlations.event import Mention, Plain, Seen
from alert_rules.correlations.operator import Firing, Lost, Result, shorten
from schemas.events import ConditionProof

MAX_RUNS = 64
"""Runs of a group at once. When one more begins, the oldest goes, and is counted as lost."""
MAX_STEPS = 16
MAX_TIMES = 100
NEXT, FOLLOWED_BY, FOLLOWED_BY_ANY = "next", "followed_by", "followed_by_any"
CONTIGUITY = (FOLLOWED_BY, NEXT, FOLLOWED_BY_ANY)
NO_SKIP, PAST_LAST, TO_NEXT = "no_skip", "past_last", "to_next"
SKIPS = (PAST_LAST, NO_SKIP, TO_NEXT)


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the sequence.

    Attributes:
        tag: number of the condition that an event must fulfil.
        least, most: how often; least 0 makes it optional.
        forbidden: conditions of which none may come between the step before and this one.
        within_us: time since the step before; None for no bound of its own.
    """

    name: str
    tag: int
    least: int = 1
    most: int = 1
    contiguity: str = FOLLOWED_BY
    forbidden: tuple[int, ...] = ()
    within_us: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A match that has begun.

    Attributes:
        step: the step that it is in.
        taken: how many events this step has.
        mentions: (number of the step, event), in order; the first is where the run began.
        last: the event it took last, for the alert.
    """

    step: int
    taken: int
    mentions: tuple[tuple[int, Mention], ...]
    last: Seen

    @property
    def began(self) -> Mention:
        """The run's first event."""
        return self.mentions[0][1]


Runs = tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Sequence:
    """See the module.

    Attributes:
        within_us: from the first event to the last.
        after_match: ``past_last``: other runs that have begun end; ``to_next``: those that began with the same event;
            ``no_skip``: all go on.
        trailing: conditions that must not come after the last step until the time is over.
    """

    steps: tuple[Step, ...]
    within_us: int
    after_match: str = PAST_LAST
    trailing: tuple[int, ...] = ()

    def start(self) -> Runs:
        """No runs."""
        return ()

    def on_event(self, state: Runs, event: Seen) -> tuple[Runs, Iterable[Result]]:
        """Offer the event to every run, then begin one with it."""
        runs: list[Run] = []
        complete: list[Run] = []
        for run in state:
            if event.at_us - run.began.at_us > self.within_us:
                continue
            for after in self._advance(run, event):
                (complete if self._is_complete(after) else runs).append(after)
        for begun in self._begin(event):
            (complete if self._is_complete(begun) else runs).append(begun)
        results: list[Result] = []
        while complete:
            run = complete.pop(0)
            results.append(self._fire(run, event.at_us))
            complete, runs = self._skip(complete, run), self._skip(runs, run)
        if len(runs) > MAX_RUNS:
            results.append(Lost("runs", len(runs) - MAX_RUNS))
            runs = runs[-MAX_RUNS:]
        return tuple(runs), results

    def on_time(self, state: Runs, now_us: int) -> tuple[Runs, Iterable[Result]]:
        """Runs whose time is over: they end, and with a ``not`` after the last step that completes them."""
        over = [run for run in state if run.began.at_us + self.within_us <= now_us]
        runs = [run for run in state if run not in over]
        complete = [run for run in over if self._waits_for_silence(run)]
        results: list[Result] = []
        while complete:
            run = complete.pop(0)
            results.append(self._fire(run, now_us, on_time=True))
            complete, runs = self._skip(complete, run), self._skip(runs, run)
        return tuple(runs), results

    def next_timer_us(self, state: Runs) -> int | None:
        """The end of the first run's time, where that can complete one."""
        if not self.trailing:
            return None
        return min((run.began.at_us + self.within_us for run in state), default=None)

    def keep_until_us(self, state: Runs) -> int | None:
        """Until the last run's time is over."""
        return max((run.began.at_us + self.within_us for run in state), default=None)

    def _advance(self, run: Run, event: Seen) -> Iterator[Run]:
        """What becomes of a run with an event: nothing, itself, or one or two runs."""
        if self._waits_for_silence(run):
            if not set(self.trailing) & set(event.tags):
                yield run
            return
        here = self.steps[run.step]
        # the next step first: loops are reluctant
        for number in self._reachable(run):
            step = self.steps[number]
            if set(step.forbidden) & set(event.tags):
                return
            late = step.within_us is not None and event.at_us - run.mentions[-1][1].at_us > step.within_us
            if step.tag in event.tags and not late:
                yield Run(number, 1, (*run.mentions, (number, event.mention)), event)
                if step.contiguity == FOLLOWED_BY_ANY:
                    yield run
                return
        if run.taken < here.most and here.tag in event.tags:
            yield replace(run, taken=run.taken + 1, mentions=(*run.mentions, (run.step, event.mention)), last=event)
            return
        strict = any(self.steps[number].contiguity == NEXT for number in self._reachable(run)) or (
            run.taken < here.least and here.contiguity == NEXT
        )
        if not strict:
            yield run

    def _reachable(self, run: Run) -> list[int]:
        """Steps that may come next: the following one, and those behind steps that are optional."""
        if run.taken < self.steps[run.step].least:
            return []
        found = []
        for number in range(run.step + 1, len(self.steps)):
            found.append(number)
            if self.steps[number].least > 0:
                break
        return found

    def _begin(self, event: Seen) -> Iterator[Run]:
        for number, step in enumerate(self.steps):
            if step.tag in event.tags:
                yield Run(number, 1, ((number, event.mention),), event)
                return
            if step.least > 0:
                return

    def _ended(self, run: Run) -> bool:
        """Whether all steps have enough."""
        if run.taken < self.steps[run.step].least:
            return False
        return all(step.least == 0 for step in self.steps[run.step + 1 :])

    def _is_complete(self, run: Run) -> bool:
        return not self.trailing and self._ended(run)

    def _waits_for_silence(self, run: Run) -> bool:
        return bool(self.trailing) and self._ended(run)

    def _skip(self, runs: list[Run], matched: Run) -> list[Run]:
        if self.after_match == NO_SKIP:
            return runs
        if self.after_match == TO_NEXT:
            return [run for run in runs if run.began != matched.began]
        return [run for run in runs if run.began > matched.mentions[-1][1]]

    def _fire(self, run: Run, at_us: int, on_time: bool = False) -> Firing:
        mentions = tuple(mention for _, mention in run.mentions)
        took = span(mentions[-1].at_us - mentions[0].at_us)
        names = [self.steps[number].name for number, _ in run.mentions]
        steps = " > ".join(names[:10]) + (" ..." if len(names) > 10 else "")
        proof = ConditionProof("sequence", "within", self.describe(), f"{steps} in {took}")
        trigger = ">".join(mention.event_id for mention in mentions)  # matches may have all but one event in common
        values = {"count": len(mentions), "first_at": mentions[0].at_us, "duration": took, "steps": steps}
        return Firing(at_us, trigger, run.last, shorten(mentions), (proof,), values, on_time, len(mentions))

    def dump(self, state: Runs) -> Plain:
        """Lists."""
        return [
            [run.step, run.taken, [[number, *mention] for number, mention in run.mentions], run.last.encode()]
            for run in state
        ]

    def load(self, plain: Plain) -> Runs:
        """From lists."""
        return tuple(
            Run(step, taken, tuple((number, Mention(at, event)) for number, at, event in mentions), Seen.decode(last))
            for step, taken, mentions, last in plain
        )

    def words(self, state: Runs) -> str:
        """Where the runs are."""
        if not state:
            return "no run has begun"
        return f"{len(state)} runs: " + ", ".join(f"in '{self.steps[run.step].name}'" for run in state[:5])

    def describe(self) -> str:
        """Such as ``in > out within 1h``."""
        names = " > ".join(step.name for step in self.steps) + (" > silence" if self.trailing else "")
        return f"{names} within {span(self.within_us)}"

    def canonical(self) -> Plain:
        """All but the steps' names."""
        steps = [
            [step.tag, step.least, step.most, step.contiguity, list(step.forbidden), step.within_us]
            for step in self.steps
        ]
        return ["sequence", steps, self.within_us, self.after_match, list(self.trailing)]
