"""The index leaves no rule out that would match."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alert_rules.access import access_of
from alert_rules.engine import Engine
from alert_rules.facts import Facts
from alert_rules.loading import RuleSet
from alert_rules.rule_index import RuleIndex
from alert_rules.watchlists import Watchlists
from schemas.events import Sighting
from tests.unit.alert_rules.builders import entry, rule, rules, sighting

LEAVES = st.sampled_from(
    [
        "{field: camera_id, op: equals, value: C1}", "{cameras: [c1, c2]}", "{cameras: 'c*'}", "{sites: s1}",
        "{field: vehicle_color, op: in, value: [Red, blue]}", "{field: vehicle_color, op: not_equals, value: red}",
        "{field: reads, op: equals, value: 2}", "{field: is_final, op: equals, value: true}",
        "{field: extras.lane, op: in, value: [1, A]}", "{field: plate_text, op: equals, value: AB-0}",
        "{field: resolved_text, op: equals, value: AB0}", "{plate: [AB0, X1]}", "{plate: 'A*'}", "{watchlist: stolen}",
        "{plate: {any_of: A7, likelihood: 0.1}}", "{field: vehicle_color, op: exists, value: false}",
    ]
)  # fmt: skip
TREES = st.recursive(
    LEAVES,
    lambda inner: st.builds(
        lambda word, parts: f"{{{word}: [{', '.join(parts)}]}}",
        st.sampled_from(["all", "any", "not"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=5,
)
DOUBT = {"text": "A7", "confidence": 0.6, "characters": [[["A", 1.0]], [["T", 0.5], ["7", 0.5]]]}


def _sightings() -> st.SearchStrategy[Sighting]:
    def make(plate: object, color: str | None, camera: str, site: str | None, reads: int, lane: str) -> Sighting:
        what = {"plate": plate} if isinstance(plate, dict) else {"plate_text": plate}
        return sighting(
            vehicle_color=color, camera_id=camera, site_id=site, reads=reads, is_final=reads > 1,
            extras={"lane": lane}, **what,
        )  # fmt: skip

    return st.builds(
        make,
        st.sampled_from(["AB0", "A8O", "X1", "Z9", "", DOUBT]),
        st.sampled_from(["RED", "blue", "green", None]),
        st.sampled_from(["c1", "C2", "d3"]),
        st.sampled_from(["s1", None]),
        st.integers(1, 3),
        st.sampled_from(["1", "a", "x"]),
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(TREES, min_size=1, max_size=5), st.lists(_sightings(), min_size=1, max_size=5))
def test_the_index_agrees_with_asking_every_rule(matches: list[str], events: list[Sighting]) -> None:
    """For any rules and sightings the same rules match, in the same order."""
    text = "rules:\n" + "".join(f"  - {{id: r{number}, match: {match}}}\n" for number, match in enumerate(matches))
    loaded = rules(text)
    lists = Watchlists([entry("AB0")])
    engine = Engine(loaded, lists)
    for event in events:
        match = engine.match(event)
        asked = tuple(each for each in loaded.rules if each.match.holds(Facts(event, lists)))
        assert (match.rules if match else ()) == asked


@pytest.mark.parametrize(
    ("match", "asks"),
    [
        ("{cameras: c1}", [("value", "c1")]),
        ("{cameras: 'c*'}", [("normal", r"\Ac(.*)\z")]),
        ("{all: [{cameras: 'c*'}, {field: vehicle_color, op: equals, value: red}]}", [("normal", r"\Ac(.*)\z")]),
        ("{all: [{watchlist: stolen}, {sites: S1}]}", [("value", "s1")]),
        ("{any: [{sites: s1}, {plate: X1}]}", [("near", "X1"), ("value", "s1")]),
        ("{any: [{sites: s1}, {not: {sites: s2}}]}", None),
        ("{not: {cameras: c1}}", None),
        ("{plate: [AO1, 'B?']}", [("folded", r"\A8(.)\z"), ("near", "A01")]),
        ("{plate: {any_of: AO1, exact: true}}", [("text", "AO1")]),
        ("{watchlist: stolen}", [("listed", (("stolen",), None, False))]),
        ("{field: plate_text, op: regex, value: '^A'}", [("written", "^A")]),
        ("{field: vehicle_make, op: contains, value: A.}", [("normal", r"a\.")]),
        ("{field: reads, op: between, value: [2, 3]}", [("at least", 2.0)]),
        ("{field: reads, op: '<', value: 2}", [("at most", 2.0)]),
        ("{field: extras.lane, op: '<', value: 2}", None),
        ("{field: vehicle_color, op: exists}", None),
    ],
)
def test_the_access_of_a_rule(match: str, asks: list[tuple[str, object]] | None) -> None:
    """What must hold and can be looked up is the access, the rarest first; negations have none."""
    access = access_of(rule(match).match)
    assert (None if access is None else sorted((probe.ask.value, probe.value) for probe in access)) == asks


def test_rules_that_cannot_match_are_not_asked() -> None:
    """Of many rules for other cameras none is a candidate."""
    many = rules("rules:\n" + "".join(f"  - {{id: r{n}, match: {{cameras: c{n}}}}}\n" for n in range(100)))
    assert isinstance(many, RuleSet)
    found = RuleIndex(many.rules).candidates(Facts(sighting(camera_id="c7"), Watchlists()))
    assert [each.id for each in found] == ["r7"]
