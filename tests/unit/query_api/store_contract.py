"""What every `EventStore` must do, in memory and on the real servers. Subclasses give the fixtures."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from query_api.plates import PlateQuery
from query_api.ports import EventStore
from query_api.values import AlertFilter, AlertRow, EventFilter, EventRow, Position
from schemas.clock import MICROS_PER_S, to_datetime
from schemas.events import AlertMatcher, Location, Resolved, Vehicle
from tests.unit.query_api import samples
from tests.unit.query_api.contracts import HOSTILE, Seed


async def all_events(store: EventStore, wanted: EventFilter, limit: int) -> list[EventRow]:
    """Walk the pages to the end."""
    rows: list[EventRow] = []
    after: Position | None = None
    while page := await store.events(wanted, after, limit):
        rows += page
        after = Position(page[-1].captured_at, page[-1].event_id)
    return rows


class EventStoreContract:
    """Conformance of an `EventStore`."""

    @pytest.fixture
    def store(self) -> EventStore:
        """The implementation."""
        raise NotImplementedError

    @pytest.fixture
    def seed(self) -> Seed:
        """Writes domain events into it."""
        raise NotImplementedError

    async def test_newest_first_then_by_id(self, store: EventStore, seed: Seed) -> None:
        """Events come by capture time and then id, both descending."""
        camera, at = samples.fresh("cam"), samples.ago(600)
        ids = sorted(samples.fresh("e") for _ in range(3))
        await seed(*(samples.sighting(event_id=name, camera_id=camera, captured_at=at) for name in ids))
        newest = samples.sighting(camera_id=camera, captured_at=at + 1)
        await seed(newest)
        rows = await store.events(EventFilter(camera_ids=(camera,)), None, 10)
        assert [row.event_id for row in rows] == [newest.event_id, *reversed(ids)]

    async def test_fields_survive(self, store: EventStore, seed: Seed) -> None:
        """What was written is what is read, to the microsecond."""
        event = samples.sighting(captured_at=samples.ago(600) // 1000 * 1000 + 123, visit_id="v1")
        await seed(event)
        row = await store.event(event.event_id)
        assert row is not None
        assert row.captured_at == to_datetime(event.captured_at)
        assert row.captured_at.utcoffset() == timedelta(0)
        assert (row.plate_text, row.plate_normalized_text, row.plate_region) == ("AB-123-C", "AB123C", "nl")
        assert (row.vehicle_make, row.latitude, row.longitude, row.reads) == ("Volvo", 52.1, 5.2, 5)
        assert (row.extras, row.visit_id, row.revision, row.is_final) == ({"lane": "2"}, "v1", 1, True)
        assert row.characters is not None
        assert row.characters[0] == [{"char": "A", "probability": 0.97}]

    async def test_pages_are_stable_under_inserts(self, store: EventStore, seed: Seed) -> None:
        """Pages show each event once, whatever arrives in between."""
        camera, at = samples.fresh("cam"), samples.ago(900)
        first = [samples.sighting(camera_id=camera, captured_at=at + (i // 2) * MICROS_PER_S) for i in range(10)]
        await seed(*first)
        wanted = EventFilter(camera_ids=(camera,))
        page = await store.events(wanted, None, 4)
        await seed(*(samples.sighting(camera_id=camera, captured_at=samples.ago(10 - i)) for i in range(5)))
        rest: list[EventRow] = list(page)
        while page:
            after = Position(page[-1].captured_at, page[-1].event_id)
            page = await store.events(wanted, after, 4)
            rest += page
        assert sorted(row.event_id for row in rest) == sorted(event.event_id for event in first)

    @pytest.mark.parametrize("limit", [1, 3, 100])
    async def test_page_size_changes_nothing(self, store: EventStore, seed: Seed, limit: int) -> None:
        """Any page size gives the same list."""
        camera = samples.fresh("cam")
        await seed(*(samples.sighting(camera_id=camera, captured_at=samples.ago(60 * i)) for i in range(7)))
        wanted = EventFilter(camera_ids=(camera,))
        assert await all_events(store, wanted, limit) == await store.events(wanted, None, 100)

    @pytest.mark.parametrize(
        ("query", "fuzzy", "expected"),
        [
            ("AB-123-C", False, {"AB123C"}),
            ("ab 123 c", False, {"AB123C"}),
            ("AB?23C", False, {"AB123C", "ABI23C"}),
            ("AB*", False, {"AB123C", "ABI23C", "AB0I2Z"}),
            ("*3C", False, {"AB123C", "ABI23C", "XX993C"}),
            ("AB?1*", False, set()),
            ("*", False, {"AB123C", "ABI23C", "AB0I2Z", "XX993C", "京A8888"}),
            ("AB123C", True, {"AB123C", "ABI23C"}),
            ("A8O1Z2", True, {"AB0I2Z"}),
            ("A8O*", True, {"AB0I2Z"}),
            ("京A888B", True, {"京A8888"}),
            ("京a8888", False, {"京A8888"}),
            ("NOTHERE", False, set()),
        ],
    )
    async def test_plate_queries(
        self, store: EventStore, seed: Seed, query: str, fuzzy: bool, expected: set[str]
    ) -> None:
        """Exact, wildcard and confusable-tolerant queries find what they say and no more."""
        camera = samples.fresh("cam")
        texts = ("AB-123-C", "ABI23C", "AB0I2Z", "XX-99-3C", "京A·8888")
        await seed(*(samples.sighting(text, camera_id=camera) for text in texts))
        wanted = EventFilter(camera_ids=(camera,), plate=PlateQuery.parse(query, fuzzy))
        rows = await store.events(wanted, None, 10)
        assert {row.plate_normalized_text for row in rows} == expected

    async def test_finds_the_resolved_plate_too(self, store: EventStore, seed: Seed) -> None:
        """A sighting is found by what was read and by what the reads were resolved to."""
        camera = samples.fresh("cam")
        await seed(samples.sighting("AB123C", camera_id=camera, resolved=Resolved(text="AB128C", confidence=0.97)))
        for text in ("AB123C", "AB128C"):
            wanted = EventFilter(camera_ids=(camera,), plate=PlateQuery.parse(text))
            assert len(await store.events(wanted, None, 10)) == 1, text

    @pytest.mark.parametrize(
        "change",
        [
            {"site_ids": ("other",)},
            {"min_confidence": 0.95},
            {"region": "DE"},
            {"direction": "OUT"},
            {"vehicle_type": "Bus"},
            {"vehicle_make": "daf"},
            {"vehicle_model": "SB220"},
            {"vehicle_color": "Red"},
        ],
        ids=lambda change: next(iter(change)),
    )
    async def test_each_filter(self, store: EventStore, seed: Seed, change: dict[str, Any]) -> None:
        """Each filter keeps the one event that fits it, in any case."""
        camera = samples.fresh("cam")
        read = samples.plate("ZZ-99-Z", confidence=0.99, region="de")
        bus = samples.sighting(
            camera_id=camera,
            plate=read,
            site_id="other",
            direction="out",
            vehicle=Vehicle("bus", "DAF", "sb220", "red", 0.9),
        )
        await seed(bus, samples.sighting(camera_id=camera))
        rows = await store.events(EventFilter(camera_ids=(camera,), **change), None, 10)
        assert [row.event_id for row in rows] == [bus.event_id]

    async def test_several_cameras(self, store: EventStore, seed: Seed) -> None:
        """Several cameras are alternatives."""
        cameras = (samples.fresh("cam"), samples.fresh("cam"))
        await seed(*(samples.sighting(camera_id=camera) for camera in (*cameras, samples.fresh("cam"))))
        rows = await store.events(EventFilter(camera_ids=cameras), None, 10)
        assert {row.camera_id for row in rows} == set(cameras)

    async def test_time_range_is_half_open(self, store: EventStore, seed: Seed) -> None:
        """The start belongs to the range, the end does not."""
        camera, at = samples.fresh("cam"), samples.ago(600)
        await seed(*(samples.sighting(camera_id=camera, captured_at=at + shift) for shift in (-1, 0, 1, 2)))
        wanted = EventFilter(camera_ids=(camera,), start=to_datetime(at), end=to_datetime(at + 2))
        rows = await store.events(wanted, None, 10)
        assert [row.captured_at for row in rows] == [to_datetime(at + 1), to_datetime(at)]

    async def test_vehicle_by_id(self, store: EventStore, seed: Seed) -> None:
        """A vehicle without a plate is found by its id, and is no sighting."""
        camera = samples.fresh("cam")
        event = samples.vehicle(camera_id=camera)
        await seed(event)
        row = await store.event(event.event_id)
        assert row is not None
        assert (row.plate_text, row.vehicle_type) == (None, "truck")
        assert await store.events(EventFilter(camera_ids=(camera,)), None, 10) == []

    async def test_unknown_ids(self, store: EventStore) -> None:
        """What is not there is None."""
        assert await store.event(samples.fresh("none")) is None
        assert await store.alert(samples.fresh("none")) is None

    async def test_newest_revision(self, store: EventStore, seed: Seed) -> None:
        """An event shows once, at its highest revision."""
        camera = samples.fresh("cam")
        first = samples.sighting(camera_id=camera)
        second = replace(first, revision=2, resolved=Resolved(text="AB123G", confidence=0.99, previous_text="AB123C"))
        await seed(first)
        await seed(second)
        [row] = await store.events(EventFilter(camera_ids=(camera,)), None, 10)
        assert (row.revision, row.resolved_text, row.previous_text) == (2, "AB123G", "AB123C")

    @pytest.mark.parametrize("text", HOSTILE)
    async def test_hostile_text_finds_nothing(self, store: EventStore, seed: Seed, text: str) -> None:
        """Text is data: it neither matches everything nor breaks a statement."""
        camera = samples.fresh("cam")
        event = samples.sighting(camera_id=camera)
        await seed(event)
        assert await store.event(text) is None
        assert await store.alert(text) is None
        assert await store.events(EventFilter(camera_ids=(text,)), None, 10) == []
        assert await store.events(EventFilter(camera_ids=(camera,), vehicle_make=text), None, 10) == []
        assert await store.alerts(AlertFilter(rule_ids=(text,)), None, 10) == []
        after = Position(to_datetime(event.captured_at), text)
        await store.events(EventFilter(camera_ids=(camera,)), after, 10)
        assert len(await store.events(EventFilter(camera_ids=(camera,)), None, 10)) == 1

    async def test_alerts_by_filter(self, store: EventStore, seed: Seed) -> None:
        """Each filter of alerts keeps what fits it."""
        site, at = samples.fresh("site"), samples.ago(600)
        one = samples.alert(site_id=site, camera_id="c1", fired_at=at, severity="low", plate_text="AB-123-C")
        two = samples.alert(
            site_id=site,
            camera_id="c2",
            fired_at=at + MICROS_PER_S,
            rule=replace(one.rule, id="speeding"),
            plate_text="XX-99-X",
            proof=replace(one.proof, matched_plate=None),
        )
        await seed(one, two)

        async def found(**changes: Any) -> list[str]:
            return [row.alert_id for row in await store.alerts(AlertFilter(site_ids=(site,), **changes), None, 10)]

        assert await found() == [two.alert_id, one.alert_id]
        assert await found(rule_ids=("speeding",)) == [two.alert_id]
        assert await found(severities=("low", "info")) == [one.alert_id]
        assert await found(camera_ids=("c2",)) == [two.alert_id]
        assert await found(plate=PlateQuery.parse("ab 123 c")) == [one.alert_id]
        assert await found(plate=PlateQuery.parse("xx*")) == [two.alert_id]
        assert await found(plate=PlateQuery.parse("A8I23C", fuzzy=True)) == [one.alert_id]
        assert await found(start=to_datetime(at + 1)) == [two.alert_id]
        assert await found(end=to_datetime(at + MICROS_PER_S)) == [one.alert_id]

    async def test_alert_pages(self, store: EventStore, seed: Seed) -> None:
        """Alerts of the same moment are not lost between pages."""
        site, at = samples.fresh("site"), samples.ago(600)
        seeded = [samples.alert(site_id=site, fired_at=at) for _ in range(5)]
        await seed(*seeded)
        wanted, after, rows = AlertFilter(site_ids=(site,)), None, list[AlertRow]()
        while page := await store.alerts(wanted, after, 2):
            rows += page
            after = Position(page[-1].fired_at, page[-1].alert_id)
        assert [row.alert_id for row in rows] == sorted((item.alert_id for item in seeded), reverse=True)

    async def test_alert_actions(self, store: EventStore, seed: Seed) -> None:
        """Actions come oldest first; acknowledged is what was acknowledged or resolved."""
        site = samples.fresh("site")
        untouched, labelled, resolved, done = (samples.alert(site_id=site) for _ in range(4))
        await seed(untouched, labelled, resolved, done)
        until = samples.ago(-3600)
        acknowledgement = samples.action(done.alert_id, acted_at=samples.ago(50))
        silence = samples.action(done.alert_id, "silence", acted_at=samples.ago(90), until=until)
        await seed(acknowledgement, silence)
        await seed(samples.action(labelled.alert_id, "label", label="false_positive"))
        await seed(samples.action(resolved.alert_id, "resolve"))
        yes = await store.alerts(AlertFilter(site_ids=(site,), acknowledged=True), None, 10)
        no = await store.alerts(AlertFilter(site_ids=(site,), acknowledged=False), None, 10)
        assert {row.alert_id for row in yes} == {resolved.alert_id, done.alert_id}
        assert {row.alert_id for row in no} == {untouched.alert_id, labelled.alert_id}
        row = await store.alert(done.alert_id)
        assert row is not None
        assert [item.action_id for item in row.done] == [silence.action_id, acknowledgement.action_id]
        assert row.done[0].until == to_datetime(until)

    async def test_silences(self, store: EventStore, seed: Seed) -> None:
        """Those that are not over and that nobody has ended, the first to end first; a repeated one counts once."""
        now = datetime.now(UTC)
        first, second, over, ended = (samples.fresh("silence") for _ in range(4))
        matcher = AlertMatcher(cameras=("gate-*",), severities=("low",))
        later = {"until": samples.ago(-7200), "starts_at": samples.ago(-3600), "matcher": matcher, "note": "works"}
        await seed(
            samples.action(second, "silence", action_id=second, **later),
            samples.action(second, "silence", action_id=second, **later),
            samples.action("alert-1", "silence", action_id=first, until=samples.ago(-1800), acted_at=samples.ago(9)),
            samples.action(over, "silence", action_id=over, until=samples.ago(5), matcher=matcher),
            samples.action(ended, "silence", action_id=ended, until=samples.ago(-1800), matcher=matcher),
            samples.action(ended, "unsilence", silence_id=ended),
        )
        rows = {row.silence_id: row for row in await store.silences(now)}
        assert {over, ended}.isdisjoint(rows)
        assert [name for name in rows if name in (first, second)] == [first, second]
        assert (rows[first].alert_id, rows[first].matcher) == ("alert-1", None)
        assert rows[first].starts_at < now
        assert (rows[second].matcher or {})["cameras"] == ["gate-*"]
        assert (rows[second].author, rows[second].comment) == ("m.visser", "works")
        assert rows[second].starts_at > now

    async def test_receipts_with_the_single_alert(self, store: EventStore, seed: Seed) -> None:
        """A single alert has the receipts of its notifications and its proof; a list has no receipts."""
        site = samples.fresh("site")
        event = samples.alert(site_id=site)
        await seed(event, samples.receipt(event.alert_id))
        row = await store.alert(event.alert_id)
        assert row is not None
        assert [(item.channel, item.outcome, item.attempts) for item in row.receipts] == [("email", "delivered", 1)]
        assert row.event_ids == ("e1", "e2")
        assert (row.likelihood, row.matched_plate) == (0.91, "AB123C")
        assert (row.images or {})["plate_url"] == event.images.plate_url
        [listed] = await store.alerts(AlertFilter(site_ids=(site,)), None, 10)
        assert listed.receipts == ()

    async def test_counts(self, store: EventStore, seed: Seed) -> None:
        """Statistics grow by what is written, and only what is recent counts as recent."""
        since = datetime.now(UTC) - timedelta(hours=24)
        before = await store.stats(since)
        camera, text = samples.fresh("cam"), samples.fresh("P")[:8]
        await seed(
            samples.sighting(text, camera_id=camera),
            samples.sighting(text, camera_id=camera),
            samples.sighting(text, camera_id=camera, captured_at=samples.ago(48 * 3600)),
            samples.vehicle(camera_id=camera),
        )
        await seed(samples.alert(severity="critical"))
        await seed(samples.dead_letter(error_type="TIMEOUT"))
        after = await store.stats(since)
        assert after.totals.events - before.totals.events == 3
        assert after.totals.vehicles - before.totals.vehicles == 1
        assert after.totals.alerts - before.totals.alerts == 1
        assert after.totals.dead_letters - before.totals.dead_letters == 1
        assert after.recent.events - before.recent.events == 2
        assert (after.recent.plates or 0) - (before.recent.plates or 0) == 1
        assert after.alerts_by_severity["critical"] - before.alerts_by_severity.get("critical", 0) == 1
        assert after.dead_letters_by_error["TIMEOUT"] - before.dead_letters_by_error.get("TIMEOUT", 0) == 1
        [row] = [row for row in after.cameras if row.camera_id == camera]
        assert (row.events, row.vehicles) == (2, 1)

    async def test_cameras(self, store: EventStore, seed: Seed) -> None:
        """A camera shows its counts, mean confidence and latest known place; one that was silent does not show."""
        camera, silent = samples.fresh("cam"), samples.fresh("cam")
        old, new = samples.ago(3600), samples.ago(60)
        await seed(
            samples.sighting(camera_id=camera, captured_at=old, plate=samples.plate("AA11AA", 0.8)),
            samples.sighting(
                camera_id=camera,
                captured_at=new,
                plate=samples.plate("AA11AA", 0.9),
                site_id="moved",
                location=Location(50.0, 4.0),
            ),
            samples.vehicle(camera_id=camera, captured_at=new + 1),
            samples.sighting(camera_id=silent, captured_at=samples.ago(48 * 3600)),
        )
        rows = await store.cameras(datetime.now(UTC) - timedelta(hours=24))
        assert [row.camera_id for row in rows] == sorted(row.camera_id for row in rows)
        assert silent not in {row.camera_id for row in rows}
        [row] = [row for row in rows if row.camera_id == camera]
        assert (row.events, row.vehicles, row.site_id) == (2, 1, "moved")
        assert (row.latitude, row.longitude) == (50.0, 4.0)
        assert row.confidence == pytest.approx(0.85)
        assert (row.first_at, row.last_at) == (to_datetime(old), to_datetime(new + 1))

    async def test_ping(self, store: EventStore) -> None:
        """A server that is there answers."""
        await store.ping()
