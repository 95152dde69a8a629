"""Sightings: the newest, a search, a single one."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from query_api import models
from query_api.context import Api, Context
from query_api.cursors import event_cursor, read_event_cursor
from query_api.errors import NotFound
from query_api.parameters import EventSearch, Recent, Text
from query_api.values import EventFilter, Position

router = APIRouter(tags=["events"])


@router.get("/events/recent", summary="The newest sightings")
async def recent(api: Api, query: Annotated[Recent, Query()]) -> models.Page[models.Event]:
    """The newest sightings of all cameras; `next_cursor` goes on in `/events/search`."""
    return await _page(api, EventFilter(), None, query.limit)


@router.get("/events/search", summary="Search sightings")
async def search(api: Api, query: Annotated[EventSearch, Query()]) -> models.Page[models.Event]:
    """Sightings that fit all filters, newest first.

    A plate is compared with what was observed and with what the reads were resolved to. With `fuzzy=true` characters
    that OCR confuses are equal. Sightings that arrive between two pages shift nothing.
    """
    return await _page(api, query.wanted(), read_event_cursor(query.cursor), query.limit)


@router.get(
    "/events/{event_id}",
    summary="One event",
    responses={404: {"description": "There is no such event"}},
)
async def single(api: Api, event_id: Annotated[Text, Path()]) -> models.Event:
    """A sighting, or a vehicle without a readable plate, with the alternatives of each character."""
    row = await api.ports.store.event(event_id)
    if row is None:
        raise NotFound(f"there is no event {event_id!r:.80}; a new one appears a moment after it was published")
    return api.present.event(row, whole=True)


async def _page(api: Context, wanted: EventFilter, after: Position | None, limit: int) -> models.Page[models.Event]:
    rows = await api.ports.store.events(wanted, after, limit + 1)  # one more tells whether there is a next page
    page = rows[:limit]
    cursor = event_cursor(Position(page[-1].captured_at, page[-1].event_id)) if len(rows) > limit else None
    return models.Page(items=[api.present.event(row, wanted.plate) for row in page], next_cursor=cursor)
