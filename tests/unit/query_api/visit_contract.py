"""What every store must do with visits, in memory and on the real servers; `EventStoreContract` gives the fixtures."""

from dataclasses import replace
from typing import Any

import pytest

from query_api.plates import PlateQuery
from query_api.ports import EventStore
from query_api.values import Position
from query_api.visit_values import VisitFilter, VisitRow
from schemas.clock import MICROS_PER_S, to_datetime
from schemas.events import Absence
from tests.unit.query_api import samples
from tests.unit.query_api.contracts import HOSTILE, Seed


class VisitStoreContract:
    """Conformance of an `EventStore` where visits are concerned."""

    async def test_fields_of_a_visit_survive(self, store: EventStore, seed: Seed) -> None:
        """What was written is what is read; the highest revision stands."""
        start = samples.ago(7200) // 1000 * 1000 + 7
        away = Absence(start + 100 * MICROS_PER_S, start + 160 * MICROS_PER_S, "e2", "e3")
        first = samples.visit(started_at=start)
        last = replace(
            first, revision=4, outcome="completed", exited_at=start + 3600 * MICROS_PER_S, exit_event_id="e4",
            exit_camera_id="gate-2", exit_plate_text="A8123C", ended_at=start + 3600 * MICROS_PER_S, match="confusable",
            match_score=0.08, dwell_s=3600.0, absent_s=60.0, absences=(away,), occupancy=0,
        )  # fmt: skip
        await seed(last)
        await seed(first)
        row = await store.visit(first.visit_id)
        assert row is not None
        assert (row.started_at, row.entered_at) == (to_datetime(start), to_datetime(start))
        assert (row.outcome, row.revision, row.dwell_s, row.absent_s) == ("completed", 4, 3600.0, 60.0)
        assert (row.exit_plate_text, row.match, row.match_score) == ("A8123C", "confusable", 0.08)
        assert row.absences[0]["left_at"] == to_datetime(away.left_at)
        assert row.absences[0]["entry_event_id"] == "e3"

    async def test_visits_by_filter(self, store: EventStore, seed: Seed) -> None:
        """Each filter of visits keeps what fits it; withdrawn ones show only when they are asked for."""
        site, at = samples.fresh("site"), samples.ago(600)
        inside = samples.visit(site_id=site, started_at=at)
        gone = samples.visit(
            site_id=site, started_at=at + MICROS_PER_S, outcome="completed", plate_text="XX99X", exit_plate_text="XX99K"
        )
        withdrawn = samples.visit(site_id=site, started_at=at + 2, outcome="withdrawn")
        await seed(inside, gone, withdrawn, samples.visit())

        async def found(**changes: Any) -> list[str]:
            return [row.visit_id for row in await store.visits(VisitFilter(site_ids=(site,), **changes), None, 10)]

        assert await found() == [gone.visit_id, inside.visit_id]
        assert await found(outcomes=("open",)) == [inside.visit_id]
        assert await found(outcomes=("withdrawn", "completed")) == [gone.visit_id, withdrawn.visit_id]
        assert await found(plate=PlateQuery.parse("ab-123-c")) == [inside.visit_id]
        assert await found(plate=PlateQuery.parse("A8I23C", fuzzy=True)) == [inside.visit_id]
        assert await found(plate=PlateQuery.parse("*99K")) == [gone.visit_id]
        assert await found(start=to_datetime(at + 1)) == [gone.visit_id]
        assert await found(end=to_datetime(at + MICROS_PER_S)) == [inside.visit_id]

    async def test_visit_pages(self, store: EventStore, seed: Seed) -> None:
        """Visits that began at the same moment are not lost between pages."""
        site, at = samples.fresh("site"), samples.ago(600)
        seeded = [samples.visit(site_id=site, started_at=at) for _ in range(5)]
        await seed(*seeded)
        after, rows = None, list[VisitRow]()
        while page := await store.visits(VisitFilter(site_ids=(site,)), after, 2):
            rows += page
            after = Position(page[-1].started_at, page[-1].visit_id)
        assert [row.visit_id for row in rows] == sorted((item.visit_id for item in seeded), reverse=True)

    async def test_occupancy(self, store: EventStore, seed: Seed) -> None:
        """Open visits count; capacity and time are the latest; a site that nobody visited is unknown."""
        site, at = samples.fresh("site"), samples.ago(3600)
        await seed(
            samples.visit(site_id=site, started_at=at, updated_at=at + 1, capacity=9),
            samples.visit(site_id=site, started_at=at + 5, updated_at=at + 7, capacity=10),
            samples.visit(site_id=site, started_at=at - 5, updated_at=at + 6, outcome="completed"),
            samples.visit(site_id=site, started_at=at - 9, updated_at=at - 8, outcome="withdrawn"),
        )
        row = await store.occupancy(site)
        assert row is not None
        assert (row.site_id, row.occupancy, row.capacity) == (site, 2, 10)
        assert (row.oldest_entry_at, row.updated_at) == (to_datetime(at), to_datetime(at + 7))
        assert await store.occupancy(samples.fresh("site")) is None

    @pytest.mark.parametrize("text", HOSTILE)
    async def test_hostile_text_in_visits(self, store: EventStore, text: str) -> None:
        """Text from outside is never SQL."""
        assert await store.visit(text) is None
        assert await store.occupancy(text) is None
        assert await store.visits(VisitFilter(site_ids=(text,)), None, 10) == []
