"""The stack itself: every server answers, comes back after a crash, and a dead one ends a test run."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import psycopg
import pytest

from compose.local.stack import Stack
from tests.connected.conftest import RunningStack


def test_every_server_of_the_run_is_healthy(stack: RunningStack) -> None:
    """The six default servers run and have their settings in the environment."""
    assert os.environ["ALPR_KAFKA_BOOTSTRAP"] == stack.kafka_bootstrap
    assert httpx.get(f"{stack.registry_url}/subjects").json() is not None
    assert httpx.get(stack.opensearch_url).json()["version"]["number"] == "3.8.0"
    with psycopg.connect(stack.timescale_dsn) as connection:
        assert connection.execute("SELECT 41 + 1").fetchone() == (42,)
