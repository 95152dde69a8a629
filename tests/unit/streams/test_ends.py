"""Asking for the ends of partitions through a client that may go bad."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from schemas.errors import Unavailable
from schemas.kafka_security import KafkaSecurity
from streams.ends import PartitionEnds


class FakeAdmin:
    """An admin client whose answers the test gives."""

    made: list["FakeAdmin"]
    mode = "answer"

    def __init__(self, _config: dict[str, Any]) -> None:
        type(self).made.append(self)

    def list_offsets(self, question: dict[Any, Any], **_: Any) -> dict[Any, Future[Any]]:
        """Futures, answered by the mode."""
        answers: dict[Any, Future[Any]] = {}
        for number, tp in enumerate(question):
            answers[tp] = Future()
            if self.mode == "answer":
                answers[tp].set_result(SimpleNamespace(offset=10 + number))
            elif self.mode == "fail":
                answers[tp].set_exception(KafkaException(KafkaError(KafkaError.FENCED_LEADER_EPOCH)))
        return answers


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> PartitionEnds:
    """Ends on the fake client, impatient."""
    FakeAdmin.made = []
    FakeAdmin.mode = "answer"
    monkeypatch.setattr("streams.ends.AdminClient", FakeAdmin)
    monkeypatch.setattr("streams.ends.GRACE_S", 0.01)
    return PartitionEnds("localhost:1", KafkaSecurity(), timeout_s=0.02)


async def test_each_partition_has_its_end(ends: PartitionEnds) -> None:
    """Offsets come back by topic and partition; one client serves all questions."""
    assert await ends.latest([("reads", 0), ("reads", 1)]) == {("reads", 0): 10, ("reads", 1): 11}
    assert await ends.earliest([("reads", 0)]) == {("reads", 0): 10}
    assert len(FakeAdmin.made) == 1


async def test_no_partitions_ask_nobody(ends: PartitionEnds) -> None:
    """A worker without partitions needs no broker to know its lag."""
    assert await ends.latest([]) == {}
    assert FakeAdmin.made == []


@pytest.mark.parametrize("mode", ["fail", "silent"])
async def test_a_client_that_fails_or_is_silent_is_replaced(ends: PartitionEnds, mode: str) -> None:
    """A client with stale leader epochs, or one that never answers, does not stay; the next question gets a new one."""
    FakeAdmin.mode = mode
    with pytest.raises(Unavailable):
        await ends.latest([("reads", 0)])
    FakeAdmin.mode = "answer"
    assert await ends.latest([("reads", 0)]) == {("reads", 0): 10}
    assert len(FakeAdmin.made) == 2
