"""A broker with topics of the test's own, and worker processes to hurt."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.broker import Broker
from tests.chaos.small_job import Bench
from tests.chaos.waiting import free_port, until

__all__ = ["Bench", "Broker", "free_port", "until"]


@pytest.fixture(scope="session")
def broker(stack: Any) -> Broker:
    """The broker of this run."""
    return Broker(stack.kafka_bootstrap)


@pytest.fixture
def bench(broker: Broker, tmp_path: Path) -> Iterator[Bench]:
    """A bench whose workers end with the test."""
    bench = Bench(broker, tmp_path)
    yield bench
    bench.close()
