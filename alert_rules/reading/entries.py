"""Reads watchlist entries, in files and in tests: cells by name, each checked, with the place of what is wrong."""

from collections.abc import Iterator
from functools import lru_cache

from alert_rules import expectations as expect
from alert_rules.document import Listing, Mapping, Node, Scalar
from alert_rules.errors import Place, Problems, RuleProblem, nearest
from alert_rules.permit_terms import DENY, PERMIT, read_terms
from alert_rules.plate_patterns import PlatePattern
from alert_rules.reading.common import read_severity
from alert_rules.rule import SEVERITIES
from schemas.builders import builder
from schemas.clock import parse_time
from schemas.events import WatchlistEntry

TERMS = ("days", "hours", "time_zone", "quota")
COLUMNS = (
    "plate", "entry_id", "kind", "region", "vehicle_make", "vehicle_color", "reason", "priority", "valid_from",
    "valid_until", "sites", *TERMS, "likelihood",
)  # fmt: skip
SPELLINGS = {
    "plate_text": "plate", "number": "plate", "license_plate": "plate", "make": "vehicle_make", "id": "entry_id",
    "color": "vehicle_color", "colour": "vehicle_color", "vehicle_colour": "vehicle_color", "note": "reason",
    "description": "reason", "severity": "priority", "site": "sites", "from": "valid_from", "until": "valid_until",
    "weekdays": "days", "timezone": "time_zone",
}  # fmt: skip
KINDS = (DENY, PERMIT)
OF_A_LIST = ("kind", "priority", "reason", "region", "sites", *TERMS, "likelihood")
"""What a list may say for all of its entries."""
MAX_CELL_CHARS = 1000
_JOINED = {"sites": ";", "site": ";", "days": ",", "weekdays": ",", "hours": ","}


def read_entries(root: Node, problems: Problems) -> Iterator[tuple[dict[str, str], Place]]:
    """The cells of each entry of a list, with those that the list says for all.

    Args:
        root: plates or mappings; or a mapping with ``entries`` and what counts for all of them.
        problems: takes what is wrong in single entries.

    Raises:
        RuleProblem: it is no list.
    """
    defaults: dict[str, str] = {}
    listed = root
    if isinstance(root, Mapping):
        expect.known_keys(root, (*OF_A_LIST, "entries"), "a watchlist", problems)
        for name in OF_A_LIST:
            if name in root.entries:
                defaults[name] = _cell(root.entries[name], name)
        listed = expect.required(root, "entries", "a watchlist")
    for node in expect.items(listed, "entries", single=True):
        with problems.collect():
            if isinstance(node, Scalar):
                yield {**defaults, "plate": expect.text(node, "a plate")}, node.place
                continue
            body = expect.mapping(node, "an entry")
            expect.known_keys(body, (*COLUMNS, *SPELLINGS), "an entry", problems)
            known = {name: value for name, value in body.entries.items() if name in COLUMNS or name in SPELLINGS}
            cells = {SPELLINGS.get(name, name): _cell(value, name) for name, value in known.items()}
            yield {**defaults, **cells}, node.place


def read_entry(list_id: str, entry_id: str, cells: dict[str, str], place: Place) -> WatchlistEntry:
    """An entry from its cells.

    Args:
        list_id: of the list.
        entry_id: where the cells name none.
        cells: by the names of `COLUMNS`.
        place: of the entry.

    Raises:
        RuleProblem: a cell is wrong, or there is no plate.
    """
    for name, cell in cells.items():
        if len(cell) > MAX_CELL_CHARS:
            raise RuleProblem(place, f"'{name}' has {len(cell):,} characters")
    if "plate" not in cells:
        raise RuleProblem(place, "an entry needs a plate")
    try:
        pattern = PlatePattern.parse(cells["plate"])
    except ValueError as error:
        raise RuleProblem(place, f"'{cells['plate'][:40]}' is no plate: {error}") from None
    kind = cells.get("kind", DENY).lower()
    if kind not in KINDS:
        raise RuleProblem(place, f"'{kind[:40]}' is no kind{nearest(kind, KINDS)}")
    priority = cells.get("priority", "medium")
    return _make(
        list_id=list_id,
        entry_id=cells.get("entry_id") or entry_id,
        plate=pattern.text,
        kind=kind,
        region=cells.get("region"),
        vehicle_make=cells.get("vehicle_make"),
        vehicle_color=cells.get("vehicle_color"),
        reason=cells.get("reason"),
        priority=priority if priority in SEVERITIES else read_severity(Scalar(priority, place), "priority"),
        valid_from=_time(cells.get("valid_from"), place),
        valid_until=_time(cells.get("valid_until"), place),
        sites=tuple(site.strip() for site in cells["sites"].split(";") if site.strip()) if "sites" in cells else (),
        **_terms(kind, cells, place),
    )


_make = builder(WatchlistEntry)
_NO_TERMS: dict[str, str | float | None] = dict.fromkeys((*TERMS, "likelihood"))


def _terms(kind: str, cells: dict[str, str], place: Place) -> dict[str, str | float | None]:
    """What only permits have."""
    given = [name for name in _NO_TERMS if name in cells]
    if not given:
        return _NO_TERMS
    if kind != PERMIT:
        raise RuleProblem(place, f"'{given[0]}' is for entries of kind permit")
    terms = [cells.get(name) for name in TERMS]
    try:
        read_terms(*terms)
    except ValueError as error:
        raise RuleProblem(place, str(error)) from None
    least = cells.get("likelihood")
    likelihood = None if least is None else expect.number_between(Scalar(least, place), "'likelihood'", 0.0, 1.0)
    return {**dict(zip(TERMS, terms, strict=True)), "likelihood": likelihood}


def _cell(node: Node, name: str) -> str:
    if isinstance(node, Listing) and name in _JOINED:
        return _JOINED[name].join(expect.text(each, f"an item of '{name}'") for each in node.items)
    return expect.text(node, f"'{name}'")


def _time(cell: str | None, place: Place) -> int | None:
    if cell is None:
        return None
    try:
        return _parse_time(cell)
    except (ValueError, OverflowError):
        raise RuleProblem(place, f"'{cell[:40]}' is no time; such as 2026-01-31 or 2026-01-31T08:00:00Z") from None


_parse_time = lru_cache(maxsize=1024)(parse_time)
