"""The stack's machinery on toy servers: start, stop, remember, refuse, and name what died."""

import json
import os
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from compose.local.artifacts import file_lock
from compose.local.errors import PortTaken, StackBusy, StackError, StartFailed, UnknownService
from compose.local.folders import stack_dir
from compose.local.ports import free_port, holder, is_free
from compose.local.processes import ProcessRecord
from compose.local.services import CATALOGUE, chosen
from compose.local.stack import Stack
from compose.local.state import ServiceState, StackState
from compose.local.watch import Watchdog
from tests.unit.compose.conftest import BrokenToy, Toy

pytestmark = pytest.mark.thorough


@pytest.fixture
def stack(toy: Toy) -> Iterator[Stack]:
    """A stack of one toy, gone after the test."""
    it = Stack("toys", services=[toy])
    yield it
    it.destroy()


def _listening() -> socket.socket:
    door = socket.socket()
    door.bind(("127.0.0.1", 0))
    door.listen()
    return door


def test_started_stack_serves_is_known_to_others_and_stops(stack: Stack, toy: Toy) -> None:
    """Another object of the same name sees the server, its settings and its health, and can stop it."""
    stack.start(free_ports=True)
    url = stack.endpoints()["ALPR_TOY_URL"]
    assert urllib.request.urlopen(url).read() == b"ok"
    other = Stack("toys", services=[toy])
    (status,) = other.services()
    assert (status.name, status.problem, status.is_alive) == ("toy", "", True)
    assert status.rss_bytes > 2**20
    other.stop()
    assert stack.services() == []
    assert is_free(status.ports["http"])


def test_second_start_leaves_what_runs(stack: Stack, toy: Toy) -> None:
    """`up` twice keeps the process."""
    stack.start(free_ports=True)
    (before,) = stack.services()
    stack.start(free_ports=True)
    (after,) = stack.services()
    assert before.pid == after.pid


def test_data_and_ports_stay_until_fresh(stack: Stack, toy: Toy) -> None:
    """Down and up keep the data folder and the free ports; `fresh` wipes the folder."""
    starts = toy.folder(stack.folder) / "starts"
    stack.start(free_ports=True)
    (first,) = stack.services()
    stack.stop()
    stack.start(free_ports=True)
    (second,) = stack.services()
    assert starts.read_text() == "xx"
    assert first.ports == second.ports
    stack.start(free_ports=True, fresh=True)
    assert starts.read_text() == "x"


def test_taken_port_is_refused_with_its_holder(stack: Stack, toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the port, the process that holds it and the way out; nothing is started."""
    with _listening() as door:
        port = door.getsockname()[1]
        monkeypatch.setattr(Toy, "usual_ports", {"http": port})
        with pytest.raises(PortTaken) as raised:
            stack.start()
    assert f"port {port} (http)" in str(raised.value)
    assert f"pid {os.getpid()}" in str(raised.value)
    assert "--free-ports" in str(raised.value)
    assert stack.services() == []


def test_failed_start_quotes_the_log_and_stops_the_others(toy: Toy, broken_toy: BrokenToy) -> None:
    """The error names the server, its exit code and its last words; what the call started is stopped."""
    it = Stack("toys", services=[toy, broken_toy])
    with pytest.raises(StartFailed) as raised:
        it.start(free_ports=True)
    assert "broken-toy ended with exit code 7" in str(raised.value)
    assert "no such spring" in str(raised.value)
    assert it.services() == []


def test_killed_server_is_dead_for_everyone_and_comes_back(stack: Stack) -> None:
    """A server that dies by itself is named with its signal; one that is killed on purpose is not."""
    stack.start(free_ports=True)
    (status,) = stack.services()
    os.kill(status.pid, 9)
    os.waitid(os.P_PID, status.pid, os.WEXITED | os.WNOWAIT)
    assert "signal 9" in stack.dead()["toy"]
    assert "toy server starts" in stack.dead()["toy"]
    assert stack.services()[0].problem == "its process has ended"
    stack.start_service("toy")
    assert stack.dead() == {}
    assert stack.services()[0].ports == status.ports
    stack.kill_service("toy")
    assert stack.dead() == {}


def test_watchdog_names_the_dead_server_once(stack: Stack) -> None:
    """The callback gets the name; stopping on purpose does not call it."""
    stack.start(free_ports=True)
    told: list[str] = []
    with Watchdog(stack, lambda name, _how: told.append(name), interval_s=0.02) as watchdog:
        stack.kill_service("toy")
        stack.start_service("toy")
        assert told == []
        os.kill(stack.services()[0].pid, 9)
        watchdog._thread.join(timeout=10)
    assert told == ["toy"]


def test_busy_stack_is_refused(stack: Stack) -> None:
    """While another command holds the stack, starting it is an error, not a race."""
    with file_lock(stack.folder.with_name(".toys.lock")), pytest.raises(StackBusy):
        stack.start(free_ports=True)


@pytest.mark.parametrize("name", ["", "../up", ".hidden", "a b", "a/b"])
def test_name_that_cannot_be_a_folder_is_refused(name: str) -> None:
    """No stack name leaves the folder of stacks."""
    with pytest.raises(ValueError, match="stack name"):
        Stack(name)


def test_state_survives_a_round_trip() -> None:
    """What is saved is what is loaded."""
    path = stack_dir("x") / "stack.json"
    entry = ServiceState("1", {"http": 1}, ProcessRecord(4711, 12.5), "/data", "/log")
    state = StackState().with_service("toy", entry)
    state.save(path)
    assert StackState.load(path) == state
    assert StackState.load(path).without("toy") == StackState({}, {"toy": {"http": 1}})
    assert StackState.load(path.with_name("absent")) == StackState()


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"services": {"a": {}}, "ports": {}})])
def test_damaged_state_is_an_error_with_its_path(text: str, folders: Path) -> None:
    """A file that is not ours is never guessed at."""
    path = folders / "stack.json"
    path.write_text(text)
    with pytest.raises(StackError, match=str(path)):
        StackState.load(path)


def test_free_ports_differ_and_lie_below_the_ephemeral_range() -> None:
    """No number is handed out twice, and no outgoing connection takes one."""
    found = [free_port() for _ in range(50)]
    assert len(set(found)) == 50
    assert max(found) < 32_768


def test_holder_of_a_port_is_named() -> None:
    """The process that listens is named with its pid; a free port has none."""
    with _listening() as door:
        port = door.getsockname()[1]
        assert not is_free(port)
        assert f"pid {os.getpid()} (" in holder(port)
    assert is_free(port)
    assert "unknown" in holder(port)


def test_choice_of_services() -> None:
    """The default set, just some, some more, and names that do not exist."""
    default = [service.name for service in chosen()]
    assert default == ["kafka", "schema-registry", "timescaledb", "opensearch", "s3", "mail"]
    assert [service.name for service in chosen(("mail", "kafka"))] == ["kafka", "mail"]
    assert [service.name for service in chosen(extra=("postgres",))] == [*default, "postgres"]
    with pytest.raises(UnknownService, match="no service minio; there are: kafka"):
        chosen(("minio",))


def test_usual_ports_are_all_different() -> None:
    """Two services never want the same port."""
    ports = [port for service in CATALOGUE.values() for port in service.usual_ports.values()]
    assert len(ports) == len(set(ports))
