"""Watchlists: which entry is hit, when it applies, and how files become entries."""

from pathlib import Path

import pytest

from alert_rules.errors import RuleFileError
from alert_rules.plate_reads import PlateReads
from alert_rules.watchlist_files import load_watchlists
from alert_rules.watchlists import Watchlists
from schemas.clock import parse_time
from schemas.events import Sighting, WatchlistEntry
from tests.unit.alert_rules.builders import START_US, engine, entry, run, sighting


def best(lists: Watchlists, event: Sighting, *names: str) -> WatchlistEntry | None:
    """The entry that is hit."""
    found = lists.best_hit(names or ("stolen",), event, PlateReads.of(event), None, False)
    return found.entry if found else None


def test_the_likeliest_entry_wins() -> None:
    """An exact entry is taken before a confusable one, whatever their order."""
    lists = Watchlists([entry("A8123", entry_id="near"), entry("AB123", entry_id="same")])
    assert best(lists, sighting(plate_text="AB123")) == entry("AB123", entry_id="same")
    assert best(lists, sighting(plate_text="A8123")) == entry("A8123", entry_id="near")


def test_entries_are_replaced_and_removed_by_their_ids() -> None:
    """A new version of an entry takes the old one's place; a removed one is gone; sizes follow."""
    lists = Watchlists([entry("AB123")])
    lists.put(entry("XY*"))
    assert best(lists, sighting(plate_text="AB123")) is None
    assert best(lists, sighting(plate_text="XY99")) == entry("XY*")
    assert lists.sizes == {"stolen": 1}
    lists.remove("stolen", "1")
    lists.remove("stolen", "1")
    assert best(lists, sighting(plate_text="XY99")) is None
    assert (len(lists), lists.sizes) == (0, {})


def test_a_broken_entry_changes_nothing() -> None:
    """An entry without a plate is refused and the one before it stays."""
    lists = Watchlists([entry("AB123")])
    with pytest.raises(ValueError, match="no letter"):
        lists.put(WatchlistEntry(list_id="stolen", entry_id="1", plate="**"))
    assert best(lists, sighting(plate_text="AB123")) == entry("AB123")


@pytest.mark.parametrize(
    ("fields", "applies"),
    [
        ({"valid_from": START_US}, True),
        ({"valid_from": START_US + 1}, False),
        ({"valid_until": START_US}, False),
        ({"valid_until": START_US + 1}, True),
        ({"sites": ("depot", "yard")}, True),
        ({"sites": ("yard",)}, False),
        ({"region": "de"}, True),
        ({"region": "DE-BY"}, True),
        ({"region": "de-bw"}, False),
        ({"region": "fr"}, False),
    ],
)
def test_entries_apply_by_time_site_and_region(fields: dict[str, object], applies: bool) -> None:
    """Time is the sighting's; a region that says less is no contradiction."""
    lists = Watchlists([entry("AB123", **fields)])
    event = sighting(plate_text="AB123", plate_region="de-by", site_id="depot")
    assert (best(lists, event) is not None) is applies


def test_a_region_that_nobody_read_is_no_contradiction() -> None:
    """Most readers give no region."""
    assert best(Watchlists([entry("AB123", region="fr")]), sighting(plate_text="AB123")) is not None


def test_the_proof_names_the_entry_and_what_contradicts_it() -> None:
    """List, reason, likelihood and an unexpected colour stand in the alert."""
    listed = entry("AB0123", reason="reported stolen", vehicle_color="red", vehicle_make="Volvo")
    event = sighting(plate_text="ABO123", vehicle_color="blue", vehicle_make="volvo")
    [alert] = run(engine("{watchlist: stolen}", [listed]), [event])
    [proof] = alert.proof.conditions
    assert proof.expected == "stolen: AB0123 (reported stolen)"
    assert proof.observed.startswith("ABO123, likelihood 0.0")
    assert proof.observed.endswith("(O for 0 at 3); colour blue, expected red")
    assert alert.proof.matched_plate == "AB0123"


