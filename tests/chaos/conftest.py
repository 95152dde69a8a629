"""One set of servers for all scenarios; topics, groups and folders are each scenario's own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.broker import Broker
from tests.chaos.small_job import Bench
from tests.chaos.verdict import Verdict
from tests.connected.conftest import pytest_collection_finish, stack

__all__ = ["pytest_collection_finish", "stack"]

SESSION = {"ALPR_SESSION_TIMEOUT_S": "10", "ALPR_COMMIT_INTERVAL_S": "0.5"}
"""Of all workers: a worker that is gone for 10 s has lost its partitions."""
_lines = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def broker(stack: Any) -> Broker:
    """The broker of this run."""
    return Broker(stack.kafka_bootstrap)


@pytest.fixture
def bench(broker: Broker, stack: Any, tmp_path: Path) -> Iterator[Bench]:
    """A bench of the small job, whose workers end with the test; servers that it has left stopped are started again."""
    bench = Bench(broker, tmp_path, env=SESSION)
    yield bench
    bench.close()
    stack.restore()


@pytest.fixture
def held(request: pytest.FixtureRequest) -> Callable[[Verdict], None]:
    """Report a scenario's numbers, then fail if it did not hold."""

    def judge(verdict: Verdict) -> None:
        request.config.stash.setdefault(_lines, []).append(str(verdict))
        plugins = request.config.pluginmanager
        reporter, capture = plugins.get_plugin("terminalreporter"), plugins.get_plugin("capturemanager")
        if reporter is not None and capture is not None:
            with capture.global_and_fixture_disabled():
                reporter.write_line(f"\n  {verdict}")
        assert not verdict.faults, "\n".join([verdict.scenario, *verdict.faults])

    return judge


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """All scenarios with their numbers, at the end."""
    lines = config.stash.get(_lines, [])
    if lines:
        terminalreporter.section("scenarios")
        for line in lines:
            terminalreporter.write_line(line)
