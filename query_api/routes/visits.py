"""Visits of vehicles to sites, and how many are there now."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from query_api import models, visit_models
from query_api.context import Api
from query_api.cursors import read_visit_cursor, visit_cursor
from query_api.errors import NotFound
from query_api.parameters import Text, VisitSearch
from query_api.values import Position

router = APIRouter(tags=["visits"])


@router.get("/visits", summary="Search visits")
async def search(api: Api, query: Annotated[VisitSearch, Query()]) -> models.Page[visit_models.Visit]:
    """Visits that fit all filters, newest first, each as it is known now.

    A plate is compared with what was identified at the entry and at the exit. Visits that were withdrawn show only
    where `outcome=withdrawn` asks for them.
    """
    rows = await api.ports.store.visits(query.wanted(), read_visit_cursor(query.cursor), query.limit + 1)
    page = rows[: query.limit]
    cursor = visit_cursor(Position(page[-1].started_at, page[-1].visit_id)) if len(rows) > query.limit else None
    return models.Page(items=[visit_models.visit(row) for row in page], next_cursor=cursor)


@router.get("/visits/{visit_id}", summary="One visit", responses={404: {"description": "There is no such visit"}})
async def single(api: Api, visit_id: Annotated[Text, Path()]) -> visit_models.Visit:
    """A visit, with the sightings of its entry and exit."""
    row = await api.ports.store.visit(visit_id)
    if row is None:
        raise NotFound(f"there is no visit {visit_id!r:.80}")
    return visit_models.visit(row)


@router.get(
    "/sites/{site_id}/occupancy",
    summary="Vehicles at a site",
    responses={404: {"description": "No gate of that site has seen anything"}},
)
async def occupancy(api: Api, site_id: Annotated[Text, Path()]) -> visit_models.Occupancy:
    """How many vehicles have entered a site and not left it."""
    row = await api.ports.store.occupancy(site_id)
    if row is None:
        raise NotFound(f"no visit to the site {site_id!r:.80} is known; its gates are cameras with a role")
    return visit_models.occupancy(row)
