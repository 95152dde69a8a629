"""From detections at two gates to rows of visits, through Kafka, three roles and the database, over crashes."""

import signal
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from query_api.settings import ApiSettings
from query_api.stores.timescale import TimescaleStore
from schemas.clock import now_us
from schemas.events import Detection, Plate, Visit
from schemas.identity import normalise
from schemas.topics import DETECTED, VISITS
from tests.connected.agents.core_worker import CoreWorker

SECOND = 1_000_000


class Gates(CoreWorker):
    """A worker with the roles that visits need, and a site of this test with an entry and an exit.

    Attributes:
        site: of this test alone.
    """

    def __init__(self, stack: Any, folder: Path) -> None:
        super().__init__(stack, folder)
        self.set("ALPR_ROLES", "core,visits,timescale")
        self.set("ALPR_VISITS_CAPACITIES", f'{{"{self.mark}-north": 3}}')
        self.dsn: str = stack.timescale_dsn
        self.site = f"{self.mark}-north"
        for role in ("entry", "exit"):
            self.alpr("cameras", "put", self.camera(role), "--site", self.site, "--role", role)

    def set(self, name: str, value: str) -> None:
        """Give the worker a setting, before it starts."""
        self._env[name] = value

    def sees(self, role: str, text: str, at: int) -> None:
        """A vehicle passes a gate."""
        item = Detection(
            event_id=f"{self.mark}-{role}-{text}-{at}", captured_at=at, first_seen_at=at, last_seen_at=at,
            camera_id=self.camera(role), plate=Plate(text, normalise(text), 0.9),
        )  # fmt: skip
        self.put(DETECTED, (item.camera_id.encode(), self.codec.encode(DETECTED, item)))

    def rows(self, columns: str, condition: str = "TRUE") -> list[tuple[Any, ...]]:
        """Rows of this site's visits, in the order of their begin; none while there is no table."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            try:
                return connection.execute(
                    f"SELECT {columns} FROM visits WHERE site_id = %s AND {condition} ORDER BY started_at".encode(),
                    (self.site,),
                ).fetchall()
            except psycopg.errors.UndefinedTable:
                return []

    def measured(self) -> list[float]:
        """Occupancy as it was measured, in the order of its times."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            found = connection.execute(
                "SELECT value FROM camera_metrics WHERE name = 'site_occupancy' AND tags ->> 'site_id' = %s"
                " ORDER BY measured_at",
                (self.site,),
            ).fetchall()
            return [row[0] for row in found]

    def sent(self) -> dict[str, dict[int, list[Visit]]]:
        """What stands on the topic: visit, revision, the records that have it."""
        found: dict[str, dict[int, list[Visit]]] = defaultdict(lambda: defaultdict(list))
        for visit in self.events_of(VISITS):
            if visit.site_id == self.site:
                found[visit.visit_id][visit.revision].append(visit)
        return found


@pytest.fixture
def gates(stack: Any, tmp_path: Path) -> Iterator[Gates]:
    """A worker, not started, and its gates."""
    worker = Gates(stack, tmp_path)
    yield worker
    worker.end(signal.SIGKILL)


def test_time_alone_ends_a_visit(gates: Gates) -> None:
    """One vehicle enters and nothing else ever happens: ticks carry the time, and the end is when it was due."""
    gates.set("ALPR_VISITS_MAX_STAY_S", "3600")
    start = now_us() // SECOND * SECOND - 5400 * SECOND
    gates.start()
    gates.sees("entry", "AB 1034", start)
    gates.until(lambda: gates.rows("1", "outcome = 'expired'"), "the end", 180)
    assert gates.rows("extract(epoch FROM ended_at - entered_at)::int, exited_at, occupancy") == [(3600, None, 0)]


async def test_vehicles_are_followed_from_entry_to_exit_over_crashes(gates: Gates) -> None:
    """A misread exit closes the right visit with the right dwell, although the worker was killed in between."""
    now = now_us() // SECOND * SECOND
    start = now - 5400 * SECOND
    gates.start()
    gates.sees("entry", "AB 1034", start)
    gates.sees("entry", "XY 9876", start + 400 * SECOND)
    gates.until(lambda: len(gates.rows("outcome", "outcome = 'open'")) == 2, "two open visits", 120)

    gates.end(signal.SIGKILL)
    gates.start()
    gates.sees("exit", "AB 1O34", start + 3600 * SECOND)
    gates.until(lambda: gates.rows("1", "outcome = 'completed'"), "the exit")
    assert gates.rows("plate_text, exit_plate_text, match, dwell_s, occupancy, capacity", "outcome = 'completed'") == [
        ("AB1034", "AB1O34", "confusable", 3600.0, 1, 3)
    ]

    gates.end(signal.SIGTERM)
    # its entry camera is the slower one; ticks settle what is ten minutes old, on a busy machine before the entry comes
    gates.sees("exit", "KL 5522", now - 100 * SECOND)
    gates.start()
    gates.until(lambda: gates.rows("1", "outcome = 'exit_only'"), "the exit without an entry")
    gates.sees("entry", "KL 5522", now - 500 * SECOND)
    gates.until(lambda: gates.rows("1", "outcome = 'withdrawn'"), "the exit's visit withdrawn")
    gates.until(lambda: len(gates.rows("1", "outcome = 'completed'")) == 2, "the true visit")

    assert gates.rows("plate_text, outcome, dwell_s, match") == [
        ("AB1034", "completed", 3600.0, "confusable"),
        ("XY9876", "open", None, None),
        ("KL5522", "completed", 400.0, "exact"),
        ("KL5522", "withdrawn", None, None),
    ]
    for revisions in gates.sent().values():
        assert sorted(revisions) == list(range(1, len(revisions) + 1))
        for records in revisions.values():  # a crash may send one twice, but never two that differ
            assert all(record == records[0] for record in records)
    assert gates.until(lambda: len(gates.measured()) >= 3 and gates.measured(), "occupancy") == [1.0, 2.0, 1.0]
    store = TimescaleStore.connect(gates.dsn, ApiSettings())
    await store.open()
    try:
        held = await store.occupancy(gates.site)
    finally:
        await store.close()
    assert held is not None
    assert (held.occupancy, held.capacity) == (1, 3)
