"""What `alpr topics apply` would do, for any state of Kafka."""

from dataclasses import replace
from typing import Any

import pytest

from cli.topic_plan import TABLE_FREE, TopicState, plan
from schemas.topics import BY_NAME, CATALOGUE, METRICS, ROUTED, Topic


def as_it_should_be(topic: Topic, **changes: Any) -> TopicState:
    """The state that the catalogue asks for."""
    return replace(TopicState(topic.partitions, 1, {**topic.config, "segment.bytes": "1"}), **changes)


def actions(topic: Topic, state: TopicState | None, wish: int | None = None) -> list[str]:
    """What is planned for one topic."""
    existing = {} if state is None else {topic.name: state}
    wishes = {} if wish is None else {topic.name: wish}
    return [step.action for step in plan([topic], existing, wishes)]


def test_empty_kafka_gets_the_whole_catalogue() -> None:
    """Each topic is created with its partitions."""
    steps = plan(CATALOGUE, {})
    assert [(step.topic, step.action, step.partitions) for step in steps] == [
        (topic, "create", topic.partitions) for topic in CATALOGUE
    ]


def test_nothing_to_do() -> None:
    """Settings that the catalogue does not name are the operator's."""
    existing = {topic.name: as_it_should_be(topic) for topic in CATALOGUE}
    assert {step.action for step in plan(CATALOGUE, existing)} == {"keep"}


def test_wrong_setting_is_altered_alone() -> None:
    """Only what differs is sent, with the value that was there."""
    state = as_it_should_be(ROUTED, config={**ROUTED.config, "retention.ms": "1"})
    (step,) = plan([ROUTED], {ROUTED.name: state})
    assert (step.action, step.config) == ("alter", {"retention.ms": ("1", str(ROUTED.retention_ms))})


@pytest.mark.parametrize("partitions", [1, 7, 9, 64])
@pytest.mark.parametrize("name", sorted(set(BY_NAME) - TABLE_FREE))
def test_partitions_of_tables_are_never_changed(name: str, partitions: int) -> None:
    """Neither up nor down, neither by the catalogue nor by wish."""
    topic = BY_NAME[name]
    if partitions == topic.partitions:
        return
    assert actions(topic, as_it_should_be(topic, partitions=partitions)) == ["refuse"]
    assert actions(topic, None, wish=partitions) == ["refuse"]


def test_refusal_says_why_and_what_to_do() -> None:
    """Both numbers, the reason and the way."""
    (step,) = plan([ROUTED], {ROUTED.name: as_it_should_be(ROUTED, partitions=4)})
    for part in ("has 4 partitions, 8 are wanted", "Tables", "changelogs"):
        assert part in step.reason


def test_topics_without_tables_may_grow() -> None:
    """More partitions for ingest; fewer are not possible; what was grown by wish is left alone later."""
    assert actions(METRICS, as_it_should_be(METRICS), wish=12) == ["grow"]
    assert actions(METRICS, as_it_should_be(METRICS, partitions=4)) == ["grow"]
    assert actions(METRICS, as_it_should_be(METRICS, partitions=12)) == ["keep"]
    assert actions(METRICS, as_it_should_be(METRICS, partitions=12), wish=8) == ["refuse"]
    assert actions(METRICS, None, wish=12) == ["create"]
    assert actions(METRICS, as_it_should_be(METRICS, partitions=4, config={})) == ["grow", "alter"]
