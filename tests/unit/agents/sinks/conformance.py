"""What every sink must do, as one base class. A subclass gives a `Harness`; the tests are inherited.

The fake of the unit tests and the real servers of the connected tests pass the same ones.
"""

import asyncio
import math
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import permutations
from typing import Any, NamedTuple, Protocol

import pytest

from agents.sinks.port import Sink
from schemas.errors import SinkRejected, SinkUnavailable
from schemas.events import Plate, Sighting
from tests.unit.agents.sinks.sightings import new_id, sighting


class Stored(NamedTuple):
    """What a store has of an event."""

    revision: int
    plate_text: str


class Harness(Protocol):
    """A store under test, seen from both sides."""

    @property
    def sink(self) -> Sink[Sighting]:
        """The sink under test."""

    async def stored(self, event_id: str) -> Stored | None:
        """What the store has, read without the sink."""

    def bad(self, event_id: str, revision: int) -> Sighting:
        """A sighting that this store itself refuses."""

    async def cut(self) -> None:
        """Take the store away."""

    async def mend(self) -> None:
        """Bring it back, with what it had."""


HOSTILE: dict[str, dict[str, Any]] = {
    "emoji plate": {"plate": Plate("😀🚗京ب", "", 0.1)},
    "NUL in plate": {"plate": Plate("A\0B", "AB", 0.5)},
    "NUL in camera": {"camera_id": "gate\0one"},
    "NUL in extras": {"extras": {"no\0te": "a\0b"}},
    "10k extras": {"extras": {"note": "x" * 10_000}},
    "500 extras": {"extras": {f"field.{n}": "." for n in range(500)}},
    "odd extras": {"extras": {"": "", ".": "..", "a.b": "1", "a": "2", "$ref": "{}"}},
    "year 1": {"captured_at": -62_135_596_800_000_000},
    "year 9999": {"captured_at": 253_402_300_799_999_999},
    "before the calendar": {"captured_at": -(2**62)},
    "after the calendar": {"last_seen_at": 2**62},
    "NaN confidence": {"plate": Plate("AB1", "AB1", math.nan)},
    "infinite latency": {"latency_ms": math.inf},
    "huge count": {"reads": 2**40},
    "path in camera": {"camera_id": "../../etc/passwd"},
    "empty camera": {"camera_id": ""},
    "long camera": {"camera_id": "c" * 40_000},
    "SQL in camera": {"camera_id": "'; DROP TABLE plate_events; --"},
    "JSON in camera": {"camera_id": '"}\n{"index":{}}\n'},
    "half a surrogate": {"direction": "\ud800"},
    "right-to-left": {"direction": "\u202e\u200f\ufeff"},
    "foreign images": {"images": None},
}
"""Field values that producers have sent or might send."""