def test_csv_files_are_read(tmp_path: Path) -> None:
    """Columns by name and by other common names, comments, empty lines, sites and times."""
    file = tmp_path / "stolen.csv"
    file.write_text(
        "\ufeffplate;Colour;reason;valid_until;sites\n"
        "AB-12 3;red;stolen, armed;2026-02-01T00:00:00Z;depot\n"
        "\n"
        "# a comment\n"
        "0123E4;;;;\n",
        encoding="utf-8",
    )
    first, second = load_watchlists([file])
    assert (first.list_id, first.plate, first.vehicle_color, first.reason) == (
        "stolen",
        "AB123",
        "red",
        "stolen, armed",
    )
    assert first.valid_until == parse_time("2026-02-01T00:00:00Z")
    assert first.sites == ("depot",)
    assert (second.plate, second.vehicle_color, second.sites) == ("0123E4", None, ())


def test_yaml_and_text_files_are_read(tmp_path: Path) -> None:
    """A folder of lists: one plate a line, a YAML list, a YAML mapping with defaults. 0123 and NO are plates."""
    (tmp_path / "a.txt").write_text("AB123 # mine\n\nXY?9*\n")
    (tmp_path / "b.yml").write_text("[0123, NO, 12:30, {plate: AB1, sites: [x, y]}]")
    (tmp_path / "c.yaml").write_text(
        "kind: permit\nreason: staff\nentries:\n  - AB1\n  - {plate: CD2, reason: guest}\n"
    )
    (tmp_path / "README.md").write_text("not a list")
    entries = load_watchlists([tmp_path])
    assert [(each.list_id, each.plate, each.kind, each.reason) for each in entries] == [
        ("a", "AB123", "deny", None),
        ("a", "XY?9*", "deny", None),
        ("b", "0123", "deny", None),
        ("b", "NO", "deny", None),
        ("b", "1230", "deny", None),
        ("b", "AB1", "deny", None),
        ("c", "AB1", "permit", "staff"),
        ("c", "CD2", "permit", "guest"),
    ]
    assert entries[5].sites == ("x", "y")
    assert len({(each.list_id, each.entry_id) for each in entries}) == len(entries)


def test_no_folder_is_no_lists(tmp_path: Path) -> None:
    """Watchlists are optional."""
    assert load_watchlists([tmp_path / "nothing", tmp_path]) == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"plat,reason\nAB1,x\n", "a.csv:1:1: unknown column 'plat'; did you mean 'plate'?"),
        ("a.csv", b"plate\n***\n", "a.csv:2:1: '***' is no plate: no letter or digit in it"),
        ("a.csv", b"plate,valid_from\nAB1,soon\n", "a.csv:2:1: 'soon' is no time"),
        ("a.csv", b"plate\nAB1,x\n", "a.csv:2:1: 2 cells; the header has 1"),
        ("a.csv", b"plate,kind\nAB1,dny\n", "a.csv:2:1: 'dny' is no kind; did you mean 'deny'?"),
        ("a.csv", b"plate\nAB\xff1\n", "a.csv:2:1: byte 0xff is not UTF-8"),
        ("a.csv", b'plate\n"' + b"A" * 200_000, "a.csv:"),
        ("a.txt", b"AB1\n--\n", "a.txt:2:1: '--' is no plate"),
        ("a.yml", b"- {plte: AB1}\n", "a.yml:1:4: an entry has no 'plte'; did you mean 'plate'?"),
        ("a.yml", b"entrees: [AB1]\n", "a.yml:1:1: a watchlist has no 'entrees'; did you mean 'entries'?"),
        ("a.yml", b"", "a.yml:1:1: the file is empty"),
    ],
)
def test_mistakes_are_located(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    """A file with a mistake is refused, with the place."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RuleFileError) as caught:
        load_watchlists([tmp_path / name])
    assert message in str(caught.value)


def test_an_empty_csv_is_an_empty_list(tmp_path: Path) -> None:
    """Header alone, or nothing at all."""
    (tmp_path / "a.csv").write_bytes(b"plate\n")
    (tmp_path / "b.csv").write_bytes(b"")
    assert load_watchlists([tmp_path]) == []
