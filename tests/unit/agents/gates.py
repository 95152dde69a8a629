"""Gates, sightings at them and the rows of a site, for the tests of visits."""

from collections.abc import Iterable, Iterator
from itertools import count

from agents.decisions.visit_log import Outcome, Place, VisitKeeper
from agents.decisions.visits import VisitSettings
from schemas.events import CharacterAlternative, Visit
from tables.site_book import SiteBook
from tables.staged_rows import StagedRows
from tables.visits import ENTRY, EXIT, WITHDRAWN, GateRead

T0 = 1_764_000_000_000_000
SECOND = 1_000_000


class Rows:
    """A table partition in memory."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}

    def scan(self, start: bytes, stop: bytes) -> Iterator[tuple[bytes, bytes]]:
        """As `streams.table.RunTable.scan`."""
        return iter([(key, self.values[key]) for key in sorted(self.values) if start <= key < stop])

    def staged(self) -> StagedRows:
        """Rows of a run that begins."""
        return StagedRows(self.values.get, self.scan)

    def apply(self, rows: StagedRows) -> None:
        """The run is finished."""
        for key, value in rows.changes.items():
            if value is None:
                self.values.pop(key, None)
            else:
                self.values[key] = value


class Site:
    """One site that is told of sightings, each in a run of its own.

    Attributes:
        sent: all revisions, in order.
        rows: what is stored.
    """

    def __init__(self, settings: VisitSettings | None = None, name: str = "north") -> None:
        self.name = name
        self.keeper = VisitKeeper(settings or VisitSettings())
        self.rows = Rows()
        self.sent: list[Visit] = []
        self._offsets = count()

    def book(self) -> SiteBook:
        """The site's rows."""
        return SiteBook(self.name, self.rows.staged())

    def take(self, read: GateRead, place: Place | None = None) -> Outcome:
        """Tell of a sighting."""
        book = self.book()
        outcome = self.keeper.take(book, read, place or Place(next(self._offsets), 0))
        self.rows.apply(book.rows)
        self.sent += outcome.visits
        return outcome

    def take_all(self, reads: Iterable[GateRead]) -> "Site":
        """Tell of many."""
        for read in reads:
            self.take(read)
        return self

    def tick(self, complete_to: int) -> Outcome:
        """Time goes on."""
        book = self.book()
        outcome = self.keeper.tick(book, complete_to)
        self.rows.apply(book.rows)
        self.sent += outcome.visits
        return outcome

    @property
    def visits(self) -> dict[str, Visit]:
        """Each visit at its highest revision, as a consumer has it; withdrawn ones are gone."""
        newest: dict[str, Visit] = {}
        for visit in self.sent:
            assert visit.revision == (newest[visit.visit_id].revision + 1 if visit.visit_id in newest else 1)
            newest[visit.visit_id] = visit
        return {key: visit for key, visit in newest.items() if visit.outcome != WITHDRAWN}

    @property
    def only(self) -> Visit:
        """The visit, where there is one."""
        (visit,) = self.visits.values()
        return visit

    @property
    def occupancy(self) -> int:
        """Open visits, as counted."""
        return self.book().occupancy


def enters(text: str, at_s: float, event_id: str | None = None, revision: int = 1, **fields: object) -> GateRead:
    """A plate at the entry, seconds after `T0`."""
    return _read(ENTRY, text, at_s, event_id, revision, **fields)


def leaves(text: str, at_s: float, event_id: str | None = None, revision: int = 1, **fields: object) -> GateRead:
    """A plate at the exit."""
    return _read(EXIT, text, at_s, event_id, revision, **fields)


def seen(*positions: str) -> tuple[tuple[CharacterAlternative, ...], ...]:
    """Alternatives of a read: at each position the characters, the first with .6, the others sharing .35."""
    return tuple(
        tuple(CharacterAlternative(char, 0.6 if i == 0 else 0.35 / (len(chars) - 1)) for i, char in enumerate(chars))
        for chars in positions
    )


def _read(gate: str, text: str, at_s: float, event_id: str | None, revision: int, **fields: object) -> GateRead:
    name = event_id or f"{gate}-{text}-{at_s:g}"
    values = {"camera_id": f"{gate}-1", "confidence": 0.9, **fields}
    return GateRead(name, revision, T0 + round(at_s * SECOND), gate, text=text, **values)  # type: ignore[arg-type]  # as given
