"""What requests may ask: query parameters and bodies, validated before anything else sees them."""

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from query_api.plates import MAX_QUERY_CHARS, PlateQuery
from query_api.text import is_storable
from query_api.values import AlertFilter, EventFilter, TextQuery
from query_api.visit_values import VisitFilter
from schemas.clock import parse_time, to_datetime
from schemas.events import AlertMatcher

MAX_PAGE = 500
MAX_CHOICES = 50
_SPACE_FOR_PLUS = re.compile(r" (\d\d:?\d\d)$")


def _storable(text: str) -> str:
    if not is_storable(text):
        raise ValueError("NUL characters and broken Unicode cannot be searched for")
    return text


def _time(value: Any) -> Any:
    """ISO 8601 or a Unix time; a zone whose plus sign was not escaped in the URL is understood."""
    if not isinstance(value, str | int | float):
        return value
    text = _SPACE_FOR_PLUS.sub(r"+\1", value) if isinstance(value, str) else value
    try:
        return to_datetime(parse_time(text))
    except (ValueError, OverflowError):
        raise ValueError("not a time; write ISO 8601 such as 2026-11-24T10:30:00Z") from None


Text = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_storable)]
Choices = Annotated[list[Text], Field(max_length=MAX_CHOICES)]
Moment = Annotated[datetime, BeforeValidator(_time)]
Cursor = Annotated[
    str | None, Field(None, max_length=8192, description="`next_cursor` of the page before, as it was given")
]
Limit = Annotated[int, Field(50, ge=1, le=MAX_PAGE, description="Most items in the page")]
From = Annotated[
    Moment | None, Field(None, alias="from", description="At this time or later", examples=["2026-11-24T00:00:00Z"])
]
To = Annotated[Moment | None, Field(None, description="Before this time", examples=["2026-11-25T00:00:00Z"])]
PlateText = Annotated[
    str | None,
    Field(
        None,
        min_length=1,
        max_length=MAX_QUERY_CHARS,
        description="Case and separators do not matter; `?` is any one character, `*` any run of them",
        examples=["AB-123-C", "AB?1*"],
    ),
    AfterValidator(lambda text: text if text is None else _storable(text)),
]
Fuzzy = Annotated[bool, Field(False, description="Take OCR confusables for equal: 0/O/D/Q, 1/I/L, 2/Z, 5/S, 8/B, 6/G")]


class Parameters(BaseModel):
    """Query parameters; one that is not known is refused, for it would be ignored in silence otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Period(Parameters):
    """A half-open range of time."""

    start: From
    end: Annotated[To, Field(alias="to")]

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise ValueError("`from` must lie before `to`")
        return self


class Recent(Parameters):
    """Parameters of the newest events."""

    limit: Limit


class EventSearch(Period):
    """Parameters of a search for sightings; all that are given must hold."""

    plate: PlateText
    fuzzy: Fuzzy
    camera_id: Choices = Field([], description="One of these cameras; repeat it for several")
    site_id: Choices = Field([], description="One of these sites; repeat it for several")
    min_confidence: float | None = Field(None, ge=0, le=1, description="Of the plate")
    region: Text | None = Field(None, description="Of the plate", examples=["nl", "us-ca"])
    direction: Text | None = None
    vehicle_type: Text | None = None
    vehicle_make: Text | None = None
    vehicle_model: Text | None = None
    vehicle_color: Text | None = None
    limit: Limit
    cursor: Cursor

    def wanted(self) -> EventFilter:
        """The filter.

        Raises:
            query_api.errors.Invalid: the plate holds nothing to look for.
        """
        return EventFilter(
            plate=None if self.plate is None else PlateQuery.parse(self.plate, self.fuzzy),
            camera_ids=tuple(self.camera_id),
            site_ids=tuple(self.site_id),
            start=self.start,
            end=self.end,
            min_confidence=self.min_confidence,
            region=self.region,
            direction=self.direction,
            vehicle_type=self.vehicle_type,
            vehicle_make=self.vehicle_make,
            vehicle_model=self.vehicle_model,
            vehicle_color=self.vehicle_color,
        )


Severity = Literal["info", "low", "medium", "high", "critical"]


class AlertSearch(Period):
    """Parameters of a search for alerts; all that are given must hold."""

    rule: Choices = Field([], description="One of these rule ids; repeat it for several")
    severity: list[Severity] = Field([], max_length=5, description="One of these; repeat it for several")
    plate: PlateText
    fuzzy: Fuzzy
    camera_id: Choices = []
    site_id: Choices = []
    acknowledged: bool | None = Field(None, description="Acknowledged or resolved by somebody, or not")
    limit: Limit
    cursor: Cursor

    def wanted(self) -> AlertFilter:
        """The filter.

        Raises:
            query_api.errors.Invalid: the plate holds nothing to look for.
        """
        return AlertFilter(
            rule_ids=tuple(self.rule),
            severities=tuple(self.severity),
            plate=None if self.plate is None else PlateQuery.parse(self.plate, self.fuzzy),
            camera_ids=tuple(self.camera_id),
            site_ids=tuple(self.site_id),
            start=self.start,
            end=self.end,
            acknowledged=self.acknowledged,
        )


VisitOutcome = Literal["open", "completed", "exit_missed", "exit_only", "expired", "withdrawn"]


class VisitSearch(Period):
    """Parameters of a search for visits; all that are given must hold. Times are those of the visit's begin."""

    site_id: Choices = Field([], description="One of these sites; repeat it for several")
    plate: PlateText
    fuzzy: Fuzzy
    open: bool | None = Field(None, description="Visits of vehicles that are inside (true), or that are over (false)")
    outcome: list[VisitOutcome] = Field([], max_length=6, description="One of these; repeat it for several")
    limit: Limit
    cursor: Cursor

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.open is not None and self.outcome:
            raise ValueError("`open` and `outcome` say the same; give one of them")
        return self

    def wanted(self) -> VisitFilter:
        """The filter.

        Raises:
            query_api.errors.Invalid: the plate holds nothing to look for.
        """
        outcomes: tuple[str, ...] = tuple(self.outcome)
        if self.open is not None:
            outcomes = ("open",) if self.open else ("completed", "exit_missed", "exit_only", "expired")
        return VisitFilter(
            site_ids=tuple(self.site_id),
            plate=None if self.plate is None else PlateQuery.parse(self.plate, self.fuzzy),
            outcomes=outcomes,
            start=self.start,
            end=self.end,
        )


