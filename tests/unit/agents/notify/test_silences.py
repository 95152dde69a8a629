"""Silences: whom they cover, when, and that the order of actions does not matter."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.decisions.alert_matching import LABELS, labels_of, matches
from agents.decisions.silences import AlertActions
from schemas.events import Alert, AlertAction, AlertMatcher, RuleRef
from tests.unit.agents.notify.alerts import alert

TEXTS = st.text("ab*?[]", max_size=4)
PATTERNS = st.text("abAB*?", min_size=1, max_size=4)
FIELDS = ("rules", "severities", "sites", "cameras", "keys")
HOUR = 3_600_000_000


@st.composite
def alerts(draw: Any) -> Alert:
    """Alerts whose names are made of few signs, the wild ones too."""
    return alert(
        rule=RuleRef(draw(TEXTS), "n", "v"),
        severity=draw(st.sampled_from(["low", "high"])),
        site_id=draw(st.none() | TEXTS),
        camera_id=draw(st.none() | TEXTS),
        key=draw(TEXTS),
        plate_text=draw(st.none() | st.text("AB1- ", max_size=4)),
    )


@st.composite
def matchers(draw: Any) -> AlertMatcher:
    """Matchers of any fields."""
    given_fields = draw(st.lists(st.sampled_from(FIELDS), unique=True))
    return AlertMatcher(**{name: tuple(draw(st.lists(PATTERNS, min_size=1, max_size=2))) for name in given_fields})


def fits(pattern: str, text: str) -> bool:
    """A glob by its definition, letter by letter."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(fits(pattern[1:], text[n:]) for n in range(len(text) + 1))
    return bool(text) and (pattern[0] == "?" or pattern[0] == text[0]) and fits(pattern[1:], text[1:])


@given(matchers(), alerts())
def test_each_given_field_must_fit_by_any_pattern(matcher: AlertMatcher, made: Alert) -> None:
    """The same as the words say, whatever signs names hold; a field that the alert lacks fits nothing."""
    values = {
        "rules": made.rule.id, "severities": made.severity, "sites": made.site_id, "cameras": made.camera_id,
        "keys": made.key,
    }  # fmt: skip
    asked = [name for name in FIELDS if getattr(matcher, name)]
    expected = bool(asked) and all(
        any(values[name] is not None and fits(p.lower(), str(values[name]).lower()) for p in getattr(matcher, name))
        for name in asked
    )
    assert matches(matcher, made) == expected


@pytest.mark.parametrize("pattern", ["ab-123 c", "AB123C", "A8123?", "a8*"])
def test_plate_is_known_as_observed_normalised_and_listed(pattern: str) -> None:
    """A silence may be written as the plate is shown, as it is stored, or as the list has it."""
    made = alert(plate_text="AB-123 C")
    made = replace(made, proof=replace(made.proof, matched_plate="A8123C"))
    assert matches(AlertMatcher(plates=(pattern,)), made)
    assert not matches(AlertMatcher(plates=("XY*",)), made)


@given(alerts())
def test_a_matcher_that_says_nothing_fits_nothing(made: Alert) -> None:
    """An empty form mutes no site."""
    assert not matches(AlertMatcher(), made)


@given(alerts())
def test_labels_are_there_for_every_alert(made: Alert) -> None:
    """What an alert lacks is empty, never an error."""
    assert [name for name, _ in labels_of(made, LABELS)] == list(LABELS)


def action(number: int, what: str, target: int, until: int) -> AlertAction:
    """An action with a number for a name."""
    if what == "silence":
        return AlertAction(
            action_id=f"s{target}", alert_id=f"s{target}", action=what, actor="kim", acted_at=1, until=until * HOUR,
            matcher=AlertMatcher(keys=("*",)),
        )  # fmt: skip
    if what == "unsilence":
        return AlertAction(
            action_id=f"u{number}", alert_id=f"s{target}", action=what, actor="kim", acted_at=2, silence_id=f"s{target}"
        )
    return AlertAction(action_id=f"x{number}", alert_id=f"a{target}", action=what, actor="kim", acted_at=3)


KINDS = st.sampled_from(["silence", "unsilence", "acknowledge", "resolve", "label", "nonsense"])
ACTIONS = st.lists(st.tuples(KINDS, st.integers(0, 4)), max_size=12)


@given(ACTIONS, st.randoms(use_true_random=False))
def test_order_and_repetition_of_actions_do_not_matter(listed: list[tuple[str, int]], dice: Any) -> None:
    """The topic is read again after every lost connection: what is in force is the same."""
    made = [action(number, what, target, 2 + target) for number, (what, target) in enumerate(listed)]
    shuffled = [*made, *made]
    dice.shuffle(shuffled)
    states = []
    for order in (made, shuffled):
        known = AlertActions()
        for each in order:
            known.note(each, HOUR)
        taken = {name for name in ("a0", "a1", "a2", "a3", "a4") if known.is_taken_care_of(name)}
        states.append(([silence.silence_id for silence in known.silences(HOUR)], taken))
    assert states[0] == states[1]
    ended = {f"s{target}" for what, target in listed if what == "unsilence"}
    begun = {f"s{target}" for what, target in listed if what == "silence"}
    assert set(states[0][0]) == begun - ended
    assert states[0][1] == {f"a{target}" for what, target in listed if what in ("acknowledge", "resolve")}


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.booleans()), max_size=6), st.integers(0, 9))
def test_an_alert_is_silent_exactly_while_a_silence_covers_it(listed: list[tuple[int, int, bool]], at: int) -> None:
    """From its beginning to before its end; of several the one that lasts longest is named."""
    known, made = AlertActions(), alert()
    covering = []
    for number, (start, end, fits_it) in enumerate(listed):
        matcher = AlertMatcher(cameras=("gate-1" if fits_it else "gate-2",))
        silence = AlertAction(
            action_id=f"s{number}", alert_id=f"s{number}", action="silence", actor="kim", acted_at=0,
            starts_at=start * HOUR, until=end * HOUR, matcher=matcher,
        )  # fmt: skip
        known.note(silence, 0)
        if fits_it and start <= at < end:
            covering.append(end)
    found = known.silence_of(made, at * HOUR)
    assert (found.until // HOUR if found else None) == (max(covering) if covering else None)


def test_silence_without_a_matcher_is_for_its_alert_alone() -> None:
    """As actions of older releases have it."""
    known, made = AlertActions(), alert()
    known.note(
        AlertAction(action_id="s", alert_id=made.alert_id, action="silence", actor="k", acted_at=0, until=HOUR), 0
    )
    assert known.silence_of(made, 1) is not None
    assert known.silence_of(replace(made, alert_id="another"), 1) is None


def test_what_is_long_over_is_forgotten() -> None:
    """Memory does not grow with the years."""
    known = AlertActions()
    for number in range(5000):
        at, name = number * HOUR, f"a{number}"
        known.note(AlertAction(action_id=name, alert_id=name, action="resolve", actor="k", acted_at=at), at)
        silence = AlertAction(
            action_id=f"s{number}", alert_id="a", action="silence", actor="k", acted_at=at, until=at + HOUR
        )
        known.note(silence, at)
    assert len(known._acknowledged) < 1000
    assert len(known._silences) < 1000
    assert known.is_taken_care_of("a4999")
