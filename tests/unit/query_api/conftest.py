"""The app on ports in memory."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from query_api.app import create_app
from query_api.context import Context
from query_api.settings import ApiSettings
from tests.unit.query_api.fakes import MemoryPorts

MakeClient = Callable[..., TestClient]


@pytest.fixture
def world() -> MemoryPorts:
    """The ports."""
    return MemoryPorts()


@cache
def app_with(**settings: Any) -> FastAPI:
    """An app with these settings; building one takes longer than a test."""
    return create_app(ApiSettings(**settings), MemoryPorts().ports)


@pytest.fixture
def make_client(world: MemoryPorts, monkeypatch: pytest.MonkeyPatch) -> Iterator[MakeClient]:
    """Makes clients of apps with other settings."""
    monkeypatch.delenv("ALPR_API_KEY", raising=False)
    with ExitStack() as stack:

        def make(**settings: Any) -> TestClient:
            app = app_with(**{"stats_cache_s": 0, **settings})
            app.state.context = Context.of(app.state.context.settings, world.ports)
            return stack.enter_context(TestClient(app, base_url="http://localhost", raise_server_exceptions=False))

        yield make


@pytest.fixture
def client(make_client: MakeClient) -> TestClient:
    """A client of an app with default settings."""
    return make_client()