class FullText(Period):
    """Parameters of a full-text search."""

    q: Text = Field(
        description='Words, all of which must occur; `"a phrase"`, `-without`, `prefix*`, `a | b`; or a plate',
        examples=["white van gate-3"],
    )
    camera_id: Choices = []
    site_id: Choices = []
    limit: Limit
    cursor: Cursor

    def wanted(self) -> TextQuery:
        """The query."""
        return TextQuery(
            text=self.q,
            camera_ids=tuple(self.camera_id),
            site_ids=tuple(self.site_id),
            start=self.start,
            end=self.end,
        )


class CameraSearch(Parameters):
    """Parameters of the list of cameras."""

    days: int = Field(30, ge=1, le=3650, description="Cameras that have seen something in as many days")


Note = Annotated[str, Field(max_length=4096), AfterValidator(_storable)]
Globs = Annotated[list[Text], Field(max_length=MAX_CHOICES, description="Globs: `?` is one character, `*` any run")]
MAX_SILENCE = timedelta(days=365)


class MatcherBody(BaseModel):
    """Which alerts: each field that is given must fit, by any of its globs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: Globs = []
    severities: Annotated[list[Severity], Field(max_length=MAX_CHOICES)] = []
    sites: Globs = []
    cameras: Globs = []
    plates: Globs = []
    keys: Globs = []

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not any((self.rules, self.severities, self.sites, self.cameras, self.plates, self.keys)):
            raise ValueError("name at least one rule, severity, site, camera, plate or key")
        return self

    def as_event(self) -> AlertMatcher:
        """As it stands on the topic."""
        return AlertMatcher(**{name: tuple(getattr(self, name)) for name in type(self).model_fields})


class SilenceBody(BaseModel):
    """A silence."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "matcher": {"cameras": ["gate-1"], "severities": ["low", "medium"]},
                    "until": "2026-12-24T18:00:00Z",
                    "author": "m.visser",
                    "comment": "roadworks at the gate",
                }
            ]
        },
    )

    matcher: MatcherBody
    until: Moment = Field(description="Its end, within a year")
    starts_at: Moment | None = Field(None, description="Its beginning; left out: now")
    author: Text = Field(description="Who does it")
    comment: Note = Field(description="Why")


class AlertActionBody(BaseModel):
    """What a person does with an alert."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [{"action": "acknowledge", "actor": "m.visser", "note": "patrol is on its way"}]
        },
    )

    action: Literal["acknowledge", "resolve", "silence", "label"]
    actor: Text = Field(description="Who does it")
    label: Text | None = Field(None, description="With `label`: true_positive, false_positive or words of your own")
    note: Note | None = None
    until: Moment | None = Field(None, description="With `silence`: its end")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for action, name in (("label", "label"), ("silence", "until")):
            given = getattr(self, name) is not None
            if self.action == action and not given:
                raise ValueError(f"`{action}` needs `{name}`")
            if self.action != action and given:
                raise ValueError(f"`{name}` belongs to `{action}` alone")
        return self
