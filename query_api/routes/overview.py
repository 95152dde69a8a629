"""Statistics and cameras."""

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query

from query_api import models
from query_api.context import Api
from query_api.parameters import CameraSearch
from query_api.presenter import camera

router = APIRouter(tags=["overview"])


@router.get("/stats", summary="Statistics")
async def stats(api: Api) -> models.Statistics:
    """Totals, the last 24 hours, cameras, alerts by severity and dead letters; a few seconds old at most."""

    async def make() -> models.Statistics:
        now = api.now
        since = now - timedelta(hours=24)
        found = await api.ports.store.stats(since)
        return models.Statistics(
            generated_at=now,
            since=since,
            totals=models.Counts(**_known(models.Counts, asdict(found.totals))),
            last_24h=models.RecentCounts(**asdict(found.recent)),
            cameras=[camera(row) for row in found.cameras],
            alerts_by_severity=found.alerts_by_severity,
            dead_letters_by_error=found.dead_letters_by_error,
        )

    return await api.statistics.get("stats", make)


@router.get("/cameras", summary="Cameras")
async def cameras(api: Api, query: Annotated[CameraSearch, Query()]) -> models.Cameras:
    """Cameras that have seen something in the last days, as their events show them."""

    async def make() -> models.Cameras:
        since = api.now - timedelta(days=query.days)
        rows = await api.ports.store.cameras(since)
        return models.Cameras(items=[camera(row) for row in rows], since=since)

    return await api.cameras.get(query.days, make)


def _known(document: type[models.Document], values: dict[str, int | None]) -> dict[str, int]:
    return {name: value for name, value in values.items() if name in document.model_fields and value is not None}
