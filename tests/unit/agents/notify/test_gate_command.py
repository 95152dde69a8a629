"""No barrier opens on a read that is late, early, replayed, merged, superseded, uncertain or ambiguous."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.decisions.gate_command import AHEAD_US, GatePolicy, command, reasons_to_refuse
from schemas.clock import MICROS_PER_S, to_iso
from schemas.errors import ConfigError
from schemas.events import Alert
from tests.unit.agents.notify.alerts import alert

NOW = 1_800_000_000 * MICROS_PER_S
SURE = {"next_plate": "ABC124", "next_plate_likelihood": "0.08", "revision": "1", "resolved_text": "ABC123"}


def sure(age_us: int = MICROS_PER_S // 10, **changes: Any) -> Alert:
    """An alert that opens, captured so long before `NOW`."""
    made = alert(captured_at=NOW - age_us, context={**SURE, "plate_normalized_text": "ABC123"}, **changes)
    return replace(made, proof=replace(made.proof, matched_plate="ABC123"))


def test_a_sure_fresh_read_opens() -> None:
    """Nothing speaks against a read that is fresh, likely and unlike any other."""
    assert reasons_to_refuse(sure(), GatePolicy(), NOW) == ()


@given(age_us=st.integers(-(10**13), 10**16), max_age_ms=st.integers(1, 60_000))
def test_only_a_fresh_read_ever_opens(age_us: int, max_age_ms: int) -> None:
    """Whatever the clock says, a read that opens is younger than the policy allows, and not from the future."""
    refused = reasons_to_refuse(sure(age_us), GatePolicy(max_age_ms=max_age_ms), NOW)
    assert bool(refused) is not (-AHEAD_US <= age_us < max_age_ms * 1000)


@given(
    likelihood=st.none() | st.floats(0, 1),
    rival=st.none() | st.floats(0, 1),
    least=st.floats(0, 1),
    margin=st.floats(0, 1),
)
def test_what_opens_is_likely_and_unlike_the_next(
    likelihood: float | None, rival: float | None, least: float, margin: float
) -> None:
    """With any evidence and policy, what opens is likely enough and far enough from the next plate."""
    made = sure()
    context = {**made.context, "next_plate_likelihood": "" if rival is None else repr(rival)}
    made = replace(made, context=context, proof=replace(made.proof, likelihood=likelihood))
    if not reasons_to_refuse(made, GatePolicy(min_likelihood=least, min_margin=margin), NOW):
        assert least == 0 or (likelihood is not None and likelihood >= least)
        assert margin == 0 or rival is not None
        assert margin == 0 or (1.0 if likelihood is None else likelihood) - (rival or 0) >= margin


@pytest.mark.parametrize(
    ("context", "word"),
    [
        ({"historical": "true"}, "historical"),
        ({"merged_into": "another"}, "merged"),
        ({"resolved_text": "XYZ999"}, "superseded"),
        ({"next_plate_likelihood": "0.9"}, "ambiguous"),
        ({"next_plate_likelihood": "nan"}, "ambiguous"),
        ({"next_plate_likelihood": "much"}, "ambiguous"),
    ],
)
def test_what_a_pass_has_become_counts(context: dict[str, str], word: str) -> None:
    """A merged read, one that the pass has outvoted and one with a likely rival are refused, each with its reason."""
    made = sure()
    [reason] = reasons_to_refuse(replace(made, context={**made.context, **context}), GatePolicy(), NOW)
    assert reason.startswith(word)


def test_without_evidence_it_stays_shut() -> None:
    """An alert without likelihood and without the next plate is refused, unless the policy asks for neither."""
    made = sure()
    made = replace(made, context={}, proof=replace(made.proof, likelihood=None))
    assert len(reasons_to_refuse(made, GatePolicy(), NOW)) == 2
    assert reasons_to_refuse(made, GatePolicy(min_likelihood=0, min_margin=0), NOW) == ()


def test_all_reasons_are_told() -> None:
    """A read that is stale and ambiguous is refused for both."""
    made = sure(60 * MICROS_PER_S)
    made = replace(made, context={**made.context, "next_plate_likelihood": "0.95"})
    words = [reason.partition(":")[0] for reason in reasons_to_refuse(made, GatePolicy(), NOW)]
    assert words == ["stale", "ambiguous"]


@pytest.mark.parametrize("written", ["2", "-0.1", "nan", "inf", "much", ""])
def test_a_policy_that_is_none_is_an_error(written: str) -> None:
    """A value that is no number, or out of bounds, is refused; no default takes its place."""
    for name in ("min_likelihood", "min_margin"):
        with pytest.raises(ConfigError, match=name):
            GatePolicy.of({name: written})
    with pytest.raises(ConfigError, match="max_age_ms"):
        GatePolicy.of({"max_age_ms": "60001"})


def test_the_command_says_until_when() -> None:
    """A controller is told which command it is and when it is too late for it."""
    made = sure()
    told = command(made, "id-1", "north", GatePolicy(max_age_ms=2000), NOW)
    assert (told["command"], told["command_id"], told["gate"]) == ("open", "id-1", "north")
    assert told["expires_at"] == to_iso(made.captured_at + 2 * MICROS_PER_S)
