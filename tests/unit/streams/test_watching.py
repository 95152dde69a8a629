"""Broadcast state, lag, readiness and the checks before the start."""

import socket
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from schemas.errors import ConfigError, Unavailable
from streams.broadcast import Broadcast
from streams.health import health_report, readiness, ready_report
from streams.lag import Lag
from streams.preflight import check_port, preflight
from tests.unit.streams.doubles import make_app


def test_a_broadcast_keeps_the_latest_value_of_each_key() -> None:
    """Values replace, tombstones delete, records without a key say nothing."""
    state = Broadcast("cameras", "localhost:1")
    state.apply(b"a", b"1")
    state.apply(b"a", b"2")
    state.apply(b"b", b"1")
    state.apply(b"b", None)
    state.apply(b"c", None)
    state.apply(None, b"x")
    assert dict(state.snapshot) == {b"a": b"2"}
    assert state.get(b"a") == b"2"
    assert state.get(b"b") is None


def test_the_snapshot_is_read_only() -> None:
    """Agents do not write what the topic says."""
    snapshot: Any = Broadcast("cameras", "localhost:1").snapshot
    with pytest.raises(TypeError):
        snapshot[b"a"] = b"1"


def test_listeners_hear_what_is_known_and_what_comes() -> None:
    """A listener that comes late misses nothing."""
    state = Broadcast("rules", "localhost:1")
    state.apply(b"a", b"1")
    heard: list[tuple[bytes, bytes | None]] = []
    state.on_change(lambda key, value: heard.append((key, value)))
    state.apply(b"b", b"2")
    state.apply(b"a", None)
    assert heard == [(b"a", b"1"), (b"b", b"2"), (b"a", None)]


def test_lag_adds_up() -> None:
    """Total and per topic come from the partitions."""
    lag = Lag({("a", 0): 3, ("a", 1): 4, ("b", 0): 5}, 0.0)
    assert lag.total == 12
    assert lag.by_topic() == {"a": 7, "b": 5}


class Running:
    """An app double whose state is set by the test."""

    def __init__(self, folder: Path) -> None:
        self.app: Any = make_app(folder, ready_max_lag_records=10)

    def look(self, monkeypatch: pytest.MonkeyPatch, *, running: bool, recovered: bool, lag: int | None) -> Any:
        """Readiness in a state."""
        cls = type(self.app)
        monkeypatch.setattr(cls, "is_running", property(lambda _: running))
        monkeypatch.setattr(cls, "is_recovered", property(lambda _: recovered))
        monkeypatch.setattr(self.app.consumer, "assignment", set)
        self.app.lag.latest = Lag() if lag is None else Lag({("reads", 0): lag}, monotonic())
        return readiness(self.app)


@pytest.mark.parametrize(
    ("running", "recovered", "lag", "waiting"),
    [
        (True, True, 10, None),
        (False, True, 0, "start"),
        (True, False, 0, "recovery"),
        (True, True, None, "lag measurement"),
        (True, True, 11, "lag of 11"),
    ],
)
def test_readiness_says_what_is_in_the_way(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    running: bool,
    recovered: bool,
    lag: int | None,
    waiting: str | None,
) -> None:
    """A role is ready when it runs, is recovered, and its lag is known and within the limit."""
    seen = Running(tmp_path).look(monkeypatch, running=running, recovered=recovered, lag=lag)
    assert seen.ready == (waiting is None)
    assert waiting is None or any(waiting in reason for reason in seen.waiting_for)
    assert seen.lag_records == lag


def test_an_unread_broadcast_keeps_a_role_from_being_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A role that waits for its cameras says so."""
    running = Running(tmp_path)
    running.app.broadcast("alpr.cameras")
    seen = running.look(monkeypatch, running=True, recovered=True, lag=0)
    assert seen.waiting_for == ("broadcast alpr.cameras",)


def test_an_old_measurement_is_unknown(tmp_path: Path) -> None:
    """Lag that nobody has measured for a while is not lag."""
    lag = make_app(tmp_path).lag
    lag.latest = Lag({}, monotonic() - 1000)
    assert not lag.is_known
    lag.latest = Lag({}, monotonic())
    assert lag.is_known


def test_a_worker_that_was_never_started_is_neither_ready_nor_healthy(tmp_path: Path) -> None:
    """The reports do not fail before the start; they say no."""
    app = make_app(tmp_path)
    ready, report = ready_report([app])
    assert not ready
    assert report["roles"]["test"]["waiting_for"][0] == "start"
    healthy, report = health_report([app])
    assert not healthy
    assert report["running"] == {"test": False}


def test_a_taken_port_is_told() -> None:
    """The message names the port and the setting."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"{port}.*ALPR_WEB_PORT"):
            check_port("127.0.0.1", port)
    check_port("127.0.0.1", port)


async def test_a_broker_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the address and the next step."""
    monkeypatch.setattr("streams.preflight.ASK_TIMEOUT_S", 0.3)
    app = make_app(tmp_path, broker_wait_s=0, web_port=_free_port())
    with pytest.raises(Unavailable, match=r"localhost:1 .*alpr stack up"):
        await preflight([app])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
