"""SQL for sightings. Values are parameters throughout; only names from this code are put into the text.

Indexes that these statements want, beyond the primary key: ``(captured_at DESC, event_id DESC)``,
``(camera_id, captured_at DESC)``, and with ``text_pattern_ops`` ``plate_normalized_text``, ``resolved_text`` and the
`folded` expressions of both.
"""

from typing import Any

from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from query_api.plates import PlateQuery
from query_api.values import EVENT_NAMES, AlertFilter, EventFilter, Position
from query_api.visit_values import VisitFilter
from schemas.aliases import FLAT_NAMES
from schemas.confusion import FOLD

_FOLD_FROM = "".join(chr(code) for code in FOLD)
_FOLD_TO = "".join(FOLD.values())

VEHICLE_NAMES = (*(name for name in FLAT_NAMES if not name.startswith("plate_")), "revision", "node", "extras")
"""Columns of vehicle_events: those of plate_events without plate and identity."""

EVENT_COLUMNS = SQL(", ").join(map(Identifier, EVENT_NAMES))


def folded(text: Composable) -> Composed:
    """The text with each OCR confusable replaced by its class's first character, as `schemas.identity.fold` does."""
    return SQL("translate({}, {}, {})").format(text, Literal(_FOLD_FROM), Literal(_FOLD_TO))


class Conditions:
    """A conjunction that grows, with its parameters."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._parts: list[Composable] = []

    def add(self, part: Composable, **values: Any) -> None:
        """Add a condition whose parameters are named by the keywords."""
        self._parts.append(part)
        self.values |= values

    @property
    def where(self) -> Composable:
        """``WHERE ...``, or nothing."""
        return SQL("WHERE ") + SQL(" AND ").join(self._parts) if self._parts else SQL("")

    def one_of(self, column: str, wanted: tuple[str, ...]) -> None:
        """The column has one of the values; no values: any."""
        if wanted:
            self.add(SQL("{} = ANY({})").format(Identifier(column), _parameter(column)), **{column: list(wanted)})

    def same_text(self, column: str, wanted: str | None) -> None:
        """The column is the text, in any case; None: any."""
        if wanted is not None:
            self.add(SQL("lower({}) = lower({})").format(Identifier(column), _parameter(column)), **{column: wanted})

    def between(self, column: str, wanted: EventFilter | AlertFilter | VisitFilter) -> None:
        """The time lies in the filter's half-open range."""
        if wanted.start is not None:
            self.add(SQL("{} >= %(start)s").format(Identifier(column)), start=wanted.start)
        if wanted.end is not None:
            self.add(SQL("{} < %(end)s").format(Identifier(column)), end=wanted.end)

    def after(self, at_column: str, id_column: str, position: Position | None) -> None:
        """Strictly after the position, in descending order of time and id."""
        if position is not None:
            self.add(
                # the first comparison is implied by the second; it lets TimescaleDB skip chunks
                SQL("{at} <= %(after_at)s AND ({at}, {id}) < (%(after_at)s, %(after_id)s)").format(
                    at=Identifier(at_column), id=Identifier(id_column)
                ),
                after_at=position.at,
                after_id=position.id,
            )

    def plate(self, query: PlateQuery | None, *texts: Composable) -> None:
        """One of the texts, which are normalised, is what is looked for."""
        if query is None:
            return
        operator = SQL("LIKE" if query.is_pattern else "=")
        sides = [folded(text) if query.fuzzy else text for text in texts]
        part = SQL(" OR ").join(SQL("{} {} %(plate)s").format(side, operator) for side in sides)
        self.add(SQL("({})").format(part), plate=query.like if query.is_pattern else query.text)


def events(wanted: EventFilter, after: Position | None, limit: int) -> tuple[Composed, dict[str, Any]]:
    """Sightings that the filter wants, newest first."""
    conditions = Conditions()
    conditions.add(SQL("merged_into IS NULL"))
    conditions.between("captured_at", wanted)
    conditions.after("captured_at", "event_id", after)
    conditions.plate(wanted.plate, Identifier("plate_normalized_text"), Identifier("resolved_text"))
    conditions.one_of("camera_id", wanted.camera_ids)
    conditions.one_of("site_id", wanted.site_ids)
    if wanted.min_confidence is not None:
        conditions.add(
            SQL("coalesce(resolved_confidence, plate_confidence) >= %(min_confidence)s"),
            min_confidence=wanted.min_confidence,
        )
    conditions.same_text("plate_region", wanted.region)
    conditions.same_text("direction", wanted.direction)
    for column in ("vehicle_type", "vehicle_make", "vehicle_model", "vehicle_color"):
        conditions.same_text(column, getattr(wanted, column))
    query = SQL(
        "SELECT {columns} FROM plate_events {where} ORDER BY captured_at DESC, event_id DESC LIMIT %(limit)s"
    ).format(columns=EVENT_COLUMNS, where=conditions.where)
    return query, {**conditions.values, "limit": limit}


EVENT_BY_ID = SQL("SELECT {} FROM plate_events WHERE event_id = %(event_id)s LIMIT 1").format(EVENT_COLUMNS)
VEHICLE_BY_ID = SQL("SELECT {} FROM vehicle_events WHERE event_id = %(event_id)s LIMIT 1").format(
    SQL(", ").join(map(Identifier, VEHICLE_NAMES))
)


def _parameter(name: str) -> SQL:
    return SQL(f"%({name})s")  # names are this module's columns
