"""Full-text search."""

from typing import Annotated

from fastapi import APIRouter, Query

from query_api import models
from query_api.context import Api
from query_api.cursors import hit_cursor, read_hit_cursor
from query_api.parameters import FullText

router = APIRouter(tags=["search"])


@router.get(
    "/search/fulltext",
    summary="Full-text search",
    responses={400: {"description": "The cursor is none, or the index cannot run the query"}},
)
async def fulltext(api: Api, query: Annotated[FullText, Query()]) -> models.Page[models.SearchHit]:
    """Sightings by words in any field: camera, site, vehicle, plate, extras; best first.

    A plate is found exactly, through OCR confusables, and one edit away, in this order.
    """
    hits = await api.ports.index.search(query.wanted(), read_hit_cursor(query.cursor), query.limit + 1)
    page = hits[: query.limit]
    cursor = hit_cursor(page[-1].after) if len(hits) > query.limit else None
    return models.Page(items=[api.present.hit(hit) for hit in page], next_cursor=cursor)