class SinkConformance:
    """The tests. Subclasses override the `harness` fixture."""

    @pytest.fixture
    async def harness(self) -> AsyncIterator[Harness]:
        """The store under test, clean of what other tests wrote."""
        raise NotImplementedError
        yield

    async def test_twice_is_once(self, harness: Harness) -> None:
        """A batch that is written again changes nothing and is no error."""
        batch = [sighting(new_id()) for _ in range(20)]
        assert await harness.sink.write(batch) == []
        assert await harness.sink.write(batch) == []
        for event in batch:
            assert await harness.stored(event.event_id) == Stored(1, "AB-1O23")

    async def test_higher_revision_replaces(self, harness: Harness) -> None:
        """A later identity takes the place of the earlier one."""
        event = new_id()
        await harness.sink.write([sighting(event, 1, "AB-1")])
        assert await harness.sink.write([sighting(event, 3, "AB-3")]) == []
        assert await harness.stored(event) == Stored(3, "AB-3")

    @pytest.mark.parametrize("revision", [1, 2])
    async def test_lower_or_equal_revision_is_success_without_change(self, harness: Harness, revision: int) -> None:
        """A replay of an old revision neither fails nor overwrites."""
        event = new_id()
        await harness.sink.write([sighting(event, 2, "NEW-2")])
        assert await harness.sink.write([sighting(event, revision, "OLD-1")]) == []
        assert await harness.stored(event) == Stored(2, "NEW-2")

    @pytest.mark.parametrize("order", list(permutations((1, 2, 3))))
    async def test_revisions_in_one_batch_in_any_order(self, harness: Harness, order: tuple[int, ...]) -> None:
        """The highest revision of a batch stands, wherever it was in it."""
        event = new_id()
        assert await harness.sink.write([sighting(event, revision, f"AB-{revision}") for revision in order]) == []
        assert await harness.stored(event) == Stored(3, "AB-3")

    @pytest.mark.parametrize("position", [0, 3, 6])
    async def test_bad_record_is_rejected_alone(self, harness: Harness, position: int) -> None:
        """The store's refusal of one record names it, and its neighbours are written."""
        batch = [sighting(new_id()) for _ in range(6)]
        batch.insert(position, harness.bad(new_id(), 1))
        rejections = await harness.sink.write(batch)
        assert [rejection.index for rejection in rejections] == [position]
        assert isinstance(rejections[0].error, SinkRejected)
        assert str(rejections[0].error)
        for index, event in enumerate(batch):
            assert (await harness.stored(event.event_id) is None) == (index == position)

    async def test_many_bad_records(self, harness: Harness) -> None:
        """Every second record being bad costs none of the others."""
        batch = [harness.bad(new_id(), 1) if n % 2 else sighting(new_id()) for n in range(16)]
        assert [rejection.index for rejection in await harness.sink.write(batch)] == list(range(1, 16, 2))
        for event in batch[::2]:
            assert await harness.stored(event.event_id) is not None

    async def test_refused_revision_leaves_the_one_below(self, harness: Harness) -> None:
        """Where the highest revision of a batch is refused, the next lower one of it stands."""
        event = new_id()
        batch = [sighting(event, 1, "AB-1"), harness.bad(event, 3), sighting(event, 2, "AB-2")]
        assert [rejection.index for rejection in await harness.sink.write(batch)] == [1]
        assert await harness.stored(event) == Stored(2, "AB-2")

    async def test_empty_batch(self, harness: Harness) -> None:
        """Nothing to write is success."""
        assert await harness.sink.write([]) == []

    async def test_large_batch(self, harness: Harness) -> None:
        """A batch larger than any request of the store is written whole."""
        batch = [sighting(new_id(), extras={"note": "n" * 500}) for _ in range(600)]
        assert await harness.sink.write(batch) == []
        for event in batch[::97]:
            assert await harness.stored(event.event_id) is not None

    @pytest.mark.parametrize("name", HOSTILE)
    async def test_hostile_values_are_stored_or_rejected(self, harness: Harness, name: str) -> None:
        """No value takes the batch down, or is half written: it stands in the store, or it is refused."""
        fields = dict(HOSTILE[name])
        good, odd = sighting(new_id()), sighting(new_id())
        if name == "foreign images":
            urls = ("s3://other/x.jpg", "s3://alpr-plate-images/../../x", "javascript:alert(1)")
            fields["images"] = replace(odd.images, plate_url=urls[0], vehicle_url=urls[1], frame_url=urls[2])
        odd = replace(odd, **fields)
        rejections = await harness.sink.write([good, odd])
        assert [rejection.index for rejection in rejections] in ([], [1])
        assert await harness.stored(good.event_id) is not None
        assert (await harness.stored(odd.event_id) is None) == bool(rejections)

    async def test_away_and_back(self, harness: Harness) -> None:
        """Without its server a sink says so, in bounded time; with it back, nothing is lost."""
        before, during = sighting(new_id()), sighting(new_id())
        await harness.sink.write([before])
        await harness.cut()
        for _ in range(2):
            with pytest.raises(SinkUnavailable):
                await asyncio.wait_for(harness.sink.write([during]), 20)
        assert not await harness.sink.healthy()
        await harness.mend()
        assert await harness.sink.write([during]) == []
        assert await harness.sink.healthy()
        assert await harness.stored(before.event_id) is not None
        assert await harness.stored(during.event_id) is not None

    async def test_away_from_the_start(self, harness: Harness) -> None:
        """A sink whose server is not there yet is unavailable, and sets itself up when it comes."""
        await harness.cut()
        with pytest.raises(SinkUnavailable):
            await asyncio.wait_for(harness.sink.setup(), 20)
        await harness.mend()
        event = new_id()
        assert await harness.sink.write([sighting(event)]) == []
        assert await harness.stored(event) is not None

    async def test_bad_record_while_away_waits(self, harness: Harness) -> None:
        """A batch is not settled in part by a server that is not there: refusals come with the writes."""
        await harness.sink.write([sighting(new_id())])
        await harness.cut()
        batch = [harness.bad(new_id(), 1), sighting(new_id())]
        with pytest.raises(SinkUnavailable):
            await harness.sink.write(batch)
        await harness.mend()
        assert [rejection.index for rejection in await harness.sink.write(batch)] == [0]

    async def test_cancelled_write_leaves_the_sink_usable(self, harness: Harness) -> None:
        """A shutdown or rebalance in the middle of a write breaks nothing."""
        await harness.sink.setup()
        batch = [sighting(new_id()) for _ in range(200)]
        for delay_s in (0.0, 0.002, 0.01):
            task = asyncio.ensure_future(harness.sink.write(batch))
            await asyncio.sleep(delay_s)
            task.cancel()
            await asyncio.wait([task])
        assert await harness.sink.write(batch) == []
        assert await harness.stored(batch[-1].event_id) == Stored(1, "AB-1O23")

    async def test_opens_again_after_close(self, harness: Harness) -> None:
        """Closing lets go of connections, not of the sink."""
        await harness.sink.setup()
        await harness.sink.setup()
        await harness.sink.close()
        event = new_id()
        assert await harness.sink.write([sighting(event)]) == []
        assert await harness.stored(event) is not None
