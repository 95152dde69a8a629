"""Waiting for something that must happen, in bounded time."""

import socket
import time
from collections.abc import Callable
from typing import TypeVar

import pytest

Result = TypeVar("Result")


def until(condition: Callable[[], Result], what: str, timeout_s: float = 120.0, pause_s: float = 0.1) -> Result:
    """Wait for a condition and return its value; fail the test, naming it, when it does not come."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(pause_s)
    pytest.fail(f"{what} did not happen within {timeout_s:g} s")


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
