"""The indexed engine gives what the plain one gives, which asks every rule about every sighting."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alert_rules.engine import Engine, Match
from alert_rules.entry_table import EntryTable
from alert_rules.facts import Facts
from alert_rules.memory import counted_key, quiet_key
from alert_rules.watchlists import Watchlists
from schemas.codec import EventCodec
from schemas.events import Sighting
from schemas.records import to_record
from schemas.registry import MemoryRegistry
from schemas.topics import SIGHTINGS
from tests.unit.alert_rules.builders import entry, rules, sighting

pytestmark = pytest.mark.thorough
CODEC = EventCodec(MemoryRegistry())
CODEC.prepare(SIGHTINGS)


class PlainEngine(Engine):
    """Asks every rule."""

    def match(self, sighting: Sighting) -> Match | None:
        """As the engine, without its index."""
        facts = Facts(sighting, self.watchlists)
        matched = tuple(rule for rule in self.rules.enabled if rule.match.holds(facts))
        keys = [counted_key(sighting)]
        keys += [quiet_key(rule.id, rule.suppress.by.of(sighting)) for rule in matched if rule.suppress is not None]
        return Match(facts, matched, tuple(keys)) if matched else None


PLATES = ["AB0123", "A8O123", "XY9", "ABC1234", "A8C1234", "Q", "ABX12", "ab 0123", "---"]
PATTERNS = [
    "A*",
    "?B*",
    "*123",
    "ABC?234",
    "X?9",
    "*C*4",
    "??????",
]  # the last is no plate, which has a letter or digit


def _list(values: list[str]) -> str:
    return "[" + ", ".join(f"'{value}'" for value in values) + "]"


def _field(name: str, op: str, value: str) -> str:
    return f"{{field: {name}, op: {op}, value: {value}}}"


NAMED = st.sampled_from(PLATES[:-1])
TEXT_FIELDS = st.sampled_from(["camera_id", "site_id", "vehicle_color", "direction", "extras.lane", "plate_region"])
PLATE_FIELDS = st.sampled_from(["plate_text", "plate_normalized_text", "resolved_text", "previous_text"])
WORDS = st.sampled_from(["gate", "GATE 2", "red", "Blue", "in", "a", "de", "1", "7.5", "e"])
WORD_LISTS = st.lists(WORDS, min_size=1, max_size=3).map(_list)
NUMBER_FIELDS = st.sampled_from(
    ["plate_confidence", "reads", "revision", "vehicle_confidence", "latitude", "extras.lane"]
)
NUMBERS = st.sampled_from(["0", "0.5", "0.9", "1", "2", "7.5"])
REGEXES = st.sampled_from(["^A", "[0-9]{3}$", "b ?0", "(?i)^x.9$", "^(AB|XY)", "g.t", "[^a-z]", "^.{7}$", "ä"])
TEXT_OPS = st.sampled_from(["equals", "not_equals", "contains", "starts_with", "ends_with"])
LEAVES = st.one_of(
    st.builds(_field, TEXT_FIELDS, TEXT_OPS, WORDS),
    st.builds(_field, TEXT_FIELDS, st.sampled_from(["in", "not_in"]), WORD_LISTS),
    st.builds(_field, TEXT_FIELDS, st.just("like"), st.sampled_from(["'g*'", "'*e'", "'?'", "red"])),
    st.builds(_field, st.one_of(TEXT_FIELDS, PLATE_FIELDS), st.just("regex"), REGEXES.map(lambda each: f"'{each}'")),
    st.builds(_field, PLATE_FIELDS, TEXT_OPS,
              NAMED),
    st.builds(_field, PLATE_FIELDS, st.just("in"), st.lists(NAMED, min_size=1, max_size=3).map(_list)),
    st.builds(_field, PLATE_FIELDS, st.just("like"), st.lists(st.sampled_from(PATTERNS), min_size=1).map(_list)),
    st.builds(_field, NUMBER_FIELDS, st.sampled_from([">", ">=", "<", "<="]).map(lambda op: f"'{op}'"), NUMBERS),
    st.builds(_field, NUMBER_FIELDS, st.sampled_from(["equals", "not_equals"]), st.sampled_from(["0.9", "1", "2"])),
    st.builds(lambda name: _field(name, "between", "[0.5, 2]"), NUMBER_FIELDS),
    st.builds(_field, st.sampled_from(["is_final", "vehicle_color", "plate_text", "extras.lane"]), st.just("exists"),
              st.sampled_from(["true", "false"])),
    st.builds(_field, st.just("is_final"), st.just("equals"), st.sampled_from(["true", "false"])),
    st.builds(
        lambda plates, threshold, exact: f"{{plate: {{any_of: {_list(plates)}{threshold}, exact: {exact}}}}}",
        st.lists(st.sampled_from([*PLATES[:-1], *PATTERNS[:-1]]), min_size=1, max_size=3),
        st.sampled_from(["", ", likelihood: 0.05", ", likelihood: 0.6"]),
        st.sampled_from(["true", "false"]),
    ),
    st.builds(
        lambda lists, threshold, exact: f"{{watchlist: {{list: {_list(lists)}{threshold}, exact: {exact}}}}}",
        st.lists(st.sampled_from(["stolen", "staff", "none"]), min_size=1, max_size=2),
        st.sampled_from(["", ", likelihood: 0.05", ", likelihood: 0.6"]),
        st.sampled_from(["true", "false"]),
    ),
    st.sampled_from(["{cameras: gate}", "{cameras: ['g*', x]}", "{sites: [s1, '?2']}",
                     "{schedule: {days: [mon], from: '00:00', to: '00:02'}}"]),
)  # fmt: skip
TREES = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        lambda word, parts: f"{{{word}: [{', '.join(parts)}]}}",
        st.sampled_from(["all", "all", "any", "not"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=4,
)
SUPPRESSED = st.sampled_from(
    ["", ", suppress: 60s", ", group_by: camera_id, suppress: {for: 30s, by: [camera_id, vehicle_color]}"]
)


@st.composite
def _sightings(draw: st.DrawFn) -> Sighting:
    text = draw(st.sampled_from(PLATES))
    number = draw(st.integers(0, 7))
    chars = [char for char in text.upper() if char.isalnum()]
    other = st.sampled_from("08BOQAX1C-")
    doubts = st.lists(st.tuples(other, st.sampled_from([0.04, 0.1, 0.3])).map(list), max_size=2)
    plate: dict[str, object] = {"text": text, "confidence": draw(st.sampled_from([0.3, 0.9])), "region": "de"}
    if draw(st.booleans()):
        plate["characters"] = [[[char, 0.5], *draw(doubts)] for char in chars]
    fields: dict[str, object] = {
        "vehicle_color": draw(st.sampled_from(["RED", "blue", None])),
        "camera_id": draw(st.sampled_from(["gate", "Gate 2", "x"])),
        "site_id": draw(st.sampled_from(["s1", "S2", None])),
        "direction": draw(st.sampled_from(["in", None])),
        "reads": draw(st.integers(1, 3)),
        "is_final": draw(st.booleans()),
        "extras": draw(st.sampled_from([{}, {"lane": "1"}, {"lane": " A "}, {"lane": "7.50"}, {"lane": ""}])),
    }
    if draw(st.booleans()):
        fields["resolved"] = {"text": draw(NAMED), "confidence": 0.7, "previous_text": draw(NAMED)}
    made = sighting(
        f"e{number}", at_s=(number * 7919) % 200, match_key=f"k{number % 3}", plate=plate,
        revision=draw(st.integers(1, 3)), **fields,
    )  # fmt: skip
    as_decoded: Sighting = CODEC.decode(SIGHTINGS, CODEC.encode(SIGHTINGS, made))
    return draw(st.sampled_from([made, as_decoded]))


def _lists() -> Watchlists:
    lists = Watchlists([entry("AB0123"), entry("?Y9", entry_id="2", sites=("s1",)), entry("ABC*", entry_id="3")])
    lists.install(
        EntryTable([entry("A8C1234", list_id="staff"), entry("XY9"), entry("Q", list_id="staff", entry_id="2")])
    )
    return lists


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(TREES, SUPPRESSED), min_size=1, max_size=8), st.lists(_sightings(), min_size=1, max_size=12))
def test_the_same_alerts_proofs_and_memory_in_the_same_order(
    written: list[tuple[str, str]], events: list[Sighting]
) -> None:
    """For any rules, lists and sightings: every alert with its proof, every change of memory, all that is held back."""
    text = "rules:\n" + "".join(
        f"  - {{id: r{number}, match: {match}{more}}}\n" for number, (match, more) in enumerate(written)
    )
    loaded, lists = rules(text), _lists()
    indexed, plain = Engine(loaded, lists), PlainEngine(loaded, lists)
    memory: dict[bytes, bytes | None] = {}
    for event in events:
        expected = plain.evaluate(event, memory)
        found = indexed.evaluate(event, memory)
        assert [to_record(alert) for alert in found.alerts] == [to_record(alert) for alert in expected.alerts]
        assert (dict(found.changes), found.held_back) == (dict(expected.changes), expected.held_back)
        memory.update(expected.changes)
