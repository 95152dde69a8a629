"""The fake passes what the real stores pass."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from schemas.events import Sighting
from tests.unit.agents.sinks.conformance import Harness, SinkConformance, Stored
from tests.unit.agents.sinks.memory_sink import BAD_CAMERA, MemorySink
from tests.unit.agents.sinks.sightings import sighting


class MemoryHarness:
    """The fake, seen from both sides."""

    def __init__(self) -> None:
        self.sink = MemorySink()

    async def stored(self, event_id: str) -> Stored | None:
        """From the dict."""
        row = self.sink.rows.get(event_id)
        return None if row is None or row.plate is None else Stored(row.revision, row.plate.text)

    def bad(self, event_id: str, revision: int) -> Sighting:
        """Of the camera that it refuses."""
        return replace(sighting(event_id, revision), camera_id=BAD_CAMERA)

    async def cut(self) -> None:
        """It stops answering."""
        self.sink.is_up = False

    async def mend(self) -> None:
        """It answers again."""
        self.sink.is_up = True


class TestMemorySink(SinkConformance):
    """Conformance of the fake."""

    @pytest.fixture
    async def harness(self) -> AsyncIterator[Harness]:
        """A new fake."""
        yield MemoryHarness()
