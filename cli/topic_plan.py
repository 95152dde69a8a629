"""What has to be done so that Kafka's topics are as the catalogue says. Pure: facts in, steps out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from schemas.topics import METRICS, NOTIFICATIONS, VEHICLES, Topic

TABLE_FREE = frozenset({VEHICLES.name, METRICS.name, NOTIFICATIONS.name})
"""Topics that no table is partitioned by: more partitions only move keys that nothing looks for."""


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic as it is.

    Attributes:
        partitions: how many.
        replicas: of each partition.
        config: settings by name; at least those that the catalogue sets.
        leaderless: partitions without a leader now.
    """

    partitions: int
    replicas: int
    config: Mapping[str, str] = field(default_factory=dict)
    leaderless: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """What has to be done about one topic.

    Attributes:
        topic: from the catalogue.
        action: create, alter (settings), grow (partitions), keep or refuse.
        partitions: that it shall have.
        config: settings to change: name to (is, shall be).
        reason: why it is refused, and what can be done.
    """

    topic: Topic
    action: str
    partitions: int
    config: Mapping[str, tuple[str | None, str]] = field(default_factory=dict)
    reason: str = ""


def plan(
    catalogue: Iterable[Topic], existing: Mapping[str, TopicState], partitions: Mapping[str, int] | None = None
) -> list[Step]:
    """The steps, one or more for each topic of the catalogue.

    Args:
        catalogue: how topics shall be.
        existing: how they are, by name.
        partitions: numbers of partitions that differ from the catalogue's, by topic name.
    """
    wishes = partitions or {}
    steps: list[Step] = []
    for topic in catalogue:
        wanted = wishes.get(topic.name, topic.partitions)
        if wanted != topic.partitions and topic.name not in TABLE_FREE:
            steps.append(Step(topic, "refuse", wanted, reason=_why_fixed(topic, topic.partitions, wanted)))
            continue
        state = existing.get(topic.name)
        if state is None:
            steps.append(Step(topic, "create", wanted))
            continue
        steps += _mend(topic, state, wanted, asked=topic.name in wishes)
    return steps


def _mend(topic: Topic, state: TopicState, wanted: int, *, asked: bool) -> list[Step]:
    if state.partitions != wanted:
        if topic.name not in TABLE_FREE:
            return [Step(topic, "refuse", wanted, reason=_why_fixed(topic, state.partitions, wanted))]
        if state.partitions > wanted and asked:
            reason = f"{topic.name} has {state.partitions} partitions; Kafka cannot take partitions away."
            return [Step(topic, "refuse", wanted, reason=reason)]
    steps = []
    if state.partitions < wanted:
        steps.append(Step(topic, "grow", wanted))
    changes = {
        name: (state.config.get(name), value) for name, value in topic.config.items() if state.config.get(name) != value
    }
    if changes:
        steps.append(Step(topic, "alter", state.partitions, config=changes))
    return steps or [Step(topic, "keep", state.partitions)]


def _why_fixed(topic: Topic, have: int, wanted: int) -> str:
    return (
        f"{topic.name} has {have} partitions, {wanted} are wanted. Tables are partitioned by this topic: with another "
        "number, keys would move away from their state. To change it all the same: stop producers and workers, wait "
        "until everything is consumed, delete the topic and the changelogs (alpr-*-changelog), change the catalogue "
        "(schemas/topics.py), apply again."
    )
