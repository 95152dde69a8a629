"""The four things outside that the API needs. Adapters translate their clients' errors into `schemas.errors`.

Every method raises `schemas.errors.Unavailable` where the server does not answer. Nothing is connected before `open`,
and a server that is away then is no error: it may come later.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from query_api.values import (
    AlertFilter,
    AlertRow,
    CameraRow,
    EventFilter,
    EventRow,
    Hit,
    ImageLink,
    Position,
    SilenceRow,
    Stats,
    TextQuery,
)
from query_api.visit_values import OccupancyRow, VisitFilter, VisitRow
from schemas.events import AlertAction, Detection


class Dependency(Protocol):
    """Something outside with a life of its own."""

    async def open(self) -> None:
        """Get ready in the event loop that will serve."""
        ...

    async def close(self) -> None:
        """Let go of connections; also when `open` was never called."""
        ...

    async def ping(self) -> None:
        """Ask the server for a sign of life."""
        ...


class EventStore(Dependency, Protocol):
    """Where sightings, alerts, visits and counts are read from."""

    async def events(self, wanted: EventFilter, after: Position | None, limit: int) -> list[EventRow]:
        """Sightings, newest first (captured_at, then event_id, descending), strictly after the position."""
        ...

    async def event(self, event_id: str) -> EventRow | None:
        """A sighting, or a vehicle without a plate."""
        ...

    async def alerts(self, wanted: AlertFilter, after: Position | None, limit: int) -> list[AlertRow]:
        """Alerts, newest first (fired_at, then alert_id, descending), strictly after the position; no receipts."""
        ...

    async def alert(self, alert_id: str) -> AlertRow | None:
        """An alert with its receipts."""
        ...

    async def silences(self, now: datetime) -> list[SilenceRow]:
        """Silences that are in force or still to come, by their end and id."""
        ...

    async def visits(self, wanted: VisitFilter, after: Position | None, limit: int) -> list[VisitRow]:
        """Visits, newest first (started_at, then visit_id, descending), strictly after the position."""
        ...

    async def visit(self, visit_id: str) -> VisitRow | None:
        """A visit, also one that was withdrawn."""
        ...

    async def occupancy(self, site_id: str) -> OccupancyRow | None:
        """What a site holds; None: nothing is known of its gates."""
        ...

    async def stats(self, since: datetime) -> Stats:
        """Totals of everything stored and of what happened since."""
        ...

    async def cameras(self, since: datetime) -> list[CameraRow]:
        """Cameras that have seen something since, by id."""
        ...


class SearchIndex(Dependency, Protocol):
    """Full-text search over sightings."""

    async def search(self, query: TextQuery, after: tuple[float, int, str] | None, limit: int) -> list[Hit]:
        """Best first, strictly after the sort values of an earlier hit.

        Raises:
            query_api.errors.InvalidQuery: the index refuses the query.
        """
        ...


class ImageStore(Dependency, Protocol):
    """Where images are."""

    def link(self, url: str | None) -> ImageLink | None:
        """A link for browsers, made without asking the server; None for no image or one that is not ours to show."""
        ...


class Publisher(Dependency, Protocol):
    """The way into the platform's topics."""

    async def publish_detections(self, detections: Sequence[Detection]) -> None:
        """Returns when Kafka has acknowledged all of them. After an error some may have arrived: ids make that safe.

        Raises:
            schemas.errors.SchemaError: one does not fit its contract; none was sent.
        """
        ...

    async def publish_action(self, action: AlertAction) -> None:
        """Returns when Kafka has acknowledged it."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """What an app is composed of."""

    store: EventStore
    index: SearchIndex
    images: ImageStore
    publisher: Publisher

    @property
    def dependencies(self) -> dict[str, Dependency]:
        """All of them, under the names that /health shows."""
        return {"database": self.store, "search": self.index, "images": self.images, "kafka": self.publisher}

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Ports"]:
        """Open all, and close what was opened in reverse order."""
        async with AsyncExitStack() as stack:
            for dependency in self.dependencies.values():
                stack.push_async_callback(dependency.close)
                await dependency.open()
            yield self
